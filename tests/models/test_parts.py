"""Networks by parts: what fits what is declared once, and everything declared can be built."""

from itertools import product
from typing import get_args

import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.recipe import networks
from ppedge.train.optimizer import build_optimizer
from ppedge.train.task import Task
from small import MODEL, tiny_recipe

PARTS = [
    part
    for union in (networks.Backbone, networks.Neck, networks.Head, networks.Guide)
    for part in get_args(union) or (union,)
]
SIZE = {"det": (64, 96), "rec": (32, 64), "cls": (48, 192)}


def test_every_part_of_the_recipe_has_a_builder_and_no_other():
    assert set(zoo.BUILDERS) == set(PARTS)


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_what_is_declared_to_fit_is_built_and_all_else_is_refused(task):
    necks = [None, *(part(name=part.__name__) for part in get_args(networks.Neck))]
    heads = [part(name=part.__name__) for part in get_args(networks.Head)]
    built = 0
    for neck, head in product(necks, heads):
        model = networks.Model(backbone={"name": "MobileNetV3", "model_name": "small", "scale": 0.35},
                               neck=neck, head=head)  # fmt: skip
        if task == "rec":
            model = networks.Model.model_validate({**MODEL["rec"], "neck": neck, "head": head})
        if networks.misfit(model, task) is None:
            built += 1
            x = paddle.rand([1, 3, *SIZE[task]])
            net = zoo.build(model, task, 5)
            assert isinstance(net(x), dict), "in training a network takes pictures alone"
            net.eval()
            assert net(x).shape[0] == 1
        else:
            with pytest.raises(PpedgeError, match=f"^model: a {task} network needs "):
                zoo.build(model, task, 5)
    assert built >= 1


def test_a_misfit_names_all_ways():
    model = networks.Model.model_validate({**MODEL["det"], "head": {"name": "CTCHead"}})
    told = {task: networks.misfit(model, task) for task in ("det", "rec", "cls")}
    assert all(sentence.startswith(f"a {task} network needs ") for task, sentence in told.items())
    assert "neck DBFPN" in told["det"] and "head DBHead" in told["det"] and "SequenceEncoder" not in told["det"]
    assert "neck SequenceEncoder" in told["rec"] and "head CTCHead" in told["rec"] and "DBFPN" not in told["rec"]
    assert "no neck and head ClsHead" in told["cls"]
    fitting = networks.Model.model_validate(MODEL["cls"])
    assert networks.misfit(fitting, "cls") is None


@pytest.mark.parametrize("task", ["det", "rec"])
def test_a_backbone_tells_its_layers_in_the_order_of_running(task):
    net = zoo.build(networks.Model.model_validate(MODEL[task]), task, 5)
    net.eval()
    names = dict(net.named_sublayers())
    x = paddle.rand([1, 3, *SIZE[task]])
    with paddle.no_grad():
        wanted = net.backbone(x)
        for name, unit in net.units():
            assert names[name] is unit
            x = unit(x)
    assert len(list(net.units())) == 12 + (task == "det")
    last = wanted[-1] if task == "det" else net.backbone.conv2(x)
    assert bool((last == (x if task == "det" else net.backbone.conv2(x))).all())


def test_two_networks_in_one_training_share_no_moments(tmp_path):
    """With the same names, Adam keeps 143 moments for 286 parameters, and a checkpoint knows one network alone."""
    task = Task(tiny_recipe("det", tmp_path))
    schedule = task.recipe.train
    both = paddle.nn.LayerList([task.build(), task.build()])
    with pytest.raises(ValueError, match="names of parameters are there twice"):
        build_optimizer(both, schedule)
    model = networks.Model.model_validate(MODEL["det"])
    both = paddle.nn.LayerList([task.build(), zoo.build(model, "det", prefix="twin_")])
    optimizer = build_optimizer(both, schedule)
    sum(net(paddle.rand([1, 3, 64, 64]))["maps"].mean() for net in both).backward()
    optimizer.step()
    moments = [name for name in optimizer.state_dict() if name.endswith("_moment1_0")]
    learning = [p for p in both.parameters() if not p.stop_gradient]
    assert len(moments) == len(learning) == 2 * len([p for p in both[0].parameters() if not p.stop_gradient])


def test_the_network_that_ships_keeps_its_names(tmp_path):
    """Exported files have them: whatever was built before, they count from 0."""
    task = Task(tiny_recipe("det", tmp_path))
    zoo.build(networks.Model.model_validate(MODEL["det"]), "det", prefix="twin_")
    assert next(iter(task.build().parameters())).name == "conv2d_0.w_0"
