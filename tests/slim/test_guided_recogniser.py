"""PP-OCRv3's recogniser down the road: trained with a guide, slimmed, exported without it."""

import shutil

import numpy as np
import paddle
import pytest

from ppedge.convert.export import export_float, export_quantized
from ppedge.convert.lite import to_nb
from ppedge.convert.onnx import to_onnx
from ppedge.engines import open_engine
from ppedge.files.nb import read_nb
from ppedge.files.nb_summary import summary
from ppedge.models.rows import SkippedRows
from ppedge.models.weights import read_pdparams, state_of
from ppedge.progress import Reporter
from ppedge.recipe.io import load_recipe, save
from ppedge.runs import Run
from ppedge.slim.network import load_float, load_quantized
from ppedge.slim.stage import run_slim
from ppedge.train.course import BEST
from ppedge.train.stage import run_train
from ppedge.train.task import Task
from small import tiny_recipe

QUIET = Reporter(quiet=True)
MODEL = {
    "backbone": {
        "name": "MobileNetV1Enhance", "scale": 0.125, "last_conv_stride": [1, 2], "last_pool_type": "avg",
    },
    "neck": None,
    "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 8, "depth": 1, "hidden_dims": 16}},
}  # fmt: skip
SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "freeze_bn": True}
SLIM = {
    "prune": {"mode": "flat", "ratio": 0.5, "multiple": 4, "finetune": SHORT, "samples": 2,
              "arm": {"samples": 4, "distill": SHORT}},
    "quant": {"samples": 4, "train": SHORT},
}  # fmt: skip
TRAIN = {
    "epochs": 1,
    "max_steps": 2,
    "guides": [{"name": "SARHead", "enc_dim": 8}],
    "losses": [{"name": "CTC"}, {"name": "SAR", "of": ["net.SARHead"]}],
}


@pytest.fixture(scope="module")
def trained(rec_data, tmp_path_factory):
    """The folder of a run that was trained for two steps."""
    folder = tmp_path_factory.mktemp("guided")
    recipe = tiny_recipe("rec", rec_data, model=MODEL, slim=SLIM, train=TRAIN, rec_preprocess={"height": 48})
    save(recipe, folder / "recipe.yml")
    run_train(load_recipe(folder / "recipe.yml"), Run(folder / "run"), device="cpu", reporter=QUIET)
    return folder / "run"


def slimmed(trained, folder, *overrides):
    shutil.copytree(trained, folder)
    run = Run(folder)
    recipe = load_recipe(run.recipe_path, overrides)
    run_slim(recipe, run, device="cpu", reporter=QUIET)
    return run, Task(recipe)


def test_the_guide_does_not_ship(trained):
    run = Run(trained)
    net = Task(load_recipe(run.recipe_path)).build()
    assert read_pdparams(run.artifact("train", BEST)).keys() == state_of(net).keys()


def test_it_is_pruned_quantized_and_the_same_as_nb_and_onnx(trained, forks, tmp_path):
    pytest.importorskip("paddlelite")
    pytest.importorskip("paddle2onnx")
    run, task = slimmed(trained, tmp_path / "run")
    net = load_float(run, task, "slim")
    whole, pruned = (state_of(one)["backbone.block_list.7._pointwise_conv._conv.weight"] for one in (task.build(), net))
    assert len(pruned) * 2 == len(whole)
    export_float(net, tmp_path / "net", "rec", 48)
    to_nb(tmp_path / "net", tmp_path / "net.nb", "fp32")
    to_onnx({tmp_path / "net.onnx": tmp_path / "net"}, forks)
    operators = summary(read_nb(tmp_path / "net.nb"))["operators"]
    assert not {"silu", "flatten", "flatten_contiguous_range"} & set(operators), "ARM's runtime has none of them"
    x = np.random.default_rng(0).standard_normal((1, 3, 48, 96), dtype=np.float32)
    with paddle.no_grad():
        expected = net(paddle.to_tensor(x)).numpy()
    with open_engine("onnxruntime", tmp_path / "net.onnx") as engine:
        np.testing.assert_allclose(engine.run([x])[0], expected, atol=1e-5)
    export_quantized(load_quantized(run, task), tmp_path / "int8", "rec", 48)
    to_nb(tmp_path / "int8", tmp_path / "int8.nb", "int8")
    assert set(summary(read_nb(tmp_path / "int8.nb"))["convolutions"]) == {"int8"}


def test_slimming_for_arm_makes_exact_rewrites_and_takes_channels(trained, tmp_path):
    run, task = slimmed(
        trained,
        tmp_path / "run",
        "slim.prune.method=arm",
        "slim.prune.arm.rewrites=[skip_rows]",
        "slim.quant.method=none",
    )
    net = load_float(run, task, "slim")
    assert [type(net.backbone.block_list[k]._depthwise_conv) for k in (3, 5, 11)] == [SkippedRows] * 3
    name = "backbone.block_list.7._pointwise_conv._conv.weight"
    whole, slim = (state_of(one)[name].shape[0] for one in (task.build(), net))
    assert slim < whole, "channels that the next pointwise convolution reads are gone"
