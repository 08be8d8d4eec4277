"""From a strategy to inputs: hypothesis draws, and the same seed gives the same inputs in every process."""

from __future__ import annotations

import warnings
from zlib import crc32

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from fuzz.contract import Files


def draw(inputs: SearchStrategy[Files], name: str, number: int, count: int) -> list[Files]:
    """Draw inputs.

    They are drawn apart from being run: hypothesis changes the recursion limit while it is at work, and would take a
    process that dies for its own.

    Args:
        inputs: The strategy.
        name: What the seed is for: the same number gives other inputs for another name.
        number: The seed.
        count: How many; fewer come of a strategy that has no more.
    """
    drawn: list[Files] = []

    @seed(crc32(f"{name} {number}".encode()))
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def collect(files: Files) -> None:
        drawn.append(files)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return drawn[:count]
