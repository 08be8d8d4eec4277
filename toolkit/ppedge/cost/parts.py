"""Terms of what kernels have in common: blocks, the product of two matrices, writing the result."""

from __future__ import annotations

from math import prod

from ppedge.cost.operators import Operation

Terms = dict[str, float]


def up(value: float, block: int) -> float:
    """How many blocks hold that many."""
    return float(-(-int(value) // block))


def blocked(lead: float, channels: float, height: int, width: int) -> Terms:
    """Terms of code that goes over a map in blocks of channels, rows and columns, ``lead`` times.

    Which blocks a kernel has is left to the fit: it gives a factor to few of these.
    """
    return {
        f"blocks {high}x{down}x{across}": lead * up(channels, high) * up(height, down) * up(width, across)
        for high in (1, 4, 8)
        for down in (1, 2, 4)
        for across in (1, 4, 8, 16, 10000)
    }


def tails(lead: float, height: int, width: int) -> Terms:
    """Terms of code that goes along rows in whole vectors and value by value through what is left of each."""
    rows = lead * height
    return {f"{part} {size}": rows * (width // size if part == "whole" else width % size)
            for size in (4, 8, 16) for part in ("whole", "left")}  # fmt: skip


def few(rows: float, precision: str) -> str:
    """Name what a product does otherwise because the weight has few rows: one, or too few to fill a float block."""
    if rows == 1:
        return ".one"
    return ".few" if rows <= 4 and precision == "fp32" else ""


def matrix(rows: float, depth: float, columns: float, precision: str, core: str) -> Terms:
    """Terms of a product (rows, depth) by (depth, columns), rows being the weight's."""
    if precision == "int8":
        high, wide, deep = (8, 12, 4) if core == "cortex-a76" else (4, 16, 8)
    else:
        high, wide, deep = 8, 12, 1
    tiles = up(rows, high) * up(columns, wide)
    padded = up(depth, deep) * deep
    partial = up(rows, high) if columns % wide else 0
    return {
        "one": 1,
        "rows": rows,
        "tiles": tiles,
        "whole tiles*depth": (tiles - partial) * padded,
        "partial tiles*depth": partial * padded,
        "partial tiles": partial,
        **({f"tiles*depth in {block}": tiles * up(depth, block) for block in (4, 8, 16)} if deep > 1 else {}),
        "tile values": up(rows, high) * high * columns,
        "packed": up(columns, wide) * padded,
        "depth": depth,
        "depth*columns": depth * columns,
        "row blocks": up(rows, high),
        "row blocks*depth": up(rows, high) * padded,
        "rows*columns": rows * columns,
        "remainder": tiles * (depth % 4),
    }


def written(op: Operation) -> Terms:
    """Terms of writing a result: a fused activation and, of int8, the conversion cost more a value."""
    values = float(prod(op.output))
    terms = {"values": values}
    if op.activation:
        terms[f"padded values, {op.activation.removesuffix('6')}"] = values / op.output[1] * up(op.output[1], 8) * 8
        terms[f"values, {op.activation.removesuffix('6')}"] = values  # relu6 is one instruction more
    if op.bias:
        terms["values, bias"] = values
    if op.precision == "int8":
        terms[f"values, {op.variant}"] = values
        terms[f"rows, {op.variant}"] = float(prod(op.output[:-1]))
        if op.activation:
            terms[f"values, {op.activation}, {op.variant}"] = values
    return terms
