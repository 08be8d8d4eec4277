"""``ppedge cost`` on a file, by the table: no runtime is needed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ppedge.arm import lite
from ppedge.cli.cost import app
from ppedge.errors import PpedgeError
from ppedge.files.nb import Kernel, read_nb

BROAD = {"COLUMNS": "200"}


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False, env=BROAD)


@pytest.fixture
def no_runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_json_sums_and_is_sorted():
    (small, large), (other, _) = (
        json.loads(run(lite.SELFTEST, "--predict", "--size", size, "--json").output) for size in ("32x64", "64x64")
    )
    assert (small["cpu"], large["cpu"]) == ("cortex-a53", "cortex-a76")
    assert small["source"] == "predicted" and small["input_shape"] == [1, 3, 32, 64]
    costs = [row["instructions"] for row in small["operators"]]
    assert sum(costs) == small["instructions"] and costs == sorted(costs, reverse=True)
    assert sum(row["share"] for row in small["operators"]) == pytest.approx(1)
    assert 1.5 < other["instructions"] / small["instructions"] < 2.5


def test_table_names_layer_operator_and_kernel():
    text = run(lite.SELFTEST, "--predict", "--cpu", "cortex-a53").output
    assert "predicted by the table of paddlelite" in text
    assert "conv2d_0.w_0" in text and "arm/fp32/def" in text and "1x3x320x320" in text
    assert "cortex-a76" not in text and "█" in text
    assert "and 2 more" in run(lite.SELFTEST, "--predict", "--limit", 1).output


def test_without_a_runtime_the_table_answers_and_says_so(no_runtime):
    text = run(lite.SELFTEST).output
    assert "is not registered (`ppedge arm setup --lite DIR`): the cost is predicted" in text


def test_instructions_per_ideal_by_operator_and_in_total():
    (report,) = json.loads(run(lite.SELFTEST, "--predict", "--cpu", "cortex-a53", "--size", "24x24", "--json").output)
    convolution = next(row for row in report["operators"] if row["operator"] == "conv2d")
    assert convolution["per_ideal"] == pytest.approx(convolution["instructions"] / convolution["ideal"], rel=1e-2)
    assert convolution["ideal"] == 4 * 4 * 64 * 3 * 3 / 4  # 3 to 3 channels by Winograd, 4 x 4 tiles of 6x6 pixels
    assert report["ideal"] == sum(row["ideal"] for row in report["operators"])
    assert report["per_ideal"] == pytest.approx(report["instructions"] / report["ideal"], rel=1e-3)
    assert (report["lower_bound"], report["warning"]) == (False, "")
    text = run(lite.SELFTEST, "--predict", "--cpu", "cortex-a53", "--size", "24x24").output
    assert f"{report['per_ideal']:.2f} per ideal" in text or f"{report['per_ideal']:.0f} per ideal" in text


def with_kernels(monkeypatch, change):
    """Let the file that is read have another operator than it has."""
    nb = read_nb(lite.SELFTEST)
    changed = [change(op) for op in nb.operators]
    monkeypatch.setattr("ppedge.cost.report.read_nb", lambda path: replace(nb, path=path, operators=changed))


def test_an_operator_that_the_table_does_not_know_is_named_and_the_rest_priced(monkeypatch):
    with_kernels(monkeypatch, lambda op: replace(op, type="yolo_box") if op.type == "reshape2" else op)
    (report,) = json.loads(run(lite.SELFTEST, "--predict", "--cpu", "cortex-a53", "--json").output)
    costs = [row["instructions"] for row in report["operators"]]
    assert costs[0] == report["instructions"] > 0 and costs[1:] == [None, None]
    assert report["lower_bound"] and report["per_ideal"] is None and report["operators"][1]["share"] is None
    text = run(lite.SELFTEST, "--predict", "--cpu", "cortex-a53").output
    assert "at least " in text
    assert "Not in the cost table: yolo_box, and 1 operator behind; what is predicted is a lower bound." in text


def half(op):
    return replace(op, kernel=Kernel("def", "arm", "fp16", "nchw")) if op.type == "conv2d" else op


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--predict",), "fp16, of which the cost table has no counts"),
        (("--cpu", "cortex-a53"), "fp16, which cortex-a53 cannot"),
    ],
)
def test_half_precision_is_refused_in_a_sentence(arguments, told, monkeypatch):
    with_kernels(monkeypatch, half)
    monkeypatch.setattr("ppedge.cost.report.runtime_there", lambda: True)
    with pytest.raises(PpedgeError, match=told):
        run(lite.SELFTEST, *arguments)


@pytest.mark.parametrize("size", ["320", "0x320", "320x5000", "ax3", "-1x5"])
def test_sizes_that_are_none(size):
    with pytest.raises(PpedgeError, match="not a height and a width"):
        run(lite.SELFTEST, "--predict", f"--size={size}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--predict", "--cpu", "cortex-a72"), "cortex-a72: the cost table has no such core"),
        (("--precision", "int8"), "a file has its own"),
    ],
)
def test_what_is_refused(arguments, told):
    with pytest.raises(PpedgeError, match=told):
        run(lite.SELFTEST, *arguments)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(PpedgeError, match=r"none\.nb: cannot be read"):
        run(tmp_path / "none.nb", "--predict")


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(PpedgeError, match="not a run"):
        run(Path(tmp_path), "--predict")
