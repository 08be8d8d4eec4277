"""Timing that a busy machine distorts as little as possible: the contenders take turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def take_turns(
    contenders: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Call each contender once a round, A B A B, after one round that does not count.

    Args:
        contenders: By name.
        rounds: How often.
        clock: Seconds: of wall time, or ``time.process_time`` where it is to be processor time.

    Returns:
        The median of each contender's times, in seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, call in contenders.items():
            start = clock()
            call()
            if number:
                times[name].append(clock() - start)
    return {name: median(values) for name, values in times.items()}
