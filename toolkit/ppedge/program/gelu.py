"""GELU by operators that Paddle Lite computes fast: not the same numbers, but each within a stated bound.

Its kernel for GELU takes 110 to 130 instructions an element, in PP-OCRv6 more than the convolution before it.
``x * sigmoid(x * (a + b t + c t * t))`` with ``t = min(x * x, 20)`` takes about 25.

The limit is a ``clip``: Paddle Lite's ``relu6`` takes every threshold for 6.
"""

from __future__ import annotations

from ppedge.program.changes import Change
from ppedge.program.program import Program
from ppedge.program.steps import Steps

BOUND = 2.6e-5
"""Largest difference to GELU, of any value."""
_A, _B, _C, _MOST = 1.59501317, 0.0740136542, -0.000703417277, 20.0
"""Chosen so that the largest difference is least; above the limit the sigmoid is 0 or 1 in float32 all the same."""


def approximate_gelu(program: Program) -> list[Change]:
    """Compute GELU by a sigmoid of a polynomial, with differences up to `BOUND`."""
    changes = []
    for gelu in list(program.operators):
        if gelu.type != "gelu" or gelu.get("approximate", False):
            continue
        x, target = gelu.input("X"), gelu.output("Out")
        steps = Steps(program, target)
        square = steps.product(x, x)
        # c (t + b / 2c)^2 + a - b^2 / 4c: one product less than by Horner's rule.
        limited = steps.limited(square, _MOST)
        shifted = steps.scale(limited, 1.0, shift=_B / (2 * _C))
        factor = steps.scale(steps.product(shifted, shifted), _C, shift=_A - _B**2 / (4 * _C))
        steps.product(x, steps.sigmoid(steps.product(x, factor)), out=target)
        steps.insert(behind=gelu)
        program.remove(gelu)
        changes.append(Change("approximate-gelu", target, f"a sigmoid of a polynomial, to {BOUND:g}"))
    return changes
