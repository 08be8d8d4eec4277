"""Nearest upsampling by whole factors, in forms for which Paddle Lite has fast kernels.

Its kernel for ``nearest_interp`` takes 10 instructions an element. A depthwise transposed convolution with a filter of
ones makes the same two by two pixels in 4; four times as many channels of each, by a 1x1 convolution with ones, and a
shuffle of pixels make four by four in 3.5.
"""

from __future__ import annotations

import numpy as np

from ppedge.program.changes import Change
from ppedge.program.operator import Operator
from ppedge.program.program import Program
from ppedge.program.steps import Steps

_FACTORS = {2: (2,), 4: (4,), 8: (4, 2)}
"""By what a map is enlarged: the steps in which it is cheapest."""


def nearest(program: Program) -> list[Change]:
    """Repeat pixels by convolutions with ones."""
    changes: list[Change] = []
    ones: dict[tuple[int, ...], str] = {}
    for operator in list(program.operators):
        factor = _factor(operator)
        channels = (*program.shape(operator.input("X")), -1, -1)[1] if factor else -1
        if channels <= 0:
            continue
        target = operator.output("Out")
        steps, made = Steps(program, target), operator.input("X")
        for step in _FACTORS[factor]:
            shape = (channels, 1, 2, 2) if step == 2 else (channels * step**2, 1, 1, 1)
            if shape not in ones:
                ones[shape] = program.add_weight("upsampling.ones", np.ones(shape, np.float32), "upsampling.ones")
            out = target if step == _FACTORS[factor][-1] else None
            if step == 2:
                made = steps.doubled(made, ones[shape], out)
            else:
                made = steps.pixel_shuffle(steps.convolution(made, ones[shape], channels), step, out)
        steps.insert(behind=operator)
        program.remove(operator)
        changes.append(Change("nearest", target, f"{factor} times the size, by convolutions with ones"))
    return changes


def _factor(operator: Operator) -> int:
    """Return by what an operator repeats rows and columns, if it does that alone and is known here; else 0."""
    if operator.type != "nearest_interp_v2" or set(operator.inputs) != {"X"} or operator.get("align_corners", True):
        return 0
    scale = operator.get("scale", [])
    same = len(scale) == 2 and scale[0] == scale[1] and operator.get("data_layout", "NCHW") == "NCHW"
    return int(scale[0]) if same and scale[0] in _FACTORS else 0
