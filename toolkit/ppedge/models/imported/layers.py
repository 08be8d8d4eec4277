"""Operators with weights: the layer that each of them becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from paddle import nn

from ppedge.models.imported.operators import UnknownFormError, padding_of
from ppedge.program.operator import Operator
from ppedge.program.program import Program


@dataclass(frozen=True)
class Made:
    """A layer that stands for an operator, and for the addition of its bias if one follows.

    Attributes:
        layer: With the program's weights.
        weight: Name of the program's weight after which it is called.
        reads: The variable that it is given.
        writes: The variable that it makes.
        bias: The operator that adds its bias, which is no step of its own then.
    """

    layer: nn.Layer
    weight: str
    reads: str
    writes: str
    bias: Operator | None = None


def _convolution(op: Operator, program: Program) -> Made:
    name = op.input("Filter")
    weight, groups = _array(program, name), int(op.get("groups", 1))
    adding, bias = _bias(op.output("Output"), program, weight.shape[0], axis=1)
    layer = nn.Conv2D(
        weight.shape[1] * groups, weight.shape[0], list(weight.shape[2:]), op.get("strides"), padding_of(op),
        op.get("dilations", [1, 1]), groups, bias_attr=None if adding else False,
    )  # fmt: skip
    return _made(op, layer, name, {"weight": weight, "bias": bias}, ("Input", "Output"), adding)


def _transposed_convolution(op: Operator, program: Program) -> Made:
    if set(op.inputs) != {"Input", "Filter"} or op.get("output_size"):
        raise UnknownFormError("to a size of its own")
    name = op.input("Filter")
    weight, groups = _array(program, name), int(op.get("groups", 1))
    channels = weight.shape[1] * groups
    adding, bias = _bias(op.output("Output"), program, channels, axis=1)
    layer = nn.Conv2DTranspose(
        weight.shape[0], channels, list(weight.shape[2:]), op.get("strides"), padding_of(op),
        op.get("output_padding") or 0, op.get("dilations", [1, 1]), groups, bias_attr=None if adding else False,
    )  # fmt: skip
    return _made(op, layer, name, {"weight": weight, "bias": bias}, ("Input", "Output"), adding)


def _batch_norm(op: Operator, program: Program) -> Made:
    """Its statistics stay in training: they may be no pictures' own, but a bias that an exporter left there."""
    names = {"weight": "Scale", "bias": "Bias", "_mean": "Mean", "_variance": "Variance"}
    arrays = {part: _array(program, op.input(slot)) for part, slot in names.items()}
    kind = nn.BatchNorm2D if len(program.shape(op.input("X"))) == 4 else nn.BatchNorm1D
    layer = kind(len(arrays["weight"]), op.get("momentum", 0.9), op.get("epsilon", 1e-5), use_global_stats=True)
    return _made(op, layer, op.input("Scale"), arrays, ("X", "Y"))


def _layer_norm(op: Operator, program: Program) -> Made:
    if not {"Scale", "Bias"} <= set(op.inputs):
        raise UnknownFormError("without weights")
    sides = list(program.shape(op.input("X"))[op.get("begin_norm_axis", 1) :])
    if min(sides, default=0) <= 0:
        raise UnknownFormError("over a free side")
    arrays = {part: _array(program, op.input(slot)).reshape(sides) for part, slot in (("weight", "Scale"),
                                                                                     ("bias", "Bias"))}  # fmt: skip
    return _made(op, nn.LayerNorm(sides, op.get("epsilon", 1e-5)), op.input("Scale"), arrays, ("X", "Y"))


def is_linear(op: Operator, program: Program) -> bool:
    """Whether an operator multiplies vectors by a matrix of the program's weights."""
    if op.type not in ("matmul_v2", "matmul", "mul") or program.constant(op.input("Y")) is None:
        return False
    if op.type == "mul":
        return op.get("y_num_col_dims", 1) == 1 and op.get("x_num_col_dims", 1) == len(program.shape(op.input("X"))) - 1
    turned = any(op.get(name, False) for name in ("trans_x", "trans_y", "transpose_X", "transpose_Y"))
    return not turned and op.get("alpha", 1.0) == 1.0 and program.weights[op.input("Y")].ndim == 2


def _linear(op: Operator, program: Program) -> Made:
    name = op.input("Y")
    weight = _array(program, name)
    adding, bias = _bias(op.output("Out"), program, weight.shape[1], axis=len(program.shape(op.output("Out"))) - 1)
    layer = nn.Linear(*weight.shape, bias_attr=None if adding else False)
    return _made(op, layer, name, {"weight": weight, "bias": bias}, ("X", "Out"), adding)


def _lstm(op: Operator, program: Program) -> Made:
    """An LSTM that starts from zeros; it is given and gives (T, N, C)."""
    if op.get("mode") != "LSTM" or set(op.inputs) != {"Input", "WeightList"}:
        raise UnknownFormError("that is no LSTM which starts from zeros")
    layer = nn.LSTM(
        op.get("input_size"), op.get("hidden_size"), op.get("num_layers", 1),
        "bidirect" if op.get("is_bidirec") else "forward", time_major=True,
    )  # fmt: skip
    names = op.inputs["WeightList"]
    for parameter, name in zip(layer._all_weights, names, strict=True):  # in the operator's own order
        parameter.set_value(_array(program, name))
    return Made(layer, names[0], op.input("Input"), op.output("Out"))


def _made(
    op: Operator,
    layer: nn.Layer,
    weight: str,
    arrays: Mapping[str, np.ndarray | None],
    slots: tuple[str, str],
    adding: Operator | None = None,
) -> Made:
    for part, array in arrays.items():
        if array is not None:
            getattr(layer, part).set_value(array)
    writes = op.output(slots[1]) if adding is None else adding.output("Out")
    return Made(layer, weight, op.input(slots[0]), writes, adding)


def _bias(made: str, program: Program, count: int, axis: int) -> tuple[Operator | None, np.ndarray | None]:
    """Return the operator that adds a bias to what a layer makes, and the bias, if that alone reads it."""
    reader = program.only_reader(made)
    if reader is None or reader.type != "elementwise_add" or reader.input("X") != made:
        return None, None
    array, from_axis = _constant(reader.input("Y"), program), reader.get("axis", -1)
    given = program.shape(made)
    if array is None or array.size != count or len(given) < array.ndim:
        return None, None
    place = len(given) - array.ndim if from_axis < 0 else from_axis
    sides = [*(1,) * place, *array.shape, *(1,) * (len(given) - place - array.ndim)]
    return (reader, array.reshape(-1)) if len(sides) > axis and sides[axis] == count else (None, None)


def _constant(name: str, program: Program) -> np.ndarray | None:
    """Return a weight, also one that is given another shape before it is read: a bias (C,) that of (1, C, 1, 1)."""
    writer = program.writer(name)
    if writer is None or writer.type not in ("reshape2", "unsqueeze2"):
        return program.constant(name)
    array, shape = program.constant(writer.input("X")), program.shape(name)
    return None if array is None or min(shape, default=0) <= 0 else array.reshape(shape)


def _array(program: Program, name: str) -> np.ndarray:
    array = program.constant(name)
    if array is None:
        raise UnknownFormError(f"whose {name} is no float32 weight")
    return array


LAYERS: Mapping[str, Callable[[Operator, Program], Made]] = {
    "conv2d": _convolution, "depthwise_conv2d": _convolution, "conv2d_transpose": _transposed_convolution,
    "depthwise_conv2d_transpose": _transposed_convolution, "batch_norm": _batch_norm, "layer_norm": _layer_norm,
    "rnn": _lstm,
}  # fmt: skip
"""By operator type: what makes its layer."""


def layer_of(op: Operator, program: Program) -> Made | None:
    """Return the layer that an operator becomes; None for one without weights.

    Raises:
        UnknownFormError: It is used in a way that is not known.
    """
    if is_linear(op, program):
        return _linear(op, program)
    make = LAYERS.get(op.type)
    return None if make is None else make(op, program)
