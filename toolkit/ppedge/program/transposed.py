"""DB's map head without transposed convolutions, which Paddle Lite computes by a matrix product and `col2im`."""

from __future__ import annotations

import numpy as np

from ppedge.models.sub_pixel import FACTOR, PHASES, sub_pixel_filters
from ppedge.program.affine import Affine, affine_chain, composed
from ppedge.program.changes import Change
from ppedge.program.convolution import Convolution
from ppedge.program.operator import Operator
from ppedge.program.program import Program
from ppedge.program.steps import Steps

_POINTWISE = ("relu", "relu6", "hard_swish", "swish", "leaky_relu", "sigmoid")


def sub_pixel(program: Program) -> list[Change]:
    """Make two 1x1 convolutions and a shuffle of pixels of two transposed convolutions that double a map each.

    Biases, BatchNorms and other constants between and behind them become the biases of the new ones.
    """
    changes: list[Change] = []
    for operator in list(program.operators):
        first = _doubling(program, operator)
        if first is None:
            continue
        middle, activation = _constants(program, first)
        if activation is None or activation.type not in _POINTWISE:
            continue
        reader = program.only_reader(activation.output("Out"))
        second = None if reader is None else _doubling(program, reader)
        if second is None or second.channels != 1:
            continue
        last, _ = _constants(program, second)
        _replace(program, first, middle, activation, second, last)
        changes.append(Change("sub-pixel", first.name, f"with {second.name}: 1x1 convolutions, a shuffle of pixels"))
    program.drop_dead()
    return changes


def _doubling(program: Program, operator: Operator) -> Convolution | None:
    """Return a transposed convolution that makes 2x2 pixels of each."""
    if operator.type != "conv2d_transpose":
        return None
    found = Convolution.of(program, operator)
    if found is None or found.filter.shape[2:] != (2, 2) or operator.get("strides") != [2, 2]:
        return None
    plain = operator.get("padding_algorithm", "EXPLICIT") != "SAME" and operator.get("dilations", [1, 1]) == [1, 1]
    empty = any(operator.get(name) for name in ("output_padding", "output_size")) or any(operator.get("paddings"))
    return found if plain and not empty else None


def _constants(program: Program, convolution: Convolution) -> tuple[Affine, Operator | None]:
    """Return what is multiplied and added behind a convolution, in one, and what alone reads the result."""
    target = convolution.operator.output("Output")
    nothing = Affine(target, target, np.ones(convolution.channels), np.zeros(convolution.channels))
    chain = affine_chain(program, target, convolution.channels)
    found = composed([nothing, *(affine for _, affine in chain)])
    return found, program.only_reader(found.target)


def _replace(
    program: Program, first: Convolution, middle: Affine, activation: Operator, second: Convolution, last: Affine
) -> None:
    spread, joined = sub_pixel_filters(
        first.filter * middle.scale[:, None, None], second.filter * last.scale[:, None, None]
    )
    source = first.operator.input("Input")
    steps = Steps(program, source)

    def weight(values: np.ndarray, of: Convolution) -> str:
        return program.add_weight(f"{of.name}.sub_pixel", np.ascontiguousarray(values, np.float32), of.name)

    wide = steps.convolution(source, weight(spread, first))
    wide = steps.bias(wide, weight(np.tile(middle.shift, PHASES), first))
    active = steps.again(activation, wide)
    pixels = steps.convolution(active, weight(joined, second))
    pixels = steps.bias(pixels, weight(np.repeat(last.shift, FACTOR**2), second))
    end = program.writer(last.target)
    assert end is not None
    # Nothing but the new ones writes what the last of them wrote.
    steps.pixel_shuffle(pixels, FACTOR, out=last.target)
    steps.insert(behind=end)
    program.remove(end)
