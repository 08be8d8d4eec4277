"""Operators without weights: what computes each of them, by what a program says of it.

Sources: the operators' attributes as Paddle 2's documentation and error messages tell them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import paddle
import paddle.nn.functional as F

from ppedge.models.hardswish import hardswish
from ppedge.program.operator import Operator
from ppedge.program.program import Program

Function = Callable[..., Any]
_DTYPES = {0: "bool", 2: "int32", 3: "int64", 5: "float32", 6: "float64"}  # of Paddle's VarType.Type
_TO_THE_END = 1 << 30  # an end of a slice that is no number of the exporter's own


class UnknownFormError(Exception):
    """An operator of a known type that is used in a way which is not known here; the text says which."""


def _unary(compute: Callable[[paddle.Tensor], paddle.Tensor]) -> Callable[[Operator, Program], Function]:
    return lambda op, program: compute


def _hard_swish(op: Operator, program: Program) -> Function:
    if (op.get("threshold", 6.0), op.get("scale", 6.0), op.get("offset", 3.0)) != (6.0, 6.0, 3.0):
        raise UnknownFormError("of other numbers than 6, 6 and 3")
    return hardswish


def _hard_sigmoid(op: Operator, program: Program) -> Function:
    # The float32 of the file, as the shortest number that is the same: 0.2, not 0.20000000298.
    slope, offset = (float(f"{op.get(name, default):.7g}") for name, default in (("slope", 0.2), ("offset", 0.5)))
    return lambda x: F.hardsigmoid(x, slope, offset)


def _swish(op: Operator, program: Program) -> Function:
    """``x sigmoid(x)``: of the operator itself Paddle Lite's opt wants an attribute that Paddle no longer writes."""
    if op.get("beta", 1.0) != 1.0:
        raise UnknownFormError("of another beta than 1")
    return lambda x: x * F.sigmoid(x)


def _gelu(op: Operator, program: Program) -> Function:
    approximate = bool(op.get("approximate", False))
    return lambda x: F.gelu(x, approximate)


def _leaky_relu(op: Operator, program: Program) -> Function:
    slope = float(op.get("alpha", 0.02))
    return lambda x: F.leaky_relu(x, slope)


def _softmax(op: Operator, program: Program) -> Function:
    axis = int(op.get("axis", -1))
    return lambda x: F.softmax(x, axis)


def _scale(op: Operator, program: Program) -> Function:
    _only(op, "X")
    scale, bias, after = op.get("scale", 1.0), op.get("bias", 0.0), bool(op.get("bias_after_scale", True))
    if (scale, bias) == (1.0, 0.0):
        return _identity
    return lambda x: paddle.scale(x, scale, bias, after)


def _dropout(op: Operator, program: Program) -> Function:
    """As in inference: nothing is dropped."""
    if op.get("dropout_implementation", "downgrade_in_infer") == "upscale_in_train":
        return _identity
    kept = 1.0 - op.get("dropout_prob", 0.5)
    return lambda x: paddle.scale(x, kept)


def _identity(x: paddle.Tensor) -> paddle.Tensor:
    return x


def _clip(op: Operator, program: Program) -> Function:
    _only(op, "X")
    low, high = op.get("min"), op.get("max")
    return lambda x: paddle.clip(x, low, high)


def _cast(op: Operator, program: Program) -> Function:
    kind = _dtype(op.get("out_dtype"))
    return lambda x: paddle.cast(x, kind)


def _fill_constant(op: Operator, program: Program) -> Function:
    _only(op)
    shape, value, kind = op.get("shape"), op.get("value", 0.0), _dtype(op.get("dtype"))
    return lambda: paddle.full(shape, value, kind)


def _pool2d(op: Operator, program: Program) -> Function:
    _only(op, "X")
    average, size = op.get("pooling_type") == "avg", op.get("ksize")
    if op.get("global_pooling") or (op.get("adaptive") and size == [1, 1]):
        if average:
            return lambda x: F.adaptive_avg_pool2d(x, 1)
        return lambda x: F.adaptive_max_pool2d(x, 1)
    if op.get("adaptive"):
        raise UnknownFormError(f"that makes {size} of any size")
    stride, padding, ceil = op.get("strides"), padding_of(op), bool(op.get("ceil_mode", False))
    if average:
        exclusive = bool(op.get("exclusive", True))
        return lambda x: F.avg_pool2d(x, size, stride, padding, ceil, exclusive)
    return lambda x: F.max_pool2d(x, size, stride, padding, ceil_mode=ceil)


def _interpolate(op: Operator, program: Program) -> Function:
    _only(op, "X")
    mode, corners = op.get("interp_method"), bool(op.get("align_corners", False))
    align = int(op.get("align_mode", 1))
    factor, size = op.get("scale") or None, [op.get("out_h", -1), op.get("out_w", -1)]
    if not factor and min(size) <= 0:
        raise UnknownFormError("to a size that is computed")
    wanted: dict[str, Any] = {"scale_factor": factor} if factor else {"size": size}
    return lambda x: F.interpolate(x, mode=mode, align_corners=corners, align_mode=align, **wanted)


def _elementwise(compute: Callable[[Any, Any], Any]) -> Callable[[Operator, Program], Function]:
    def make(op: Operator, program: Program) -> Function:
        axis, left, right = op.get("axis", -1), *(program.shape(op.input(slot)) for slot in ("X", "Y"))
        behind = len(left) - len(right) - axis
        if axis < 0 or len(left) <= len(right) or behind == 0:
            return compute
        # Paddle's programs count from an axis on where NumPy's rules count from the last.
        missing = list(range(len(right), len(right) + behind))
        return lambda x, y: compute(x, paddle.unsqueeze(y, missing))

    return make


def _concat(op: Operator, program: Program) -> Function:
    _only(op, "X")
    axis = int(op.get("axis", 0))
    return lambda *parts: paddle.concat(list(parts), axis)


def _split(op: Operator, program: Program) -> Function:
    _only(op, "X")
    parts, axis = op.get("sections") or int(op.get("num", 0)), int(op.get("axis", 0))
    return lambda x: paddle.split(x, parts, axis)


def _slice(op: Operator, program: Program) -> Function:
    _only(op, "Input")
    single = op.get("decrease_axis") or []
    wanted: list[Any] = [slice(None)] * len(program.shape(op.input("Input")))
    for axis, start, end in zip(op.get("axes"), op.get("starts"), op.get("ends"), strict=True):
        wanted[axis] = start if axis in single else slice(start, None if end >= _TO_THE_END else end)
    return lambda x: x[tuple(wanted)]


def _strided_slice(op: Operator, program: Program) -> Function:
    _only(op, "Input")
    axes, starts, ends, strides = (op.get(name) for name in ("axes", "starts", "ends", "strides"))
    return lambda x: paddle.strided_slice(x, axes, starts, ends, strides)


def _reshape(op: Operator, program: Program) -> Function:
    _only(op, "X", "ShapeTensor")
    shape, computed = op.get("shape"), "ShapeTensor" in op.inputs
    if not computed:
        return lambda x: paddle.reshape(x, shape)
    return lambda x, *sides: paddle.reshape(
        x, [told if told >= 0 else side for told, side in zip(shape, sides, strict=True)]
    )


def _flatten(op: Operator, program: Program) -> Function:
    """As a reshape, which Paddle Lite's opt takes in any form."""
    _only(op, "X")
    given = program.shape(op.input("X"))
    first, last = op.get("start_axis", 1) % len(given), op.get("stop_axis", 1) % len(given)
    behind = given[last + 1 :]
    if min(behind, default=1) <= 0:
        raise UnknownFormError("before a side that is free")
    shape = [*(0,) * first, -1, *behind]
    return lambda x: paddle.reshape(x, shape)


def _transpose(op: Operator, program: Program) -> Function:
    order = op.get("axis")
    return lambda x: paddle.transpose(x, order)


def _squeeze(op: Operator, program: Program) -> Function:
    axes = op.get("axes")
    return lambda x: paddle.squeeze(x, axes)


def _unsqueeze(op: Operator, program: Program) -> Function:
    _only(op, "X")
    axes = op.get("axes")
    return lambda x: paddle.unsqueeze(x, axes)


def _matmul(op: Operator, program: Program) -> Function:
    """Of two maps; ``matmul`` is Paddle 1's, which may multiply the product by a number."""
    first, second = (bool(op.get(a, op.get(b, False))) for a, b in (("trans_x", "transpose_X"),
                                                                    ("trans_y", "transpose_Y")))  # fmt: skip
    factor = op.get("alpha", 1.0)
    if factor == 1.0:
        return lambda x, y: paddle.matmul(x, y, first, second)
    return lambda x, y: paddle.scale(paddle.matmul(x, y, first, second), factor)


def _reduce_mean(op: Operator, program: Program) -> Function:
    axes, keep = None if op.get("reduce_all", False) else op.get("dim"), bool(op.get("keep_dim", False))
    return lambda x: paddle.mean(x, axes, keep)


def _pixel_shuffle(op: Operator, program: Program) -> Function:
    factor = op.get("upscale_factor")
    return lambda x: F.pixel_shuffle(x, factor)


def padding_of(op: Operator) -> Any:
    """Return the padding of a convolution or a pooling, as Paddle's functions take it."""
    algorithm = op.get("padding_algorithm", "EXPLICIT")
    return algorithm if algorithm in ("SAME", "VALID") else op.get("paddings")


def _only(op: Operator, *slots: str) -> None:
    """Refuse an operator that reads more than these slots, such as a size that another operator computes."""
    others = sorted(set(op.inputs) - set(slots))
    if others:
        raise UnknownFormError(f"with the input {others[0]}")


def _dtype(number: int) -> str:
    if number not in _DTYPES:
        raise UnknownFormError(f"of the type {number}")
    return _DTYPES[number]


FUNCTIONS: Mapping[str, Callable[[Operator, Program], Function]] = {
    "relu": _unary(F.relu), "relu6": _unary(F.relu6), "sigmoid": _unary(F.sigmoid), "tanh": _unary(F.tanh),
    "sqrt": _unary(paddle.sqrt), "exp": _unary(paddle.exp), "assign": _unary(_identity),
    "hard_swish": _hard_swish, "hard_sigmoid": _hard_sigmoid, "swish": _swish, "silu": _swish, "gelu": _gelu,
    "leaky_relu": _leaky_relu, "softmax": _softmax, "scale": _scale, "dropout": _dropout, "clip": _clip, "cast": _cast,
    "fill_constant": _fill_constant, "pool2d": _pool2d,
    "nearest_interp_v2": _interpolate, "bilinear_interp_v2": _interpolate,
    "elementwise_add": _elementwise(paddle.add), "elementwise_sub": _elementwise(paddle.subtract),
    "elementwise_mul": _elementwise(paddle.multiply), "elementwise_div": _elementwise(paddle.divide),
    "elementwise_max": _elementwise(paddle.maximum), "elementwise_min": _elementwise(paddle.minimum),
    "concat": _concat, "split": _split, "slice": _slice, "strided_slice": _strided_slice,
    "reshape2": _reshape, "flatten_contiguous_range": _flatten, "transpose2": _transpose, "squeeze2": _squeeze,
    "unsqueeze2": _unsqueeze, "matmul_v2": _matmul, "matmul": _matmul, "reduce_mean": _reduce_mean,
    "pixel_shuffle": _pixel_shuffle, "shape": _unary(paddle.shape),
}  # fmt: skip
"""By operator type: what makes its function, which takes what the operator reads, in the order of `READ`."""

READ: Sequence[str] = ("X", "Input", "Y", "ShapeTensor")
"""Slots of an operator without weights, in the order in which its function takes what they hold."""
