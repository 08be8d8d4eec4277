"""ONNX models that are brought in, up to the program that is made of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fuzz.contract import Files, Target, WrongResultError
from fuzz.mutations import NAMES, damaged
from ppedge.files.inference_model import InferenceModel
from ppedge.program.from_onnx.convert import OPERATORS, translate

_MODEL = "m.onnx"
_TEXT = st.sampled_from([name for name in NAMES if "\0" not in name])
_SIDES = [0, 1, 2, 3, 5, -1, 7, 1 << 16]
_ATTRIBUTES = ["pads", "strides", "dilations", "group", "axis", "axes", "perm", "keepdims", "auto_pad", "mode", "alpha"]


@cache
def _network() -> onnx.ModelProto:
    """Return a small detector of what the reader has ways of its own for: sizes, patterns, constants of any kind."""
    random = np.random.default_rng(0)
    arrays = {
        "w": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "b": np.float32([0.1, 0.2, 0.3, 0.4]),
        "up": np.float32([1, 1, 2, 2]),
        "none": np.float32([]),
        "root": np.float32(2**0.5),
        "one": np.float32(1),
        "half": np.float32(0.5),
        "from": np.array([1]),
        "to": np.array([2]),
        "axis": np.array([1]),
    }
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        make("Div", ["c", "root"], ["d"]),
        make("Erf", ["d"], ["e"]),
        make("Add", ["e", "one"], ["a"]),
        make("Mul", ["c", "a"], ["m"]),
        make("Mul", ["m", "half"], ["g"]),
        make("MaxPool", ["g"], ["p"], kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        make("Concat", ["g", "p"], ["k"], axis=1),
        make("Resize", ["k", "none", "up"], ["r"], mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        make("Shape", ["r"], ["s"]),
        make("Reshape", ["r", "s"], ["q"]),
        make("Slice", ["q", "from", "to", "axis"], ["l"]),
        make("Sigmoid", ["l"], ["y"]),
    ]  # fmt: skip
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "h", "w"])
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "small", [given], [made], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _operator(draw: st.DrawFn, model: Any) -> None:
    """Let a node be another operator, or read another value."""
    nodes = list(model.graph.node)
    node = draw(st.sampled_from(nodes))
    if draw(st.booleans()):
        node.op_type = draw(st.sampled_from([*sorted(OPERATORS), "Identity", "Cast", "Tile"]) | _TEXT)
    else:
        names = [name for one in nodes for name in one.output] + [one.name for one in model.graph.initializer]
        node.input[draw(st.integers(0, len(node.input) - 1))] = draw(st.sampled_from(["", "x", *names]))


def _attribute(draw: st.DrawFn, model: Any) -> None:
    """Give a node an attribute, or another value of one that it has."""
    node = draw(st.sampled_from(list(model.graph.node)))
    name = draw(st.sampled_from(_ATTRIBUTES))
    value = draw(st.sampled_from(_SIDES) | st.lists(st.sampled_from(_SIDES), min_size=1, max_size=4) | st.just(0.5)
                 | st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID", "linear", "\x1b"]))  # fmt: skip
    kept = [one for one in node.attribute if one.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _constant(draw: st.DrawFn, model: Any) -> None:
    """Let a constant have other values, sides or another type."""
    tensor = draw(st.sampled_from(list(model.graph.initializer)))
    small = [1, 2, 3, -1, 0, 5]
    kind = draw(st.sampled_from([np.float32, np.int64, np.int32, np.float16, np.bool_]))
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 4]), max_size=4))
    count = int(np.prod(shape, dtype=int))
    values = draw(st.lists(st.sampled_from(small), min_size=count, max_size=count))
    tensor.CopyFrom(numpy_helper.from_array(np.array(values).astype(kind).reshape(shape), tensor.name))


def _doors(draw: st.DrawFn, model: Any) -> None:
    """Let the input, the output, the version or the metadata be others."""
    place = draw(st.sampled_from(["input", "output", "opset", "metadata", "twice"]))
    if place == "opset":
        model.opset_import[0].version = draw(st.sampled_from([0, -1, 7, 9, 11, 14, 18, 1 << 40]))
    elif place == "metadata":
        helper.set_model_props(model, {"character": draw(_TEXT)})
    elif place == "twice":
        model.graph.output.extend(list(model.graph.output))
    else:
        sides = getattr(model.graph, place)[0].type.tensor_type.shape
        del sides.dim[:]
        for side in draw(st.lists(st.sampled_from([0, 1, 3, 8, 48, -1, "n"]), max_size=5)):
            sides.dim.add(**({"dim_param": side} if isinstance(side, str) else {"dim_value": side}))


_CHANGES: list[Callable[[st.DrawFn, Any], None]] = [_operator, _operator, _attribute, _attribute, _constant, _doors]


@st.composite
def _models(draw: st.DrawFn) -> Files:
    model = onnx.ModelProto()
    model.CopyFrom(_network())
    if draw(st.integers(0, 3)) == 0:
        return {_MODEL: draw(damaged([model.SerializeToString()]))}
    for change in draw(st.lists(st.sampled_from(_CHANGES), min_size=1, max_size=3)):
        change(draw, model)
    return {_MODEL: model.SerializeToString()}


def _translate(folder: Path) -> None:
    """Make a program of a model; one that is accepted is written whole, and gives what onnxruntime gives in shape."""
    made = translate(folder / _MODEL).program
    files = InferenceModel.at(folder / "out")
    made.write(files)
    files.check()
    signature = files.signature()
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(str(folder / _MODEL), options)
    wanted = [side if side > 0 else size for side, size in zip(signature.inputs[0], (1, 3, 64, 96), strict=True)]
    (found,) = session.run(None, {session.get_inputs()[0].name: np.zeros(wanted, np.float32)})
    noted = signature.outputs[0]
    if len(noted) != found.ndim or any(a not in (-1, b) for a, b in zip(noted, found.shape, strict=True)):
        raise WrongResultError(f"the program gives {noted}, onnxruntime {found.shape}")


TARGETS = [Target("program", lambda: {_MODEL: _network().SerializeToString()}, _models, _translate)]
