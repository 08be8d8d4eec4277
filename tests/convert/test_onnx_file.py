"""ONNX files of any form, and of any damage."""

import os
import random

import numpy as np
import pytest

from ppedge.convert.onnx_file import _summary, summary
from ppedge.errors import PpedgeError

onnx = pytest.importorskip("onnx", reason="reading ONNX needs the package onnx")
helper, TensorProto = onnx.helper, onnx.TensorProto

SPARSE = helper.make_sparse_tensor(
    helper.make_tensor("v", TensorProto.FLOAT, [2], [1.0, 2.0]),
    helper.make_tensor("i", TensorProto.INT64, [2], [0, 3]),
    [5],
)
# What a Constant may hold, and the bytes of it by type.
FORMS = [
    ({"value": helper.make_tensor("v", TensorProto.FLOAT, [2], [1.0, 2.0])}, {"float": 8}),
    ({"value": helper.make_tensor("v", TensorProto.FLOAT16, [3], np.zeros(6, np.uint8).tobytes(), raw=True)},
     {"float16": 6}),
    ({"value": helper.make_tensor("v", TensorProto.STRING, [2], [b"a", b"bc"])}, {"string": 3}),
    ({"value_float": 1.0}, {"float": 4}),
    ({"value_floats": [1.0, 2.0]}, {"float": 8}),
    ({"value_int": 1}, {"int64": 8}),
    ({"value_ints": [1, 2, 3]}, {"int64": 24}),
    ({"value_string": "abc"}, {"string": 3}),
    ({"value_strings": ["a", "bc"]}, {"string": 3}),
    ({"sparse_value": SPARSE}, {"float": 8, "int64": 16}),
]  # fmt: skip


def save(path, nodes, weights=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        list(weights),
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def relu():
    return helper.make_node("Relu", ["x"], ["y"])


def test_constants_of_every_form(tmp_path):
    for form, expected in FORMS:
        path = save(tmp_path / "m.onnx", [helper.make_node("Constant", [], ["c"], **form), relu()])
        found = _summary(path)["parameters"]
        assert {kind: one["bytes"] for kind, one in found.items()} == expected, form


def test_it_is_told_from_a_child_process(tmp_path):
    path = save(tmp_path / "m.onnx", [helper.make_node("Constant", [], ["c"], value_float=1.0), relu()])
    assert summary(path) == _summary(path)
    assert summary(path)["operators"] == {"Constant": 1, "Relu": 1}


def tensor(kind, dims, data):
    found = TensorProto(name="w", data_type=kind, dims=dims)
    found.raw_data = data
    return found


@pytest.mark.parametrize(
    "weight",
    [
        tensor(TensorProto.FLOAT, [2**31, 2], b"\0" * 8),
        tensor(TensorProto.FLOAT, [3], b"\0" * 8),
        tensor(TensorProto.FLOAT, [-1], b""),
        tensor(TensorProto.FLOAT, [1], b"\0" * 3),
        tensor(99, [1], b"\0" * 4),
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], float_data=[1.0]),
        TensorProto(name="w", data_type=TensorProto.STRING, dims=[2], string_data=[b"a"]),
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL,
                    external_data=[onnx.StringStringEntryProto(key="location", value="/etc/passwd")]),
    ],
)  # fmt: skip
def test_data_that_do_not_fit(tmp_path, weight):
    assert _summary(save(tmp_path / "m.onnx", [relu()], [weight])) is None


def test_one_sentence_whatever_the_library_prints(tmp_path, capfd):
    path = save(tmp_path / "m.onnx", [relu()])
    path.write_bytes(path.read_bytes().replace(b"Relu", b"\xff\xfe\xfdu"))
    with pytest.raises(PpedgeError, match=r"m\.onnx: damaged or not an ONNX file\.") as error:
        summary(path)
    assert error.value.exit_code == 2
    assert capfd.readouterr() == ("", "")


def test_a_child_that_dies_is_a_sentence(tmp_path, monkeypatch):
    path = save(tmp_path / "m.onnx", [relu()])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (tmp_path / "onnx.py").write_text("import os\nos.abort()\n")
    with pytest.raises(PpedgeError, match=r"Reading .*m\.onnx died of SIGABRT") as error:
        summary(path)
    assert error.value.exit_code == 2


def test_any_damage_is_none_or_a_summary(tmp_path):
    path = tmp_path / "m.onnx"
    nodes = [helper.make_node("Constant", [], [f"c{n}"], **form) for n, (form, _) in enumerate(FORMS)]
    whole = save(path, [*nodes, relu()], [tensor(TensorProto.FLOAT, [2], bytes(8))]).read_bytes()
    rng = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.choice([0, 1, 8, 127, 128, 255, rng.randrange(256)])
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        found = _summary(path)
        assert found is None or found["bytes"] == path.stat().st_size
