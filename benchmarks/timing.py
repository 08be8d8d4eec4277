"""Timing that a busy machine distorts as little as possible: the contenders take turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def take_turns(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Call each contender once a round, A B A B, after one round that does not count.

    Returns:
        The median of each contender's times, in seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in times.items()}
