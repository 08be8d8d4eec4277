"""What opt writes and no phone runs: the table of the runtime's kernels, and the refusal that rests on it."""

from pathlib import Path

import pytest

from ppedge.arm import lite
from ppedge.convert.lite import to_nb
from ppedge.convert.stage import run_convert
from ppedge.errors import MissingError, PpedgeError
from ppedge.files import arm_kernels
from ppedge.files.inference_model import InferenceModel
from ppedge.files.nb import Kernel, Operator
from ppedge.progress import Reporter
from ppedge.recipe.road import Convert
from ppedge.runs import Run
from ppedge.train.stage import run_train
from small import make_data, tiny_recipe


def operator(kind, precision="fp32", target="arm", layout="nchw"):
    return Operator(kind, {}, {}, {}, Kernel("def", target, precision, layout))


@pytest.mark.parametrize(
    ("op", "known"),
    [
        (operator("conv2d"), True),
        (operator("conv2d", "int8"), True),
        (operator("conv2d", "fp16"), True),  # of a build with fp16, of which the table knows nothing
        (operator("conv2d", "int64"), False),
        (operator("conv2d", target="x86"), False),
        (operator("swish"), True),
        (operator("silu", "any", "host"), False),
        (operator("feed", "any", "host", "any"), True),
        (operator("calib", "fp16"), True),
        (operator("silu", "fp16"), False),
        (Operator("conv2d", {}, {}, {}, None), True),
        (Operator("silu", {}, {}, {}, None), False),
    ],
)
def test_what_the_table_says(op, known):
    assert arm_kernels.registered(op) is known


def test_the_table_is_the_runtimes_own(monkeypatch):
    try:
        runtime = lite.registered()
    except MissingError as error:
        pytest.skip(str(error))
    if runtime.sha256 != arm_kernels.about()["sha256"]:
        pytest.skip(f"another runtime is registered: {runtime.version}")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import lite_kernels

    assert lite_kernels.ask_runtime() == {**arm_kernels.about(), "kernels": arm_kernels._table()["kernels"]}


@pytest.fixture
def with_silu(models, tmp_path):
    """The detector with silu in the place of its one relu: opt knows the operator, the runtime does not."""
    source, target = InferenceModel.at(models / "det-float"), InferenceModel.at(tmp_path / "silu")
    target.model.write_bytes(source.model.read_bytes().replace(b"relu", b"silu"))
    target.params.write_bytes(source.params.read_bytes())
    return tmp_path / "silu"


def test_an_operator_without_a_kernel_is_refused_by_name_and_layer(with_silu, tmp_path):
    out = tmp_path / "m.nb"
    with pytest.raises(PpedgeError) as error:
        to_nb(with_silu, out, "fp32", layers={"batch_norm2d_3.w_0": "norm"})
    assert error.value.message == f"{out}: Paddle Lite's ARM runtime has no kernel for silu (fp32, after norm)."
    assert "x * sigmoid(x)" in error.value.hint
    assert not out.exists()
    with pytest.raises(PpedgeError, match=r"silu \(fp32, after batch_norm2d_3\.w_0\)"):
        to_nb(with_silu, out, "fp16")


def test_a_run_names_its_own_layers(tmp_path, monkeypatch):
    pytest.importorskip("paddle", reason="exporting needs Paddle")
    recipe = tiny_recipe("cls", make_data("cls", tmp_path), train={"epochs": 0})
    run = Run(tmp_path / "run")
    run_train(recipe, run, device="cpu", reporter=Reporter(quiet=True))
    recipe = recipe.model_copy(update={"convert": Convert(formats=["nb"], precisions=["fp32"])})
    monkeypatch.setattr(arm_kernels, "registered", lambda op: op.type != "softmax")
    with pytest.raises(PpedgeError, match=r"cls\.fp32\.nb: .* no kernel for softmax \(fp32, after head\.fc\)\."):
        run_convert(recipe, run)
    assert not run.done("convert")
