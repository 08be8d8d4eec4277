import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ppedge.arm
from ppedge.cli.inspect import app
from ppedge.errors import PpedgeError

NB = Path(ppedge.arm.__file__).with_name("selftest.nb")


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def other(tmp_path):
    """The same network from another opt, with one more byte in the version."""
    path = tmp_path / "other.nb"
    path.write_bytes(NB.read_bytes().replace(b"v2.13-rc", b"v2.14-rc", 1))
    return path


def test_table():
    text = run(NB).output
    assert "opt v2.13-rc" in text
    assert "convolutions: 1 fp32; calib" in text
    assert "arm/fp32/def" in text
    assert "conv2d_0.w_0" not in text


def test_verbose_lists_operators_and_parameters():
    text = run(NB, "-v").output
    assert "operators, in order" in text
    assert "shape" in text


def test_json():
    value = json.loads(run(NB, "--json").output)
    assert value["bytes"] == NB.stat().st_size
    assert value["operators"]["by_type"]["conv2d"] == {"arm/fp32/def": 1}
    assert "list" not in value["operators"]
    value = json.loads(run(NB, "--json", "-v").output)
    assert len(value["operators"]["list"]) == value["operators"]["count"]
    assert len(value["parameters"]["list"]) == value["parameters"]["count"]


def test_two_files(other):
    text = run(NB, other).output
    assert "v2.13-rc" in text
    assert "v2.14-rc" in text
    assert "conv2d" not in text
    assert json.loads(run(NB, other, "--json").output)["difference"] == {"opt_version": ["v2.13-rc", "v2.14-rc"]}
    assert "No difference" in run(NB, NB).output


def test_a_damaged_file_is_an_error(tmp_path):
    path = tmp_path / "cut.nb"
    path.write_bytes(NB.read_bytes()[:-1])
    with pytest.raises(PpedgeError, match=r"cut\.nb: damaged"):
        run(path)


def test_needs_neither_numpy_nor_paddle():
    code = "import sys, ppedge.cli.inspect; print([m for m in ('numpy', 'paddle', 'cv2', 'onnx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
