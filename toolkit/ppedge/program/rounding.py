"""Quantized programs: what they compute without rounding, and what a rewrite of theirs may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from ppedge.program.program import Program

QUANTIZER = "fake_quantize_dequantize"
"""What the types of operators start with that round a value to its level."""
MORE_ROUNDING = 1.5
"""So many times the squared error that 8 bits made before a rewrite they may make after it: others are rounded up."""
Outputs = Callable[[Program], list[np.ndarray]]


def without_rounding(program: Program) -> Program:
    """Return a copy of a quantized program in which values stay as they are, and weights alone are on their levels."""
    copy = program.copy()
    for op in [one for one in copy.operators if one.type.startswith(QUANTIZER)]:
        copy.read_instead(op.output("Out"), op.input("X"))
    copy.drop_dead()
    return copy


class Expected:
    """What a program gives, which its rewritten forms are held against.

    A quantized program magnifies differences: a value that moves by 1e-7 may be rounded to another level, and in the
    end an output moves by .2, which is chance and no fault. Where its outputs differ by more than the limit, they are
    compared without the rounding of values, and rounding must not cost much more than it did.

    Args:
        program: As it was before all rewrites.
        outputs: What a program makes of the inputs that are tried; raises `PpedgeError` if it cannot be run.
    """

    def __init__(self, program: Program, outputs: Outputs) -> None:
        self._program, self._run = program, outputs
        self._outputs = outputs(program)

    def judge(self, tried: Program, limit: float) -> tuple[float, str]:
        """Compare a rewritten form.

        Args:
            tried: The form.
            limit: Largest difference of an output, as a share of the largest output if that is above 1.

        Returns:
            The largest difference of an output, of a quantized program's without rounding if need be; and why the form
            is refused, empty if it is not.

        Raises:
            PpedgeError: It cannot be run.
        """
        found = self._run(tried)
        difference, allowed = largest_difference(found, self._outputs, limit)
        if difference <= allowed or not (self._program.quantized and np.isfinite(difference)):
            return difference, _refusal(difference, allowed)
        unrounded, allowed = largest_difference(self._run(without_rounding(tried)), self._unrounded, limit)
        if not unrounded <= allowed:
            return unrounded, _refusal(unrounded, allowed)
        before, after = (_squared_error(one, self._unrounded) for one in (self._outputs, found))
        if not after <= MORE_ROUNDING * before:
            return difference, f"8 bits would cost {after / max(before, 1e-30):.2g} times the error that they do"
        return unrounded, ""

    @cached_property
    def _unrounded(self) -> list[np.ndarray]:
        return self._run(without_rounding(self._program))


def _refusal(difference: float, allowed: float) -> str:
    return "" if difference <= allowed else f"an output would differ by {difference:.2g}"


def largest_difference(
    found: Sequence[np.ndarray], reference: Sequence[np.ndarray], limit: float
) -> tuple[float, float]:
    """Return the largest difference of a value, infinite for other shapes, and the one that a limit allows."""
    if [one.shape for one in found] != [one.shape for one in reference]:
        return float("inf"), limit
    pairs = [(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(found, reference, strict=True)]
    differences = [np.abs(a - b).max(initial=0) for a, b in pairs]
    size = float(np.max([np.abs(b).max(initial=0) for _, b in pairs], initial=0))
    return float(np.max(differences, initial=0)), limit * max(1.0, size)


def _squared_error(found: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> float:
    return float(sum(((a.astype(np.float64) - b) ** 2).sum() for a, b in zip(found, reference, strict=True)))
