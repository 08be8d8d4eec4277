"""Convolutions: which kernel Paddle Lite takes for one, and the terms of its cost."""

from __future__ import annotations

from math import prod

from ppedge.cost.operators import Operation
from ppedge.cost.parts import Terms, blocked, few, matrix, tails, up, written


def convolution(op: Operation, core: str) -> tuple[str, Terms]:
    """Return the family of a convolution's kernel, depthwise or not, and the terms of its cost."""
    if op.dilations != (1, 1):
        return _dilated(op)
    inputs, outputs = op.inputs[0][1], op.output[1]
    if op.groups > 1 and op.groups == inputs == outputs:
        return _depthwise(op)
    pixels, end = prod(op.output[2:]), op.precision
    depth = inputs // op.groups * prod(op.kernel)
    terms = {**matrix(outputs / op.groups, depth, pixels, op.precision, core), **written(op)}
    if op.groups > 1:
        product = matrix(outputs / op.groups, depth, pixels, op.precision, core)
        grouped = {name: op.groups * value for name, value in product.items()}
        return f"grouped{op.kernel[0]}x{op.kernel[1]}s{max(op.strides)}.{end}", {**grouped, **written(op), "call": 1}
    if op.kernel == (1, 1) and op.strides == (1, 1):
        return (f"gemv.{end}" if pixels == 1 else f"pointwise{few(outputs, end)}.{end}"), terms
    # In int8 the A76 has fast products of matrices only; other kernels of 3x3 are the same on both cores.
    own = _three_by_three(op, terms) if not (op.precision == "int8" and core == "cortex-a76") else None
    if own:
        return own
    if _equal_sides(op):
        return f"columns{op.strides[0]}.{end}", {**terms, **_copied(op)}
    return f"columns.{end}", {**terms, **_gathered(op, inputs)}


def _dilated(op: Operation) -> tuple[str, Terms]:
    """Name a convolution with gaps in its window: none of the fast kernels takes it, and the table has no counts."""
    down, across = op.dilations
    return f"dilated{down}x{across} {op.type}.{op.precision}", {}


def _equal_sides(op: Operation) -> bool:
    """Tell whether windows are square and move as far down as across: then rows are copied, else single values."""
    return op.kernel[0] == op.kernel[1] and op.strides[0] == op.strides[1] <= 2


def _three_by_three(op: Operation, terms: Terms) -> tuple[str, Terms] | None:
    """Return family and terms of a 3x3 convolution that has code of its own, else None."""
    if op.kernel != (3, 3) or op.strides not in ((1, 1), (2, 2)):
        return None
    if op.strides == (1, 1):
        side = winograd_side(*op.output[2:])
        if op.precision == "int8":
            side = min(side, 4)
        return f"winograd{side}.{op.precision}", {**_winograd(op, side), **written(op)}
    if op.precision == "fp32" and op.inputs[0][1] * op.output[1] >= 4 * prod(op.inputs[0][2:]):
        return None
    return f"3x3s2.{op.precision}", {**terms, **_direct(op)}


def _direct(op: Operation) -> Terms:
    """Terms of a convolution that goes over the picture itself, in blocks."""
    inputs, (outputs, height, width) = op.inputs[0][1], op.output[1:]
    return {
        **blocked(inputs, outputs, height, width),
        "read": float(prod(op.inputs[0])),
        "read rows": float(prod(op.inputs[0][:-1])),
        "output rows": outputs * height,
        **tails(inputs * prod(op.kernel), height, width),
    }


def _copied(op: Operation) -> Terms:
    """Terms of copying out what each place of the window meets: row by row in whole vectors, then value by value.

    A row of a place at the window's edge is shorter than the output's, by what of it lies outside the picture.
    """
    inputs, pixels = op.inputs[0][1], prod(op.output[2:])
    down, across = (inside(*side) for side in zip(op.inputs[0][2:], op.output[2:], op.kernel, op.strides, strict=True))
    rows = inputs * sum(down)
    terms: Terms = {
        "read": float(prod(op.inputs[0])),
        "read rows": float(prod(op.inputs[0][:-1])),
        "window*pixels": inputs * prod(op.kernel) * pixels,
        "window*rows": inputs * prod(op.kernel) * op.output[2],
        "inside rows": rows * op.kernel[1],
        "eights of sixteens": rows * sum(length % 16 // 8 for length in across),
    }
    for size in (4, 8, 16):
        terms[f"whole {size}"] = rows * sum(length // size for length in across)
        terms[f"left {size}"] = rows * sum(length % size for length in across)
    return terms


def winograd_side(height: int, width: int) -> int:
    """Return the side of the output tiles with which Paddle Lite computes a float 3x3 convolution, in pixels."""
    units = height * width // 8
    return 2 if units < 16 else 4 if units < 36 else 6


def _winograd(op: Operation, side: int) -> Terms:
    inputs, outputs = op.inputs[0][1], op.output[1]
    tiles = up(op.output[2], side) * up(op.output[3], side)
    blocks = up(tiles, 8)
    fours_in, fours_out = up(inputs, 4), up(outputs, 4)
    return {
        "one": 1,
        "tiles": tiles,
        "tiles*in": tiles * fours_in,
        "tiles*out": tiles * fours_out,
        "tiles*in*out": tiles * fours_in * fours_out,
        "blocks*in*out": blocks * fours_in * fours_out,
        "blocks*in": blocks * fours_in,
        "blocks*out": blocks * fours_out,
        "pairs": up(tiles, 2) * fours_in * fours_out,
        "read": float(prod(op.inputs[0])),
        "read rows": float(prod(op.inputs[0][:-1])),
        "read fours": fours_in * prod(op.inputs[0][2:]),
        **(_eights(tiles, inputs, outputs) if op.precision == "int8" else {}),
    }


def _eights(tiles: float, inputs: float, outputs: float) -> Terms:
    eights_in, eights_out = up(inputs, 8), up(outputs, 8)
    return {
        "tiles*in eights": tiles * eights_in,
        "tiles*out eights": tiles * eights_out,
        "tiles*in*out eights": tiles * eights_in * eights_out,
        "blocks*in*out eights": up(tiles, 8) * eights_in * eights_out,
    }


def _depthwise(op: Operation) -> tuple[str, Terms]:
    channels, (height, width) = op.output[1], op.output[2:]
    read = op.inputs[0][2:]
    if (op.kernel, op.strides, op.precision) == ((3, 3), (1, 1), "int8"):
        return "depthwise3x3s1.int8", _bordered(op)
    terms = {
        "one": 1,
        "channels": channels,
        **blocked(1, channels, height, width),
        **tails(channels, height, width),
        "read": float(prod(op.inputs[0])),
        "read rows": float(prod(op.inputs[0][:-1])),
        "fours read": up(channels, 4) * prod(read),
        "eights read": up(channels, 8) * prod(read),
        "eights read rows": up(channels, 8) * read[0],
        **written(op),
    }
    down, across = op.strides
    if down != across or op.kernel not in ((3, 3), (5, 5)):
        return f"depthwise{op.kernel[0]}x{op.kernel[1]}other.{op.precision}", _windows(op)
    return f"depthwise{op.kernel[0]}x{op.kernel[1]}s{down}.{op.precision}", terms


def _bordered(op: Operation) -> Terms:
    """Terms of a depthwise 3x3 in int8: eight channels at a time, in blocks of rows that have the border with them."""
    channels, height, width = op.output[1:]
    eights = up(channels, 8)
    blocks = {
        f"bordered {down}x{across}": eights * up(height, down) * up(width + 2, across)
        for down in (1, 2, 4)
        for across in (4, 8, 16)
    }
    return {"one": 1, "channels": channels, "eights": eights, **blocks, **tails(channels, height, width), **written(op)}


def _windows(op: Operation) -> Terms:
    """Terms of the general way of a depthwise convolution: each window is copied out, then multiplied."""
    channels, *sides = op.output[1:]
    terms = {
        **_gathered(op, channels),
        "fours": channels * up(prod(sides), 4),
        "eights": channels * up(prod(sides), 8),
        "sixteens": channels * up(prod(sides), 16),
        **written(op),
    }
    if op.precision == "int8" and max(op.kernel) > 5:  # many rows of a place, each copied in whole vectors
        terms |= _copied(op)
    return terms


def _gathered(op: Operation, channels: int) -> Terms:
    """Terms of copying out, value by value, what windows meet on some channels."""
    sides, window = op.output[2:], prod(op.kernel)
    met = [sum(inside(*side)) for side in zip(op.inputs[0][2:], sides, op.kernel, op.strides, strict=True)]
    return {
        "one": 1,
        "channels": channels,
        "window": channels * window,
        "window*rows": float(channels * window * sides[0]),
        "window*values": float(channels * window * prod(sides)),
        "inside rows": float(channels * met[0] * sides[1]),
        "inside": float(channels * prod(met)),
    }


def inside(read: int, written: int, window: int, stride: int) -> list[int]:
    """For each place of a window, how many of its steps along a side meet the picture."""
    before = (max((written - 1) * stride + window - read, 0) + 1) // 2
    return [sum(0 <= step * stride + place - before < read for step in range(written)) for place in range(window)]


def transposed(op: Operation, core: str) -> tuple[str, Terms]:
    """Return the family of a transposed convolution's kernel, and the terms of its cost."""
    if op.dilations != (1, 1):
        return _dilated(op)
    if op.groups > 1:
        return _transposed_in_groups(op)
    pixels = prod(op.inputs[0][2:])
    columns = op.output[1] * prod(op.kernel)
    terms = matrix(columns, op.inputs[0][1], pixels, op.precision, core)
    rows = {"output rows": float(prod(op.output[:-1])), "window rows": float(columns * op.inputs[0][2])}
    return f"transposed{few(columns, op.precision)}.{op.precision}", {**terms, **rows, **written(op)}


def _transposed_in_groups(op: Operation) -> tuple[str, Terms]:
    """Terms of a transposed convolution in groups: the table has those of a group a channel, without bias."""
    read = op.inputs[0]
    rows = float(prod(read[:-1]))
    terms = {
        "one": 1.0,
        "channels": float(read[1]),
        "read": float(prod(read)),
        "read rows": rows,
        "left 4": rows * (read[-1] % 4),
    }
    kind = "depthwise" if op.groups == read[1] == op.output[1] else "grouped"
    return f"transposed.{kind}{op.kernel[0]}x{op.kernel[1]}s{max(op.strides)}.{op.precision}", terms
