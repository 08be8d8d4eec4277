"""A paired bootstrap: how sure a difference of two metrics on the same samples is.

After Efron 1979, "Bootstrap Methods: Another Look at the Jackknife", with percentile intervals: samples are drawn anew
with replacement, the same ones for both sides, the metric is computed from their sums on both, and the middle 95 % of
the differences is the interval. It speaks of other samples of the same kind, not of other kinds; an interval of no
width means that no sample made a difference, not that none ever will.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 2000
_AT_ONCE = 100  # resamples: 2000 of them for 10000 lines would take 160 MB


@dataclass(frozen=True)
class Difference:
    """A metric's difference, candidate less reference.

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


def paired_differences(
    figures: Callable[[np.ndarray], dict[str, np.ndarray]],
    reference: np.ndarray,
    candidate: np.ndarray,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Difference]:
    """Return the difference of each figure with its interval.

    Args:
        figures: From rows summed over samples, (..., K), to figures (...): `DetMetric.figures`, `RecMetric.figures`.
        reference: (N, K), one row a sample.
        candidate: (N, K), the same samples.
        seed: The same seed gives the same interval.
        resamples: How often samples are drawn.

    Raises:
        ValueError: The two differ in shape, or hold no sample.
    """
    if reference.shape != candidate.shape or not len(reference):
        raise ValueError(f"rows of shape {reference.shape} and {candidate.shape} cannot be paired")
    measured = _differences(figures, reference.sum(axis=0), candidate.sum(axis=0))
    count = len(reference)
    if count < 2:
        return {name: Difference(float(value), None, None) for name, value in measured.items()}
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in measured}
    for begin in range(0, resamples, _AT_ONCE):
        # How often each sample is drawn: as good as which ones, and a matrix product sums the rows.
        times = generator.multinomial(count, np.full(count, 1 / count), size=min(_AT_ONCE, resamples - begin))
        for name, values in _differences(figures, times @ reference, times @ candidate).items():
            drawn[name].append(values)
    tail = (1 - CONFIDENCE) / 2
    found = {}
    for name, value in measured.items():
        low, high = np.quantile(np.concatenate(drawn[name]), [tail, 1 - tail])
        found[name] = Difference(float(value), float(low), float(high))
    return found


def _differences(
    figures: Callable[[np.ndarray], dict[str, np.ndarray]], reference: np.ndarray, candidate: np.ndarray
) -> dict[str, np.ndarray]:
    before, after = figures(reference), figures(candidate)
    return {name: after[name] - before[name] for name in before}
