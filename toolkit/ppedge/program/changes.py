"""What a pass of rewrites tells of its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ppedge.program.program import Program


@dataclass(frozen=True)
class Change:
    """One place of a program that a pass has rewritten.

    Attributes:
        kind: The pass.
        where: A weight of the layer, as the network named it; an operator's output where it has none.
        done: What was done, for people.
    """

    kind: str
    where: str
    done: str


Pass = Callable[[Program], list[Change]]
"""Rewrites a program in place and says where; a place that it cannot prove equal, it leaves alone.

Equal means: for every size of input that the program takes, but for rounding.
"""
