"""What the instructions of a kernel grow with: families of kernels, and the terms of each one's cost.

A family holds what Paddle Lite computes by the same code; which code that is depends on window, stride, groups, sizes
and precision. Terms are counts of what such code does: blocks of a matrix product, tiles of a Winograd transform,
values written. The table has a factor for each, by family and core (``benchmarks/cost_fit.py``). Block sizes and the
choice among kernels were found by counting on the runtime.
"""

from __future__ import annotations

from math import prod

from ppedge.cost.operators import Operation

Terms = dict[str, float]
_ALIKE = {"dropout": "scale", "flatten_contiguous_range": "squeeze2"}  # at inference the same work under another name
_FEW = 4  # rows of a product up to which it has blocks of its own


def family_and_terms(op: Operation, core: str) -> tuple[str, Terms]:
    """Return an operation's family of kernels on a core, and the terms of its cost.

    Args:
        op: The operation.
        core: ``cortex-a53`` or ``cortex-a76``; the latter computes int8 by dot products.
    """
    if op.type in ("conv2d", "depthwise_conv2d"):
        return _convolution(op, core)
    if op.type == "conv2d_transpose":
        return _transposed(op, core)
    if op.type == "fc" or op.type.startswith("matmul"):
        return _product(op, core)
    if op.type == "rnn":
        return "rnn", _recurrent(op)
    if op.type == "pool2d":
        return _pooling(op)
    if op.type.removeprefix("fusion_").startswith("elementwise_"):
        return _binary(op)
    if op.type == "softmax":
        rows = prod(op.output[:-1])
        return "softmax", {"one": 1, "rows": rows, "values": prod(op.output)}
    if op.type.startswith("nearest_interp"):
        rows = prod(op.output[:-1])
        return "nearest_interp", {"one": 1, "rows": rows, "values": prod(op.output), "channels": op.output[1]}
    if op.type == "concat":
        return "concat", {"one": 1, "parts": len(op.inputs), "values": prod(op.output)}
    values = prod(op.output)
    if op.type == "transpose2":  # the last axis moved, which is fast, or kept
        kind = "moved" if op.inputs[0][-1] != op.output[-1] else "kept.front" if op.output[0] == 1 else "kept"
        return f"transpose2.{kind}", {"one": 1, "values": values, "rows": prod(op.output[:-1]), "last": op.output[-1]}
    lead = op.output[1] if len(op.output) > 1 else 1
    blocks = lead * _up(values / lead, 4)  # some go channel by channel
    kind = _ALIKE.get(op.type, op.type)
    return f"{kind}.{op.precision}.{op.variant}", {"one": 1, "values": values, "channels": lead, "fours": blocks}


def _up(value: float, block: int) -> float:
    """How many blocks hold that many."""
    return float(-(-int(value) // block))


def _blocked(lead: float, channels: float, height: int, width: int) -> Terms:
    """Terms of code that goes over a map in blocks of channels, rows and columns, ``lead`` times.

    Which blocks a kernel has is left to the fit: it gives a factor to few of these.
    """
    return {
        f"blocks {high}x{down}x{across}": lead * _up(channels, high) * _up(height, down) * _up(width, across)
        for high in (1, 4, 8)
        for down in (1, 2, 4)
        for across in (1, 4, 8, 16, 10000)
    }


def _tails(lead: float, height: int, width: int) -> Terms:
    """Terms of code that goes along rows in whole vectors and value by value through what is left of each."""
    rows = lead * height
    return {f"{part} {size}": rows * (width // size if part == "whole" else width % size)
            for size in (4, 8, 16) for part in ("whole", "left")}  # fmt: skip


def _matrix(rows: float, depth: float, columns: float, precision: str, core: str) -> Terms:
    """Terms of a product (rows, depth) by (depth, columns), rows being the weight's."""
    if precision == "int8":
        high, wide, deep = (8, 12, 4) if core == "cortex-a76" else (4, 16, 8)
    else:
        high, wide, deep = 8, 12, 1
    tiles = _up(rows, high) * _up(columns, wide)
    padded = _up(depth, deep) * deep
    partial = _up(rows, high) if columns % wide else 0
    return {
        "one": 1,
        "rows": rows,
        "tiles": tiles,
        "whole tiles*depth": (tiles - partial) * padded,
        "partial tiles*depth": partial * padded,
        "partial tiles": partial,
        **({f"tiles*depth in {block}": tiles * _up(depth, block) for block in (4, 8, 16)} if deep > 1 else {}),
        "tile values": _up(rows, high) * high * columns,
        "packed": _up(columns, wide) * padded,
        "depth": depth,
        "depth*columns": depth * columns,
        "row blocks": _up(rows, high),
        "row blocks*depth": _up(rows, high) * padded,
        "rows*columns": rows * columns,
        "remainder": tiles * (depth % 4),
    }


def _written(op: Operation) -> Terms:
    """Terms of writing a result: a fused activation and, of int8, the conversion cost more a value."""
    values = float(prod(op.output))
    terms = {"values": values}
    if op.activation:
        terms[f"padded values, {op.activation.removesuffix('6')}"] = values / op.output[1] * _up(op.output[1], 8) * 8
        terms[f"values, {op.activation.removesuffix('6')}"] = values  # relu6 is one instruction more
    if op.bias:
        terms["values, bias"] = values
    if op.precision == "int8":
        terms[f"values, {op.variant}"] = values
        terms[f"rows, {op.variant}"] = float(prod(op.output[:-1]))
        if op.activation:
            terms[f"values, {op.activation}, {op.variant}"] = values
    return terms


def _convolution(op: Operation, core: str) -> tuple[str, Terms]:
    inputs, outputs = op.inputs[0][1], op.output[1]
    if op.groups > 1 and op.groups == inputs == outputs:
        return _depthwise(op)
    height, width = op.output[2:]
    window, pixels = prod(op.kernel), height * width
    depth = inputs // op.groups * window
    product = _matrix(outputs / op.groups, depth, pixels, op.precision, core)
    terms = {**product, **_written(op)}
    end = f"{op.precision}"
    if op.groups > 1:
        return f"grouped.{end}", {name: op.groups * value for name, value in terms.items()}
    if op.kernel == (1, 1) and op.strides == (1, 1):
        few = ".few" if outputs <= _FEW else ""
        return (f"gemv.{end}" if pixels == 1 else f"pointwise{few}.{end}"), terms
    if op.kernel == (3, 3) and op.strides == (1, 1) and op.precision == "fp32":
        side = winograd_side(height, width)
        return f"winograd{side}", {**_winograd(op, side), **_written(op)}
    if op.kernel == (3, 3) and not (op.precision == "int8" and core == "cortex-a76"):  # which multiplies matrices
        if op.strides == (1, 1):
            side = min(winograd_side(height, width), 4)
            return f"winograd{side}.int8", {**_winograd(op, side), **_written(op)}
        if op.strides == (2, 2) and inputs * outputs < 4 * prod(op.inputs[0][2:]):
            return f"3x3s2.{end}", {**terms, **_direct(op)}
    return f"columns{max(op.strides)}.{end}", {**terms, **_copied(op)}


def _direct(op: Operation) -> Terms:
    """Terms of a convolution that goes over the picture itself, in blocks."""
    inputs, (outputs, height, width) = op.inputs[0][1], op.output[1:]
    return {
        **_blocked(inputs, outputs, height, width),
        "read": float(prod(op.inputs[0])),
        "read rows": float(prod(op.inputs[0][:-1])),
        "output rows": outputs * height,
        **_tails(inputs * prod(op.kernel), height, width),
    }


def _copied(op: Operation) -> Terms:
    """Terms of copying out what each place of the window meets: row by row in whole vectors, then value by value.

    A row of a place at the window's edge is shorter than the output's, by what of it lies outside the picture.
    """
    inputs, pixels = op.inputs[0][1], prod(op.output[2:])
    down, across = (
        _inside(*side) for side in zip(op.inputs[0][2:], op.output[2:], op.kernel, op.strides, strict=True)
    )
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
    tiles = _up(op.output[2], side) * _up(op.output[3], side)
    blocks = _up(tiles, 8)
    fours_in, fours_out = _up(inputs, 4), _up(outputs, 4)
    return {
        "one": 1,
        "tiles": tiles,
        "tiles*in": tiles * fours_in,
        "tiles*out": tiles * fours_out,
        "tiles*in*out": tiles * fours_in * fours_out,
        "blocks*in*out": blocks * fours_in * fours_out,
        "blocks*in": blocks * fours_in,
        "blocks*out": blocks * fours_out,
        "pairs": _up(tiles, 2) * fours_in * fours_out,
        "read": float(prod(op.inputs[0])),
        "read rows": float(prod(op.inputs[0][:-1])),
        "read fours": fours_in * prod(op.inputs[0][2:]),
        **(_eights(tiles, inputs, outputs) if op.precision == "int8" else {}),
    }


def _eights(tiles: float, inputs: float, outputs: float) -> Terms:
    eights_in, eights_out = _up(inputs, 8), _up(outputs, 8)
    return {
        "tiles*in eights": tiles * eights_in,
        "tiles*out eights": tiles * eights_out,
        "tiles*in*out eights": tiles * eights_in * eights_out,
        "blocks*in*out eights": _up(tiles, 8) * eights_in * eights_out,
    }


def _depthwise(op: Operation) -> tuple[str, Terms]:
    channels, (height, width) = op.output[1], op.output[2:]
    read = op.inputs[0][2:]
    terms = {
        "one": 1,
        "channels": channels,
        **_blocked(1, channels, height, width),
        **_tails(channels, height, width),
        "read": float(prod(op.inputs[0])),
        "read rows": float(prod(op.inputs[0][:-1])),
        "fours read": _up(channels, 4) * prod(read),
        "eights read": _up(channels, 8) * prod(read),
        "eights read rows": _up(channels, 8) * read[0],
        "eights read, whole": _up(channels, 8) * read[0] * (read[1] // 8),
        "eights read, left": _up(channels, 8) * read[0] * (read[1] % 8),
        "eights written, whole": _up(channels, 8) * height * (width // 4),
        "eights written, left": _up(channels, 8) * height * (width % 4),
        "eights written": _up(channels, 8) * height,
        **_written(op),
    }
    down, across = op.strides
    if down != across:
        return f"depthwise{op.kernel[0]}x{op.kernel[1]}other.{op.precision}", _windows(op)
    return f"depthwise{op.kernel[0]}x{op.kernel[1]}s{down}.{op.precision}", terms


def _windows(op: Operation) -> Terms:
    """Terms of the general way of a depthwise convolution: each window is copied out, then multiplied."""
    channels, *sides = op.output[1:]
    inside = [sum(_inside(*side)) for side in zip(op.inputs[0][2:], sides, op.kernel, op.strides, strict=True)]
    values, window = float(prod(op.output)), prod(op.kernel)
    return {
        "one": 1,
        "channels": channels,
        "window": channels * window,
        "window*rows": float(channels * window * sides[0]),
        "window*values": values * window,
        "inside rows": float(channels * inside[0] * sides[1]),
        "inside": float(channels * prod(inside)),
        "fours": channels * _up(prod(sides), 4),
        "eights": channels * _up(prod(sides), 8),
        "sixteens": channels * _up(prod(sides), 16),
        **_written(op),
    }


def _inside(read: int, written: int, window: int, stride: int) -> list[int]:
    """For each place of a window, how many of its steps along a side meet the picture."""
    before = (max((written - 1) * stride + window - read, 0) + 1) // 2
    return [
        sum(0 <= step * stride + place - before < read for step in range(written)) for place in range(window)
    ]


def _transposed(op: Operation, core: str) -> tuple[str, Terms]:
    pixels = prod(op.inputs[0][2:])
    columns = op.output[1] * prod(op.kernel)
    terms = _matrix(columns, op.inputs[0][1], pixels, op.precision, core)
    rows = {"output rows": float(prod(op.output[:-1])), "window rows": float(columns * op.inputs[0][2])}
    few = ".few" if columns <= _FEW else ""
    return f"transposed{few}.{op.precision}", {**terms, **rows, **_written(op)}


def _product(op: Operation, core: str) -> tuple[str, Terms]:
    columns, rows = op.output[-1], prod(op.output[:-1])
    depth = prod(op.inputs[0]) // rows  # of a fc, opt may have left out what flattened its input
    terms = {**_matrix(rows, depth, columns, op.precision, core), **_written(op)}
    return f"{op.type}.{op.precision}.{'vector' if rows == 1 else 'matrix'}", terms


def _recurrent(op: Operation) -> Terms:
    """Terms of a bidirectional LSTM: each pass multiplies the whole input at once, then goes step by step."""
    steps, _, width = op.inputs[0]
    directions = op.output[-1] // op.hidden
    terms = {"one": 1.0, "passes": float(op.layers)}
    for index in range(op.layers):
        depth = width if index < directions else op.output[-1]
        gates = 4 * op.hidden
        for name, value in {
            "steps": steps,
            "steps*hidden": steps * op.hidden,
            "steps*input": steps * depth,
            "input product": _up(steps, 8) * _up(gates, 12) * depth,
            "input product, plain": steps * gates * depth,
            "step product": steps * gates * op.hidden,
            "step blocks": steps * _up(gates, 12) * op.hidden,
            "weights": gates * depth,
            "step weights": gates * op.hidden,
        }.items():
            terms[name] = terms.get(name, 0.0) + value
    return terms


def _pooling(op: Operation) -> tuple[str, Terms]:
    read = op.inputs[0]
    terms = {
        "one": 1.0,
        "channels": float(read[1]),
        "read": float(prod(read)),
        "fours": read[1] * _up(prod(read[2:]), 4),
    }
    if op.output[2:] == (1, 1) and op.kernel == read[2:]:
        return f"pool.{op.variant}.global", terms
    values = float(prod(op.output))
    terms |= {"values": values, "rows": float(prod(op.output[:-1])), "window*values": values * prod(op.kernel)}
    low = ".row" if op.output[2] == 1 else ""  # a single row goes the general way
    return f"pool{low}.{op.variant}.{op.kernel[0]}x{op.kernel[1]}s{op.strides[0]}{op.strides[1]}", terms


def _binary(op: Operation) -> tuple[str, Terms]:
    """An operation of two operands: of one shape, or the second one a value a channel."""
    large = max(prod(shape) for shape in op.inputs) if op.inputs else prod(op.output)
    small = min(prod(shape) for shape in op.inputs) if len(op.inputs) > 1 else large
    channels = op.output[1] if len(op.output) > 1 else 1
    pixels = large / channels
    kind = "same" if small == large else "one" if small == 1 else "channel"
    terms = {"one": 1, "values": large, "channels": channels, "fours": channels * _up(pixels, 4)}
    if op.activation:  # fused with it, it runs nearly the same code
        terms["values, fused"] = large
    if kind == "channel":
        terms["sixteens"] = channels * _up(pixels, 16)
    return f"{op.type.removeprefix('fusion_').removesuffix('_activation')}.{kind}", terms
