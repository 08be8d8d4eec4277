"""PP-OCRv3's detector, made tiny, goes from training to the files of a phone."""

import pytest

from ppedge.convert.stage import run_convert
from ppedge.cost.report import cost_of
from ppedge.files.nb import read_nb
from ppedge.files.nb_summary import float_convolutions
from ppedge.progress import Reporter
from ppedge.recipe.io import load_recipe, save
from ppedge.runs import Run
from ppedge.slim.plan import Plan
from ppedge.slim.stage import run_slim
from ppedge.train.stage import run_train
from small import tiny_recipe

QUIET = Reporter(quiet=True)
SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "learning_rate": 1e-3, "freeze_bn": True}
MODEL = {"neck": {"name": "RSEFPN", "out_channels": 32}, "head": {"name": "DBHead", "fix_nan": True}}


@pytest.fixture(scope="module")
def run(det_data, tmp_path_factory):
    """A run trained for two steps, pruned, quantized and converted."""
    folder = tmp_path_factory.mktemp("v3")
    sections = {
        "train": {"epochs": 1, "max_steps": 2},
        "slim": {
            "prune": {"mode": "flat", "ratio": 0.25, "multiple": 4, "finetune": SHORT},
            "quant": {"samples": 2, "train": SHORT},
        },
        "convert": {"precisions": ["int8"], "formats": ["nb"]},
    }
    save(tiny_recipe("det", det_data, model=MODEL, **sections), folder / "v3.yml")
    run = Run(folder / "run")
    run_train(load_recipe(folder / "v3.yml"), run, device="cpu", reporter=QUIET)
    recipe = load_recipe(run.recipe_path)
    run_slim(recipe, run, device="cpu", reporter=QUIET)
    run_convert(recipe, run)
    return run


@pytest.mark.slow
def test_squeezed_levels_lose_channels_and_compute_in_8_bits(run):
    plan = Plan.load(run.artifact("slim", "plan.json"))
    assert {f"neck.{level}_conv.{n}.in_conv.weight" for level in ("ins", "inp") for n in range(4)} <= set(plan.keep)
    assert "neck.ins_conv.0.se_block.conv1.weight" in plan.keep
    in_float = float_convolutions(read_nb(run.stage("convert") / "det.int8.nb"))
    assert all(op.inputs["Filter"][0].startswith("upsampling.ones") for op in in_float)


@pytest.mark.slow
def test_the_table_knows_the_price_of_every_operator(run):
    cost = cost_of(run.stage("convert") / "det.int8.nb", "cortex-a53", (1, 3, 96, 96), predicted=True)
    assert {"pool2d", "hard_sigmoid"} <= {operator["operator"] for operator in cost["operators"]}
    assert cost["instructions"] == sum(operator["instructions"] for operator in cost["operators"]) > 0
