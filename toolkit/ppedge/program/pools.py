"""Pooling of maps of few rows, in forms for which Paddle Lite has fast kernels.

Its kernel for 2x2 windows two apart takes 4 instructions an element, and wants a map that is higher than the window.
The general kernel, which serves all others, takes 190 for each value of each window. A recogniser pools its last two
or three rows into one.
"""

from __future__ import annotations

from ppedge.program.changes import Change
from ppedge.program.operator import Operator
from ppedge.program.program import Program
from ppedge.program.steps import Steps

_PLAIN = {"global_pooling": False, "adaptive": False, "ceil_mode": False, "data_format": "NCHW"}


def few_rows(program: Program) -> list[Change]:
    """Pool windows of all rows of a map, two columns wide and apart, by 2x2 windows of a higher map.

    A map of two rows is seen as one of four, with half as many channels. Of more rows the mean is that of their sum,
    which is put below itself.
    """
    changes = []
    for pool in list(program.operators):
        rows = _rows(program, pool)
        if not rows:
            continue
        source, target, kind = pool.input("X"), pool.output("Out"), pool.get("pooling_type")
        batch, channels, _, width = program.shape(source)
        kept = program.shape(target)
        steps = Steps(program, source)
        if rows == 2 and channels % 2 == 0:
            four = steps.reshape(source, [0, channels // 2, 4, -1], (batch, channels // 2, 4, width))
            two = steps.pool(four, kind, 2, (batch, channels // 2, 2, kept[3]))
            steps.reshape(two, [0, channels, 1, -1], kept, out=target)
            done = "two channels seen as one of four rows"
        elif kind == "avg":
            first, *others = steps.parts(source, 2, rows)
            for other in others:
                first = steps.sum(first, other)
            steps.scale(steps.pool(steps.stacked(first, 3), kind, 2, kept), 1 / rows, out=target)
            done = f"{rows} rows added before"
        else:
            continue
        steps.insert(behind=pool)
        program.remove(pool)
        changes.append(Change("few-rows", target, done))
    return changes


def _rows(program: Program, pool: Operator) -> int:
    """Return how many rows a pooling's windows have, if that is all rows, two columns wide and apart; else 0."""
    if pool.type != "pool2d" or set(pool.inputs) != {"X"} or any(pool.get(k, v) != v for k, v in _PLAIN.items()):
        return 0
    if pool.get("padding_algorithm", "EXPLICIT") == "SAME" or any(pool.get("paddings", [0])):
        return 0
    window, height = pool.get("ksize"), (*program.shape(pool.input("X")), 0, 0, 0)[2]
    whole = len(program.shape(pool.input("X"))) == 4 and window[0] == height and height > 1
    # One window is all that fits in the height, whatever the stride.
    return height if whole and window[1] == 2 and pool.get("strides")[1] == 2 else 0
