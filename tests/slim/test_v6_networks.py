"""PP-OCRv6's detector, made tiny, loses channels between its 1x1 convolutions and learns to compute in 8 bits."""

import numpy as np
import paddle
import pytest

from ppedge.cost.network import converted
from ppedge.files.nb import read_nb
from ppedge.models.folding import Foldable
from ppedge.models.weights import state_of
from ppedge.progress import Reporter
from ppedge.recipe.io import load_recipe, save
from ppedge.runs import Run
from ppedge.slim.network import load_float, load_quantized
from ppedge.slim.plan import Plan
from ppedge.slim.stage import run_slim
from ppedge.train.stage import run_train
from ppedge.train.task import Task
from small import tiny_recipe

QUIET = Reporter(quiet=True)
SHORT = {"epochs": 1, "max_steps": 1, "batch_size": 2, "freeze_bn": True}
MODEL = {
    "backbone": {"name": "PPLCNetV4", "model_size": "tiny"},
    "neck": {"name": "RepLKFPN", "out_channels": 16, "dilated_kernel_size": 5},
    "head": {"name": "DBHead", "fix_nan": True},
}


@pytest.fixture(scope="module")
def run(det_data, tmp_path_factory):
    """A run trained for a step with auxiliary heads, pruned and quantized."""
    folder = tmp_path_factory.mktemp("v6")
    sections = {
        "train": {
            "epochs": 1,
            "max_steps": 1,
            "guides": [{"name": "AuxDBHead"}],
            "losses": [{"name": "DB"}, {"name": "DB", "of": ["net.AuxDBHead"], "at": "maps_p3"}],
        },
        "slim": {
            "prune": {"mode": "flat", "ratio": 0.25, "multiple": 4, "finetune": SHORT},
            "quant": {"samples": 2, "train": SHORT},
        },
    }
    save(tiny_recipe("det", det_data, model=MODEL, **sections), folder / "v6.yml")
    run = Run(folder / "run")
    run_train(load_recipe(folder / "v6.yml"), run, device="cpu", reporter=QUIET)
    run_slim(load_recipe(run.recipe_path), run, device="cpu", reporter=QUIET)
    return run


@pytest.mark.slow
def test_inner_channels_go_and_what_only_trains_is_gone(run):
    task = Task(load_recipe(run.recipe_path))
    plan = Plan.load(run.artifact("slim", "plan.json"))
    inner = [name for name in plan.keep if name.endswith("channel_mixer.expand.conv.weight")]
    assert len(inner) == 13
    pruned, quantized, whole = load_float(run, task, "slim"), load_quantized(run, task), task.build_shipped()
    shapes = [{name: array.shape for name, array in state_of(net).items()} for net in (pruned, whole)]
    assert all(shapes[0][name][0] < shapes[1][name][0] for name in inner)
    assert not any("aux_" in name for name in shapes[1])
    x = paddle.rand([1, 3, 64, 64])
    for net in (pruned, quantized):
        assert not [layer for layer in net.sublayers() if isinstance(layer, Foldable)]
        with paddle.no_grad():
            found = net(x).numpy()
        assert found.shape == (1, 1, 64, 64) and np.isfinite(found).all()


@pytest.mark.slow
def test_its_int8_file_has_the_rewrites_of_a_float_one(run):
    recipe = load_recipe(run.recipe_path)
    task = Task(recipe)
    layer = next(name for name, one in task.build_shipped().named_sublayers() if name.endswith("expand.conv"))
    for int8 in ((), (layer,)):
        net = task.build_shipped()
        net.eval()
        with converted(net, recipe, int8) as (path, _):
            operators = read_nb(path).operators
        assert [one for one in operators if one.type == "elementwise_max"]
        assert not [one for one in operators if one.type == "pool2d" and one.attributes["ksize"] == [2, 2]]
        assert any(one.int8 for one in operators) == bool(int8)
