"""Slices of one variable that Paddle Lite copies faster together.

Attention takes queries, keys and values apart by a slice each, 74 instructions an element; ``split`` copies all three
for 2.
"""

from __future__ import annotations

from collections import defaultdict

from ppedge.program.changes import Change
from ppedge.program.operator import Operator
from ppedge.program.program import Program
from ppedge.program.steps import Steps


def slices(program: Program) -> list[Change]:
    """Take a variable apart once along its first axis, where it is sliced more than once."""
    found = defaultdict(list)
    for operator in program.operators:
        if _part(program, operator) is not None:
            found[operator.input("Input")].append(operator)
    changes = []
    for source, together in found.items():
        if len(together) < 2:
            continue
        steps = Steps(program, together[0].output("Out"))
        parts = steps.parts(source, 0, program.shape(source)[0])
        for operator in together:
            steps.squeeze(parts[_part(program, operator) or 0], 0, out=operator.output("Out"))
        steps.insert(behind=together[0])
        for operator in together:
            program.remove(operator)
        changes.append(Change("slices", source, f"{len(together)} slices taken by one split"))
    return changes


def _part(program: Program, operator: Operator) -> int | None:
    """Return which part of the first axis, one deep and without that axis, an operator takes; None for all others.

    A vector's slices are left alone: those are sizes, of integers.
    """
    if operator.type != "slice" or set(operator.inputs) != {"Input"}:
        return None
    shape, starts, ends = (program.shape(operator.input("Input")), operator.get("starts"), operator.get("ends"))
    if len(shape) < 3 or not operator.get("axes") == operator.get("decrease_axis") == [0]:
        return None
    inside = len(starts) == 1 and 0 <= starts[0] < shape[0] and ends == [starts[0] + 1]
    return int(starts[0]) if inside else None
