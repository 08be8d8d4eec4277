"""A network of branches down the road: trained with them, slimmed, exported and priced as the one form that ships."""

import shutil

import numpy as np
import paddle
import pytest

from ppedge.convert.export import export_float
from ppedge.convert.lite import to_nb
from ppedge.convert.onnx import to_onnx
from ppedge.cost.operators import operations
from ppedge.engines import open_engine
from ppedge.models.folding import FixedAffine, FoldedBlock
from ppedge.models.rep import RepLayer
from ppedge.models.weights import load_weights, read_pdparams, state_of
from ppedge.progress import Reporter
from ppedge.recipe.io import load_recipe, save
from ppedge.runs import Run
from ppedge.slim.channels.groups import trace
from ppedge.slim.network import load_float, load_quantized
from ppedge.slim.stage import run_slim
from ppedge.train.course import BEST
from ppedge.train.stage import run_train
from ppedge.train.task import Task
from small import tiny_recipe

QUIET = Reporter(quiet=True)
MODEL = {
    "backbone": {"name": "PPLCNetV3", "scale": 0.1, "conv_kxk_num": 1},
    "neck": {"name": "RSEFPN", "out_channels": 16},
    "head": {"name": "DBHead"},
}
SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "freeze_bn": True}
SLIM = {
    "prune": {
        "mode": "flat", "ratio": 0.5, "multiple": 4, "finetune": SHORT, "samples": 2,
        "arm": {"samples": 4, "tolerance": 0.1, "distill": SHORT},
    },
    "quant": {"samples": 4, "train": SHORT},
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(det_data, tmp_path_factory):
    """The folder of a run that was trained for two steps, and its recipe."""
    folder = tmp_path_factory.mktemp("branches")
    train = {"epochs": 1, "max_steps": 2, "checkpoint_every": 1}
    save(tiny_recipe("det", det_data, model=MODEL, slim=SLIM, train=train), folder / "recipe.yml")
    recipe = load_recipe(folder / "recipe.yml")
    run_train(recipe, Run(folder / "run"), device="cpu", reporter=QUIET)
    return folder / "run", recipe


def kinds(net):
    return {type(layer) for layer in net.sublayers()}


def slimmed(trained, folder, *overrides):
    shutil.copytree(trained[0], folder)
    run = Run(folder)
    recipe = load_recipe(run.recipe_path, overrides)
    run_slim(recipe, run, device="cpu", reporter=QUIET)
    return run, Task(recipe)


def test_training_has_branches_and_whoever_loads_it_sees_none(trained):
    run, recipe = Run(trained[0]), trained[1]
    state = read_pdparams(run.artifact("train", BEST))
    assert any(".conv_kxk." in name for name in state)
    task = Task(recipe)
    net = load_float(run, task, "train")
    assert FoldedBlock in kinds(net) and RepLayer not in kinds(net)
    assert state_of(net).keys() == state_of(task.build_shipped()).keys()
    branches = task.build()
    load_weights(branches, state, "best")
    branches.eval()
    x = paddle.rand([1, 3, 64, 64])
    with paddle.no_grad():
        np.testing.assert_allclose(net(x).numpy(), branches(x).numpy(), atol=2e-3)


def test_all_channels_of_what_ships_may_go(trained):
    """Each pointwise convolution makes channels that pruning may take."""
    net = Task(trained[1]).build_shipped()
    shapes = {name: value.shape for name, value in state_of(net).items()}
    groups = trace(net, (1, 3, 64, 64)).groups
    produced = {member.name for group in groups for member in group.producers}
    pointwise = {name for name in shapes if name.startswith("backbone.") and name.endswith("pw_conv.conv.weight")}
    assert len(pointwise) == 14 and pointwise <= produced


def test_it_is_pruned_and_quantized(trained, tmp_path):
    run, task = slimmed(trained, tmp_path / "run")
    pruned, quantized = load_float(run, task, "slim"), load_quantized(run, task)
    shapes = [{name: value.shape for name, value in state_of(net).items()} for net in (pruned, task.build_shipped())]
    name = "backbone.blocks5.1.pw_conv.conv.weight"
    assert shapes[0][name][0] * 2 == shapes[1][name][0]
    x = paddle.rand([1, 3, 64, 64])
    for net in (pruned, quantized):
        with paddle.no_grad():
            assert np.isfinite(net(x).numpy()).all()
        affines = [layer for layer in net.sublayers() if isinstance(layer, FixedAffine)]
        assert len(affines) == 15, "constants are kept through pruning, fine-tuning and quantizing"


def test_slimming_for_arm_takes_channels_of_the_form_that_ships(trained, tmp_path):
    # Of a network that was trained for two steps the map is so steep that no other form of the head is equal to it.
    run, task = slimmed(
        trained,
        tmp_path / "run",
        "slim.prune.method=arm",
        "slim.prune.arm.rewrites=[]",
        "slim.quant.method=none",
        "slim.prune.arm.neck_width=8",
    )
    net = load_float(run, task, "slim")
    assert len([layer for layer in net.sublayers() if isinstance(layer, FoldedBlock)]) == 14
    pruned, whole = ({n: v.shape[0] for n, v in state_of(one).items() if n.endswith("pw_conv.conv.weight")}
                     for one in (net, task.build_shipped()))  # fmt: skip
    fewer = [name for name in whole if pruned[name] < whole[name]]
    assert len(fewer) >= 7, "each pointwise convolution is read by the next through a depthwise one"


def test_it_is_the_same_as_nb_and_onnx(trained, forks, tmp_path):
    pytest.importorskip("paddlelite")
    pytest.importorskip("paddle2onnx")
    net = load_float(Run(trained[0]), Task(trained[1]), "train")
    export_float(net, tmp_path / "net", "det")
    nb = to_nb(tmp_path / "net", tmp_path / "net.nb", "fp32")
    to_onnx({tmp_path / "net.onnx": tmp_path / "net"}, forks)
    # opt would fold them into the convolutions before them, in front of the activation, if these had no bias.
    affines = sum(isinstance(layer, FixedAffine) for layer in net.sublayers())
    assert sum(op.type == "scale" for op in operations(nb, (1, 3, 64, 64))) == affines == 15
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64), dtype=np.float32)
    with paddle.no_grad():
        expected = net(paddle.to_tensor(x)).numpy()
    with open_engine("onnxruntime", tmp_path / "net.onnx") as engine:
        np.testing.assert_allclose(engine.run([x])[0], expected, atol=5e-3)
