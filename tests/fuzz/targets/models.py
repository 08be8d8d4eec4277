"""Model files: Paddle Lite's ``.nb`` and ONNX, through ``ppedge inspect``."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, helper, numpy_helper

import ppedge.arm
from fuzz.contract import Files, Target, command
from fuzz.mutations import NAMES, damaged, renamed
from ppedge.convert import onnx_file
from ppedge.errors import PpedgeError
from ppedge.storage import write_json

_NB = Path(ppedge.arm.__file__).with_name("selftest.nb")
_NAMES = [
    b"conv2d", b"feed", b"fetch", b"Filter", b"arm", b"def", b"relu", b"v2.13-rc", b"strides",
    b"__@kernel_type_attr@__", b"paddings", b"dilations", b"groups", b"shape", b"axis", b"reshape2", b"Output",
    b"Input", b"conv2d_0.w_0",
]  # fmt: skip
_OPERATORS = ["conv2d", "reshape2", "fusion_elementwise_add_activation", "fetch"]
_OTHERS = ["slice", "split", "concat", "pool2d", "squeeze2", "fc", "rnn", "matmul_v2", "transpose2", "nearest_interp",
           "conv2d_transpose", "depthwise_conv2d", "pixel_shuffle", "fill_constant", "calib", "shape"]  # fmt: skip


@st.composite
def _other_operator(draw: st.DrawFn, original: bytes) -> bytes:
    """Draw the file with the type of an operator changed: its attributes are those of another one."""
    name = draw(st.sampled_from(_OPERATORS))
    other = draw(st.sampled_from([other for other in [*_OPERATORS, *_OTHERS] if len(other) <= len(name)]))
    length = struct.pack("<I", len(name))
    return original.replace(
        length + name.encode() + b"\0", struct.pack("<I", len(other)) + other.encode().ljust(len(name), b"\0") + b"\0"
    )


@st.composite
def _other_number(draw: st.DrawFn, original: bytes) -> bytes:
    """Draw the file with some of the small numbers in it, among them sizes and strides, made others."""
    places = [at for at in range(26, len(original) - 4, 2) if 0 < struct.unpack_from("<I", original, at)[0] < 17]
    data = bytearray(original)
    for at in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        struct.pack_into(
            "<I", data, at, draw(st.sampled_from([0, 1, 2, 5, 100, 1 << 20, (1 << 31) - 1, (1 << 32) - 1]))
        )
    return bytes(data)


def _whole_nb() -> Files:
    return dict.fromkeys(("m.nb", "whole.nb"), _NB.read_bytes())


def _nb() -> st.SearchStrategy[Files]:
    original = _NB.read_bytes()
    content = st.one_of(
        damaged([original]),
        renamed([original], _NAMES),
        _other_operator(original),
        _other_number(original),
        _other_operator(original).flatmap(_other_number),
    )
    return content.map(lambda data: {**_whole_nb(), "m.nb": data})


def _inspect_nb(_: Path) -> None:
    command("inspect", "m.nb", "--verbose")
    command("inspect", "m.nb", "--json", "--verbose")
    command("inspect", "whole.nb", "m.nb")


def _price_nb(_: Path) -> None:
    command("cost", "m.nb", "--predict", "--size", "8x8", "--cpu", "cortex-a53")
    command("cost", "m.nb", "--predict", "--size", "8x8", "--cpu", "cortex-a53", "--json")


@cache
def _network() -> onnx.ModelProto:
    """Return a small network with each kind of weights: an initializer, a Constant, and a quantized one."""
    kernel = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.int8), "kernel")
    scale = numpy_helper.from_array(np.float32([0.5, 0.5]), "scale")
    nodes = [
        helper.make_node("DequantizeLinear", ["kernel", "scale"], ["w"], axis=0),
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.float32([2]))),
        helper.make_node("Mul", ["c", "k"], ["y"]),
    ]
    sides = [1, 3, "h", "w"]
    given, gives = (helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in ("x", "y"))
    graph = helper.make_graph(nodes, "small", [given], [gives], [kernel, scale])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="test")


def _constant(draw: st.DrawFn, model: Any) -> None:
    """Give a Constant its value in another way."""
    attribute = model.graph.node[2].attribute[0]
    odd: list[dict[str, Any]] = [
        {"value_float": 1.0}, {"value_int": 3}, {"value_floats": [1.0, 2.0]}, {"value_ints": [1]},
        {"value_string": "\x1b"}, {"value_strings": ["a", "[/b]"]},
    ]  # fmt: skip
    [(name, value)] = draw(st.sampled_from(odd)).items()
    attribute.CopyFrom(helper.make_attribute(name, value))


def _tensor(draw: st.DrawFn, model: Any) -> None:
    """Let a tensor's shape, type or data be others."""
    tensor = draw(st.sampled_from([*model.graph.initializer, model.graph.node[2].attribute[0].t]))
    kind = draw(st.sampled_from(["dims", "type", "data", "external", "float_data", "name"]))
    if kind == "dims":
        del tensor.dims[:]
        tensor.dims.extend(draw(st.lists(st.sampled_from([0, 1, 2, -1, 1 << 20, 1 << 40, (1 << 63) - 1]), max_size=4)))
    elif kind == "type":
        tensor.data_type = draw(st.integers(0, 30) | st.sampled_from([-1, 1000, (1 << 31) - 1]))
    elif kind == "data":
        tensor.raw_data = draw(st.binary(max_size=32))
    elif kind == "external":
        tensor.data_location = TensorProto.EXTERNAL
        key = tensor.external_data.add()
        key.key, key.value = "location", draw(st.sampled_from(["m.bin", "../m.bin", "/etc/hostname", "m.onnx", ""]))
    elif kind == "float_data":
        tensor.float_data.extend([1.0] * draw(st.integers(1, 9)))
    else:
        tensor.name = draw(_TEXT)


_TEXT = st.sampled_from([name for name in NAMES if "\0" not in name])


def _words(draw: st.DrawFn, model: Any) -> None:
    """Put odd words where names stand."""
    node = draw(st.sampled_from(list(model.graph.node)))
    place = draw(st.sampled_from(["op", "domain", "producer", "input", "opset", "attribute"]))
    if place == "op":
        node.op_type = draw(_TEXT)
    elif place == "domain":
        node.domain = draw(_TEXT)
    elif place == "producer":
        model.producer_name, model.producer_version = draw(_TEXT), draw(_TEXT)
    elif place == "input":
        node.input.append(draw(_TEXT))
    elif place == "opset":
        model.opset_import[0].version = draw(st.sampled_from([0, -1, 1, 7, 1 << 40]))
    else:
        node.attribute.add(name=draw(_TEXT), type=draw(st.sampled_from(list(AttributeProto.AttributeType.values()))))


def _structure(draw: st.DrawFn, model: Any) -> None:
    """Take something away, put it twice, or put graphs into graphs."""
    kind = draw(st.sampled_from(["no graph", "no nodes", "twice", "deep", "no inputs"]))
    if kind == "no graph":
        model.ClearField("graph")
    elif kind == "no nodes":
        del model.graph.node[:]
    elif kind == "twice":
        model.graph.node.extend(list(model.graph.node))
    elif kind == "no inputs":
        del model.graph.input[:]
    else:
        inner = model.graph
        for _ in range(draw(st.integers(1, 60))):
            node = inner.node.add(op_type="If")
            attribute = node.attribute.add(name="then_branch", type=AttributeProto.GRAPH)
            inner = attribute.g


_CHANGES: list[Callable[[st.DrawFn, Any], None]] = [_constant, _tensor, _tensor, _words, _structure]


@st.composite
def _onnx(draw: st.DrawFn) -> Files:
    model = onnx.ModelProto()
    model.CopyFrom(_network())
    if draw(st.booleans()):
        return {"m.onnx": draw(damaged([model.SerializeToString()]))}
    for change in draw(st.lists(st.sampled_from(_CHANGES), min_size=1, max_size=3)):
        if model.HasField("graph") and len(model.graph.node) > 3 and model.graph.node[2].attribute:
            change(draw, model)
    return {"m.onnx": model.SerializeToString()}


def _in_this_process(_: str, arguments: Sequence[Path], what: str, **__: object) -> None:
    """Read as the child process does, which would take a second an input; what it raises ends the child."""
    path, out = arguments
    try:
        write_json(out, onnx_file._summary(path))
    except Exception as error:
        raise PpedgeError(f"{what}: {type(error).__name__}") from error


def _inspect_onnx(_: Path) -> None:
    with mock.patch.object(onnx_file, "run_module", _in_this_process):
        command("inspect", "m.onnx")
        command("inspect", "m.onnx", "--json")


TARGETS = [
    Target("nb", _whole_nb, _nb, _inspect_nb, told=("m.nb",)),
    Target("cost", _whole_nb, _nb, _price_nb, told=("m.nb",)),
    Target("onnx", lambda: {"m.onnx": _network().SerializeToString()}, _onnx, _inspect_onnx),
]
