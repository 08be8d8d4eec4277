"""Figures as people read them, alone and beside the limit that they are held against."""

import pytest

from ppedge.figures import figure, held


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [
        (2_228_000, 4, "2,228,000"),
        (2_228_123.0, 6, "2,228,123"),
        (99.96, 2, "100"),
        (123.4, 2, "123"),
        (1234.5, 6, "1,234.5"),
        (0.98765, 4, "0.9877"),
        (1.0, 4, "1"),
        (-0.25, 2, "-0.25"),
        (3.1e-7, 2, "3.1e-07"),
        (float("inf"), 2, "not finite"),
        (float("nan"), 2, "not finite"),
        (None, 2, "not finite"),
    ],
)
def test_a_figure(value, digits, told):
    assert figure(value, digits) == told


@pytest.mark.parametrize(
    ("value", "limit", "told"),
    [
        (1.01, 1.0, ("1.01", "1")),
        (1.004, 1.0, ("1.004", "1")),
        (0.0100000001, 0.01, ("0.0100000001", "0.01")),
        (0.01, 0.01, ("0.01", "0.01")),
        (52_300_000.0, 52_299_999.0, ("52,300,000", "52,299,999")),
        (None, 0.01, ("not finite", "0.01")),
        (float("nan"), 0.01, ("not finite", "0.01")),
    ],
)
def test_what_differs_from_its_limit_looks_so(value, limit, told):
    assert held(value, limit, digits=2) == told
