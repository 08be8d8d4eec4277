"""What the instructions of a kernel grow with: families of kernels, and the terms of each one's cost.

A family holds what Paddle Lite computes by the same code; which code that is depends on window, stride, groups, sizes
and precision. Terms are counts of what such code does: blocks of a matrix product, tiles of a Winograd transform,
values written. The table has a factor for each, by family and core (``benchmarks/cost_fit.py``). Block sizes and the
choice among kernels were found by counting on the runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ppedge.cost.convolutions import convolution, transposed
from ppedge.cost.operators import Operation
from ppedge.cost.parts import Terms, matrix, tails, up, written

_ALIKE = {"dropout": "scale", "flatten_contiguous_range": "squeeze2"}  # at inference the same work under another name


def family_and_terms(op: Operation, core: str) -> tuple[str, Terms]:
    """Return an operation's family of kernels on a core, and the terms of its cost.

    Args:
        op: The operation.
        core: ``cortex-a53`` or ``cortex-a76``; the latter computes int8 by dot products.
    """
    if op.type in ("conv2d", "depthwise_conv2d"):
        return convolution(op, core)
    if op.type == "conv2d_transpose":
        return transposed(op, core)
    if op.type in ("fc", "mul") or op.type.startswith("matmul"):
        return _product(op, core)
    if op.type == "rnn":
        return "rnn", _recurrent(op)
    if op.type == "lstm":
        return "lstm", _direction(op)
    if op.type == "im2sequence":
        return "im2sequence", {"one": 1, "channels": op.output[1], "values": prod(op.output)}
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
        return "concat", _joined(op)
    if op.type == "split":
        return "split", _parted(op)
    if op.type == "pixel_shuffle":
        read = op.inputs[0]
        return "pixel_shuffle", {"one": 1, "read rows": prod(read[:-1]), **tails(read[1], *read[2:])}
    values = prod(op.output)
    if op.type == "transpose2":
        return _turned(op)
    lead = op.output[1] if len(op.output) > 1 else 1
    blocks = lead * up(values / lead, 4)  # some go channel by channel
    kind = _ALIKE.get(op.type, op.type)
    return f"{kind}.{op.precision}.{op.variant}", {"one": 1, "values": values, "channels": lead, "fours": blocks}


def _joined(op: Operation) -> Terms:
    """Terms of a concatenation, which copies what lies together in a part piece by piece."""
    parts = float(len(op.inputs))
    pieces = parts * prod(op.output[: _axis(op.output, op.inputs[0])])
    return {"one": 1.0, "parts": parts, "pieces": pieces, "values": float(prod(op.output))}


def _axis(whole: Sequence[int], part: Sequence[int]) -> int:
    """Return the axis along which a part is shorter than the whole."""
    return next((k for k, (all_, some) in enumerate(zip(whole, part, strict=True)) if all_ != some), 0)


def _parted(op: Operation) -> Terms:
    """Terms of a split into equal parts, which copies likewise."""
    before, after = op.inputs[0], op.output
    axis = _axis(before, after)
    parts = before[axis] / after[axis]
    return {
        "one": 1.0,
        "parts": parts,
        "pieces": parts * prod(before[:axis]),
        "read": float(prod(before)),
        "values": float(prod(after)),
    }


def _turned(op: Operation) -> tuple[str, Terms]:
    """A transposition: fast if it moves the last two axes alone."""
    before, after, values = op.inputs[0], op.output, float(prod(op.output))
    terms = {"one": 1.0, "values": values, "rows": float(prod(after[:-1])), "last": float(after[-1])}
    if before[-2:] == after[:-3:-1] and before[:-2] == after[:-2]:
        return "transpose2.last", terms
    if len(before) > 3 or before[-1] != after[-1]:
        return "transpose2.any", terms
    return f"transpose2.first{' to front' if after[0] == 1 else ''}", terms


def _product(op: Operation, core: str) -> tuple[str, Terms]:
    columns, rows = op.output[-1], prod(op.output[:-1])
    depth = prod(op.inputs[0]) // rows  # of a fc, opt may have left out what flattened its input
    batch = prod(op.output[:-2]) if op.type.startswith("matmul") else 1
    product = matrix(rows // batch, depth, columns, op.precision, core)
    terms = {**{name: batch * value for name, value in product.items()}, **written(op), "call": 1}
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
            "input product": up(steps, 8) * up(gates, 12) * depth,
            "input product, plain": steps * gates * depth,
            "step product": steps * gates * op.hidden,
            "step blocks": steps * up(gates, 12) * op.hidden,
            "weights": gates * depth,
            "step weights": gates * op.hidden,
        }.items():
            terms[name] = terms.get(name, 0.0) + value
    return terms


def _direction(op: Operation) -> Terms:
    """Terms of one direction of an LSTM whose input is multiplied already: it goes step by step."""
    steps, hidden = map(float, op.output)
    return {
        "one": 1.0,
        "steps": steps,
        "steps*hidden": steps * hidden,
        "step product": steps * 4 * hidden * hidden,
        "step blocks": steps * 4 * hidden * up(hidden, 4),
    }


def _pooling(op: Operation) -> tuple[str, Terms]:
    read = op.inputs[0]
    terms = {
        "one": 1.0,
        "channels": float(read[1]),
        "read": float(prod(read)),
        "fours": read[1] * up(prod(read[2:]), 4),
    }
    if op.output[2:] == (1, 1) and op.kernel == read[2:]:
        return f"pool.{op.variant}.global", terms
    values = float(prod(op.output))
    terms |= {"values": values, "rows": float(prod(op.output[:-1])), "window*values": values * prod(op.kernel)}
    terms |= tails(read[1], *op.output[2:])
    if _fits_no_kernel(op):
        return f"pool.general.{op.variant}", terms
    return f"pool.{op.variant}.{op.kernel[0]}x{op.kernel[1]}s{op.strides[0]}{op.strides[1]}", terms


def _fits_no_kernel(op: Operation) -> bool:
    """Tell whether a window has no kernel of its own or the map is too small for it: each value is gathered alone."""
    side, stride = op.kernel[0], op.strides[0]
    if op.kernel != (side, side) or op.strides != (stride, stride):
        return True
    if (side, stride) not in ((2, 2), (3, 1), (3, 2)) and (side, stride, op.variant) != (1, 2, "max"):
        return True
    height, width = op.inputs[0][2:]
    return side >= min(height, width) or (side < 3 and width <= 8)


def _binary(op: Operation) -> tuple[str, Terms]:
    """An operation of two operands: of one shape, or one of them a value a channel, or one value.

    Other repetitions go value by value or not, as axes lie, up to 30 times the cost: the table has no counts of them.
    """
    large = max(prod(shape) for shape in op.inputs) if op.inputs else prod(op.output)
    small = min(prod(shape) for shape in op.inputs) if len(op.inputs) > 1 else large
    channels = op.output[1] if len(op.output) > 1 else 1
    pixels = large / channels
    kind = "same" if small == large else "one" if small == 1 else "channel" if _a_value_a_channel(op) else "repeated"
    terms = {"one": 1, "values": large, "channels": channels, "fours": channels * up(pixels, 4)}
    if op.activation:  # fused with it, it runs nearly the same code
        terms["values, fused"] = large
    if kind == "channel":
        terms["sixteens"] = channels * up(pixels, 16)
    return f"{op.type.removeprefix('fusion_').removesuffix('_activation')}.{kind}", terms


def _a_value_a_channel(op: Operation) -> bool:
    """Whether one operand has the result's shape, and the other a value for each entry of its second axis."""
    ones = (1,) * len(op.output)
    channels = (1, *op.output[1:2], *ones[2:])
    return sorted((op.output, channels)) == sorted(op.inputs)
