"""Operators that compute value by value, and sums over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ppedge.program.from_onnx.model import Node
from ppedge.program.from_onnx.patterns import clip_limits, reduced_axes
from ppedge.program.from_onnx.writer import UnknownError, Writer
from ppedge.program.operator import Value

Translate = Callable[[Writer, Node], None]


def _unary(kind: str, attributes: Callable[[Node], Mapping[str, Value]] = lambda node: {}) -> Translate:
    def translate(w: Writer, node: Node) -> None:
        w.put(kind, {"X": [w.read(node.inputs[0])]}, {"Out": [w.variable(node.outputs[0])]}, attributes(node))

    return translate


def _hard_swish(node: Node) -> Mapping[str, Value]:
    return {"threshold": 6.0, "scale": 6.0, "offset": 3.0}


def _gelu(node: Node) -> Mapping[str, Value]:
    return {"approximate": node.attributes.get("approximate", "none") == "tanh"}


def _hard_sigmoid(node: Node) -> Mapping[str, Value]:
    return {"slope": node.attributes.get("alpha", 0.2), "offset": node.attributes.get("beta", 0.5)}


def _clip(w: Writer, node: Node) -> None:
    low, high = clip_limits(w.model, node)
    limits = np.finfo(np.float32)
    if (low, high) == (0.0, 6.0):
        _unary("relu6", lambda node: {"threshold": 6.0})(w, node)
        return
    between: dict[str, Value] = {
        "min": float(limits.min) if low is None else low,
        "max": float(limits.max) if high is None else high,
    }
    _unary("clip", lambda node: between)(w, node)


def _softmax(w: Writer, node: Node) -> None:
    rank = len(w.shape(node.inputs[0]))
    axis = node.attributes.get("axis", -1 if w.model.opset >= 13 else 1) % rank
    if w.model.opset < 13 and axis != rank - 1:
        raise UnknownError(f"over all axes from {axis} on; over the last one it is brought in")
    _unary("softmax", lambda node: {"axis": axis})(w, node)


def _binary(kind: str, *, commutes: bool = False) -> Translate:
    """Translate an operator of two values that NumPy's rules make one shape of.

    Paddle's takes the one that has the shape of the result first.
    """

    def translate(w: Writer, node: Node) -> None:
        first, second = node.inputs
        if commutes and _smaller(w, first, second, node.outputs[0]):
            first, second = second, first
        shape, made = w.shape(first), w.shape(node.outputs[0])
        if len(shape) != len(made):
            raise UnknownError(f"of {list(shape)} and {list(w.shape(second))}, the first with fewer axes")
        other, axis = _aligned(w, second, len(shape))
        out = w.variable(node.outputs[0])
        w.put(kind, {"X": [w.read(first)], "Y": [other]}, {"Out": [out]}, {"axis": axis})

    return translate


def _smaller(w: Writer, first: str, second: str, made: str) -> bool:
    """Whether the first of two values is a constant, or has not the shape of the result, and the second has."""
    constants = [w.model.constant(name) is not None for name in (first, second)]
    if constants[0] != constants[1]:
        return constants[0]
    return w.shape(second) == w.shape(made) != w.shape(first)


def _aligned(w: Writer, name: str, rank: int) -> tuple[str, int]:
    """Return a second value, and the axis of the first at which its axes begin; -1: at the end.

    One constant a channel of a map has one axis: the form that converters join with a convolution.
    """
    array = w.model.constant(name)
    if array is None:
        return w.read(name), -1
    if array.size == 1 and array.ndim <= rank:
        return w.weight(name, array.reshape(1)), -1
    whole = array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim < rank else array
    long = [axis for axis, side in enumerate(whole.shape) if side > 1]
    if len(long) == 1 and (rank, long[0]) == (4, 1):
        return w.weight(name, whole.reshape(-1)), 1
    first = long[0] if long else 0
    return w.weight(name, whole.reshape(whole.shape[first:])), -1


def _divide(w: Writer, node: Node) -> None:
    """A division by a constant is a product, which is cheaper on ARM; the difference is one rounding."""
    _inverted(w, node, "Div", "Mul", lambda array: 1 / array)


def _subtract(w: Writer, node: Node) -> None:
    _inverted(w, node, "Sub", "Add", lambda array: -array)


def _inverted(w: Writer, node: Node, kind: str, opposite: str, invert: Callable[[np.ndarray], np.ndarray]) -> None:
    array = w.model.constant(node.inputs[1])
    if array is None or array.dtype != np.float32 or not np.isfinite(invert(array.astype(np.float64))).all():
        _binary({"Div": "elementwise_div", "Sub": "elementwise_sub"}[kind])(w, node)
        return
    name = f"{node.inputs[1]}.{opposite.lower()}"
    w.model.constants[name] = invert(array.astype(np.float64)).astype(np.float32)
    ARITHMETIC[opposite](w, Node(opposite, (node.inputs[0], name), node.outputs, {}, node.name))


def _power(w: Writer, node: Node) -> None:
    exponent = w.constant(node.inputs[1])
    if exponent.size != 1:
        raise UnknownError("with more than one exponent")
    if exponent.reshape(()) == 2:
        ARITHMETIC["Mul"](w, Node("Mul", (node.inputs[0], node.inputs[0]), node.outputs, {}, node.name))
        return
    _unary("pow", lambda node: {"factor": float(exponent.reshape(()))})(w, node)


def _reduce(kind: str) -> Translate:
    def translate(w: Writer, node: Node) -> None:
        axes, keep = reduced_axes(w.model, node), bool(node.attributes.get("keepdims", 1))
        rank = len(w.shape(node.inputs[0]))
        if kind == "reduce_mean" and (rank, axes, keep) == (4, [2, 3], True):
            global_pool(w, node, "avg")
            return
        attributes: dict[str, Value] = {"dim": axes, "keep_dim": keep, "reduce_all": len(axes) == rank}
        _unary(kind, lambda node: attributes)(w, node)

    return translate


def global_pool(w: Writer, node: Node, kind: str) -> None:
    """Pool a whole map into one value a channel; ``kind`` is ``avg`` or ``max``."""
    attributes: dict[str, Value] = {
        "adaptive": True, "ceil_mode": False, "data_format": "NCHW", "exclusive": True, "global_pooling": False,
        "ksize": [1, 1], "padding_algorithm": "EXPLICIT", "paddings": [0, 0], "pooling_type": kind, "strides": [1, 1],
    }  # fmt: skip
    _unary("pool2d", lambda node: attributes)(w, node)


def _sum(w: Writer, node: Node) -> None:
    if len(node.inputs) != 2:
        raise UnknownError(f"of {len(node.inputs)} values; of two it is brought in")
    ARITHMETIC["Add"](w, node)


def _sequence(kinds: Sequence[str]) -> Mapping[str, Translate]:
    return {kind: _unary(kind.lower()) for kind in kinds}


ARITHMETIC: dict[str, Translate] = {
    **_sequence(["Relu", "Sigmoid", "Tanh", "Sqrt", "Exp", "Log", "Abs", "Erf", "Floor"]),
    "Add": _binary("elementwise_add", commutes=True),
    "Mul": _binary("elementwise_mul", commutes=True),
    "Max": _binary("elementwise_max", commutes=True),
    "Min": _binary("elementwise_min", commutes=True),
    "Div": _divide,
    "Sub": _subtract,
    "Sum": _sum,
    "Pow": _power,
    "Clip": _clip,
    "Neg": _unary("scale", lambda node: {"scale": -1.0, "bias": 0.0, "bias_after_scale": True}),
    "LeakyRelu": _unary("leaky_relu", lambda node: {"alpha": node.attributes.get("alpha", 0.01)}),
    "HardSigmoid": _unary("hard_sigmoid", _hard_sigmoid),
    "HardSwish": _unary("hard_swish", _hard_swish),
    "Gelu": _unary("gelu", _gelu),
    "Softmax": _softmax,
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceSum": _reduce("reduce_sum"),
    "ReduceMax": _reduce("reduce_max"),
}
"""By the name that ONNX has for an operator: what writes it."""
