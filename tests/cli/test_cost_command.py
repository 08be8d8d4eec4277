"""``ppedge cost`` on a file, by the table: no runtime is needed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ppedge.arm import lite
from ppedge.cli.cost import app
from ppedge.errors import PpedgeError

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
