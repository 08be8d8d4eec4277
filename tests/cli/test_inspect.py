import json
import subprocess
import sys
from pathlib import Path

import numpy as np
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


@pytest.fixture
def onnx_file(tmp_path):
    """One convolution whose input and weight are int8, and one in float."""
    onnx = pytest.importorskip("onnx", reason="reading ONNX needs the package onnx")
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 4, 4])
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w8", "s", "z"], ["w"]),
        node("Conv", ["d", "w"], ["a"]),
        node("Conv", ["a", "f"], ["y"]),
    ]
    tensors = [
        tensor(np.float32(0.5), "s"), tensor(np.int8(0), "z"),
        tensor(np.ones((1, 1, 1, 1), np.int8), "w8"), tensor(np.ones((1, 1, 1, 1), np.float32), "f"),
    ]  # fmt: skip
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 1, 4, 4])
    graph = onnx.helper.make_graph(nodes, "g", [value], [out], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], producer_name="me")
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_onnx_layers_by_precision(onnx_file):
    value = json.loads(run(onnx_file, "--json").output)
    assert value["layers"] == {"fp32": 1, "int8": 1}
    assert value["operators"]["DequantizeLinear"] == 2
    assert value["parameters"] == {"float": {"count": 2, "bytes": 8}, "int8": {"count": 2, "bytes": 2}}
    assert (value["opset"], value["producer"]) == (14, "me")
    assert "convolutions and matrix products: 1 fp32, 1 int8" in run(onnx_file).output


def test_onnx_that_is_none_and_what_is_for_nb_only(onnx_file, tmp_path):
    with pytest.raises(PpedgeError, match=r"m\.onnx: comparing and --verbose are for \.nb files"):
        run(onnx_file, "--verbose")
    (tmp_path / "bad.onnx").write_bytes(onnx_file.read_bytes()[:-9])
    for name, message in (("bad.onnx", "damaged or not an ONNX file"), ("none.onnx", "cannot be read")):
        with pytest.raises(PpedgeError, match=rf"{name}: {message}"):
            run(tmp_path / name)
