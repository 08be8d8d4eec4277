"""Windows for which Paddle Lite has no fast kernel, as those for which it has one.

PP-OCRv6's stem has convolutions of 2x2 and a pooling of 2x2 windows one apart, its detectors' neck depthwise kernels of
7x7. Paddle Lite's fast kernels are for 3x3, depthwise ones for 5x5 too, and for poolings of windows two apart. The
general ones take 480 instructions for each value of such a pooling, 200 of such a kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ppedge.program.changes import Change
from ppedge.program.convolution import Convolution
from ppedge.program.operator import Operator
from ppedge.program.program import Program
from ppedge.program.steps import Steps

_FAST, _LARGE = 5, (7, 9)
_NOT_NEGATIVE = ("relu", "relu6", "sigmoid", "hard_sigmoid")


def shifted_max(program: Program) -> list[Change]:
    """Pool 2x2 windows one apart as the largest of a map and of itself one column, and then one row, further on.

    The map is moved by a depthwise convolution with a single one, which puts zeros behind its end, where a pooling sees
    nothing: they are the same where no value of the map is below zero.
    """
    changes: list[Change] = []
    for pool in list(program.operators):
        if not _is_pool(pool):
            continue
        source, target = pool.input("X"), pool.output("Out")
        before, shape = program.writer(source), program.shape(source)
        if before is None or before.type not in _NOT_NEGATIVE or len(shape) != 4 or shape[1] <= 0:
            continue
        steps = Steps(program, source)
        aside = steps.maximum(source, steps.depthwise(source, _one_at(program, shape[1], (1, 2)), (1, 1, 1, 1)))
        below = steps.depthwise(aside, _one_at(program, shape[1], (2, 1)), (1, 1, 1, 1))
        steps.maximum(aside, below, out=target)
        steps.insert(behind=pool)
        program.remove(pool)
        changes.append(Change("shifted-max", target, "the largest of the map and of itself moved by one"))
    return changes


def _is_pool(pool: Operator) -> bool:
    """Whether an operator pools 2x2 windows, one apart, with a row and a column more behind the map's end."""
    if pool.type != "pool2d" or set(pool.inputs) != {"X"} or pool.get("ksize") != [2, 2]:
        return False
    plain = not any(pool.get(name, False) for name in ("global_pooling", "adaptive"))
    right = pool.get("pooling_type") == "max" and pool.get("data_format", "NCHW") in ("NCHW", "AnyLayout")
    return plain and right and _padding(pool, (2, 2)) == (0, 1, 0, 1)


def _one_at(program: Program, channels: int, place: tuple[int, int]) -> str:
    filters = np.zeros((channels, 1, 3, 3), np.float32)
    filters[(slice(None), 0, *place)] = 1
    return program.add_weight("moved.one", filters, "moved.one")


def large_windows(program: Program) -> list[Change]:
    """Compute depthwise kernels of 7x7 and 9x9 as four of 5x5, each with a part of the weights, and add them up."""
    changes: list[Change] = []
    for operator in list(program.operators):
        convolution = Convolution.of(program, operator)
        padding = _large(convolution) if convolution is not None else None
        if convolution is None or padding is None:
            continue
        bias, last = convolution.bias(), operator
        target = operator.output("Output")
        if bias is not None:
            last, target = bias[0], bias[0].output("Out")
        steps, parts = Steps(program, target), []
        for filters, window in _quarters(convolution.filter, padding):
            weight = program.add_weight(f"{convolution.name}.quarter", filters, convolution.name)
            parts.append(steps.depthwise(operator.input("Input"), weight, window))
        if bias is not None:
            parts[0] = steps.bias(parts[0], bias[0].input("Y"))
        steps.sum(steps.sum(parts[0], parts[1]), steps.sum(parts[2], parts[3]), out=target)
        steps.insert(behind=last)
        for one in {operator, last}:
            program.remove(one)
        side = convolution.filter.shape[2]
        changes.append(Change("large-windows", convolution.name, f"{side}x{side} by four windows of 5x5"))
    program.drop_dead()
    return changes


def _large(convolution: Convolution) -> tuple[int, int, int, int] | None:
    """Return the padding of a depthwise convolution that four smaller ones can compute; None of all others."""
    side = convolution.filter.shape[2]
    shape = convolution.program.shape(convolution.operator.input("Input"))
    depthwise = convolution.filter.shape == (convolution.groups, 1, side, side) and not convolution.transposed
    if side not in _LARGE or not depthwise or len(shape) != 4:
        return None
    padding = _padding(convolution.operator, (side, side))
    # A window further on sees less of the border before the map; it cannot see less than none.
    return padding if padding is not None and min(padding) >= side - _FAST else None


def _quarters(
    filters: np.ndarray, padding: tuple[int, int, int, int]
) -> Iterator[tuple[np.ndarray, tuple[int, int, int, int]]]:
    """Yield four kernels of 5x5 that have each weight of a larger one once, and the padding of each."""
    side = filters.shape[2]
    apart, (top, bottom, left, right) = side - _FAST, padding
    # The first window takes all that it covers; the one further on what is left, at its end.
    spans = ((0, slice(0, _FAST)), (apart, slice(_FAST, side)))
    for down, rows in spans:
        for across, columns in spans:
            part = np.zeros_like(filters)
            part[:, :, rows, columns] = filters[:, :, rows, columns]
            window = part[:, :, down : down + _FAST, across : across + _FAST]
            yield window, (top - down, bottom - (apart - down), left - across, right - (apart - across))


def whole_windows(program: Program) -> list[Change]:
    """Compute convolutions of 2x2, padded to the size of the map, as those of 3x3 with zeros in front."""
    changes = []
    for operator in program.operators:
        convolution = Convolution.of(program, operator)
        if convolution is None or convolution.transposed or convolution.filter.shape[2:] != (2, 2):
            continue
        # Padded behind the map alone; a depthwise kernel costs little either way.
        if _padding(operator, (2, 2)) != (0, 1, 0, 1) or convolution.groups != 1:
            continue
        convolution.set_filter(np.pad(convolution.filter, ((0, 0), (0, 0), (1, 0), (1, 0))))
        operator.set("paddings", [1, 1])
        operator.set("padding_algorithm", "EXPLICIT")
        changes.append(Change("whole-windows", convolution.name, "2x2 as 3x3 with zeros in front"))
    return changes


def _padding(operator: Operator, window: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return rows above and below, and columns left and right, of zeros around the map of a window one apart.

    None where windows are further apart, or see every other pixel.
    """
    if operator.get("strides") != [1, 1] or operator.get("dilations", [1, 1]) != [1, 1]:
        return None
    algorithm = operator.get("padding_algorithm", "EXPLICIT")
    if algorithm == "SAME":
        height, width = (side - 1 for side in window)
        return height // 2, height - height // 2, width // 2, width - width // 2
    top, *others = operator.get("paddings", [0, 0]) if algorithm == "EXPLICIT" else [0, 0]
    if len(others) == 1:
        return top, top, others[0], others[0]
    bottom, left, right = others
    return top, bottom, left, right
