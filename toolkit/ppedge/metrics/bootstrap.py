"""A bootstrap: how sure a metric is, and, paired, the difference of two metrics on the same samples.

After Efron 1979, "Bootstrap Methods: Another Look at the Jackknife", with percentile intervals: samples are drawn anew
with replacement, of a difference the same ones for both sides, the metric is computed from their sums, and the middle
95 % of what comes out is the interval. It speaks of other samples of the same kind, not of other kinds; an interval of
no width means that all samples were alike, or made no difference, not that none ever will.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 2000
_AT_ONCE = 100  # resamples: 2000 of them for 10000 lines would take 160 MB


@dataclass(frozen=True)
class Measured:
    """A metric, or the difference of one between two sides, candidate less reference.

    Attributes:
        value: As measured.
        low: Lower end of its 95 % confidence interval; None with fewer than two samples, which say nothing of it.
        high: Upper end.
    """

    value: float
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


Figures = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From rows summed over samples, (..., K), to figures (...): `DetMetric.figures`, `RecMetric.figures`."""
_Sum = Callable[[np.ndarray], np.ndarray]


def intervals(figures: Figures, rows: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Measured]:
    """Return each figure with its interval.

    Args:
        figures: Of summed rows.
        rows: (N, K), one row a sample.
        seed: The same seed gives the same interval.
        resamples: How often samples are drawn.

    Raises:
        ValueError: There is no sample.
    """
    return _with_intervals(lambda total: figures(total(rows)), len(rows), seed, resamples)


def paired_differences(
    figures: Figures, reference: np.ndarray, candidate: np.ndarray, *, seed: int, resamples: int = RESAMPLES
) -> dict[str, Measured]:
    """Return the difference of each figure with its interval.

    Args:
        figures: Of summed rows.
        reference: (N, K), one row a sample.
        candidate: (N, K), the same samples.
        seed: The same seed gives the same interval.
        resamples: How often samples are drawn.

    Raises:
        ValueError: The two differ in shape, or hold no sample.
    """
    if reference.shape != candidate.shape:
        raise ValueError(f"rows of shape {reference.shape} and {candidate.shape} cannot be paired")

    def differences(total: _Sum) -> dict[str, np.ndarray]:
        before, after = figures(total(reference)), figures(total(candidate))
        return {name: after[name] - before[name] for name in before}

    return _with_intervals(differences, len(reference), seed, resamples)


def _with_intervals(
    measure: Callable[[_Sum], dict[str, np.ndarray]], count: int, seed: int, resamples: int
) -> dict[str, Measured]:
    """Return what is measured of so many samples, with intervals; ``measure`` is given what sums the samples' rows."""
    if not count:
        raise ValueError("there is no sample to measure")
    measured = measure(lambda rows: rows.sum(axis=0))
    if count < 2:
        return {name: Measured(float(value), None, None) for name, value in measured.items()}
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in measured}
    for begin in range(0, resamples, _AT_ONCE):
        # How often each sample is drawn: as good as which ones, and a matrix product sums the rows.
        times = generator.multinomial(count, np.full(count, 1 / count), size=min(_AT_ONCE, resamples - begin))
        for name, values in measure(partial(np.dot, times)).items():
            drawn[name].append(values)
    tail = (1 - CONFIDENCE) / 2
    found = {}
    for name, value in measured.items():
        low, high = np.quantile(np.concatenate(drawn[name]), [tail, 1 - tail])
        found[name] = Measured(float(value), float(low), float(high))
    return found
