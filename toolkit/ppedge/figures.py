"""Figures as people read them."""

from __future__ import annotations

import math

_MOST = 17
"""Digits that tell any two floats apart."""


def figure(value: float | None, digits: int = 6) -> str:
    """Return a number with so many digits that count: ``2,228,000``, ``0.0124``, ``3.1e-07``.

    Whole digits are never cut off. What is no number, or None, as a report keeps it, is ``not finite``.
    """
    if value is None or not math.isfinite(value):
        return "not finite"
    return f"{value:,.0f}" if abs(value) >= 10**digits - 0.5 else f"{value:,.{digits}g}"


def held(value: float | None, limit: float, digits: int = 6) -> tuple[str, str]:
    """Return a value and the limit that it is held against, written alike.

    They have so many digits, or more where the two would look equal and are not.
    """
    while digits < _MOST and value != limit and figure(value, digits) == figure(limit, digits):
        digits += 1
    return figure(value, digits), figure(limit, digits)
