"""How much of a metric one network loses against another on the same samples, and whether that is too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ppedge.metrics.bootstrap import CONFIDENCE, Measured, paired_differences
from ppedge.metrics.scores import Metric


@dataclass(frozen=True)
class Drop:
    """The drop of a metric, held against a limit.

    Attributes:
        metric: Its name.
        before: Its value on the reference, 0 to 1.
        after: Its value on the candidate.
        value: Of the drop: below 0 where the candidate is better.
        low: Lower end of the drop's 95 % confidence interval; None with fewer than two samples.
        high: Upper end.
        limit: Largest drop that is allowed; None allows any.
    """

    metric: str
    before: float
    after: float
    value: float
    low: float | None
    high: float | None
    limit: float | None

    @classmethod
    def of(cls, metric: str, before: float, after: float, difference: Measured, limit: float | None) -> Drop:
        """Return the drop that a difference, candidate less reference, is."""
        low, high = difference.low, difference.high
        value = 0.0 - difference.value  # 0.0 first: no drop is not -0.0
        if low is None or high is None:
            return cls(metric, before, after, value, None, None, limit)
        return cls(metric, before, after, value, 0.0 - high, 0.0 - low, limit)

    @property
    def by_chance(self) -> bool:
        """Whether a drop beyond the limit may be the doing of the few samples: its confidence interval reaches 0.

        A metric that falls to 0 is never taken for chance: the network is dead.
        """
        beyond = self.limit is not None and self.value > self.limit
        return beyond and self.after > 0 and self.low is not None and self.low <= 0

    @property
    def passed(self) -> bool:
        """Whether the limit holds, or may hold for all that is known; a value that is not a number does not."""
        return self.limit is None or self.value <= self.limit or self.by_chance

    @property
    def note(self) -> str:
        """What a person should know beside the value."""
        if self.low is None or self.high is None:
            return "one sample: no confidence interval"
        chance = ": may be chance" if self.by_chance else ""
        return f"{CONFIDENCE:.0%} interval {self.low:+.4f} to {self.high:+.4f}{chance}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "by_chance": self.by_chance, "passed": self.passed}


def drop_between(name: str, reference: Metric, candidate: Metric, limit: float | None, *, seed: int) -> Drop:
    """Return the drop of one figure between two metrics that have taken in the same samples in the same order.

    Args:
        name: Of the figure: ``hmean``, ``exact``, ``accuracy``.
        reference: Of the network before.
        candidate: Of the network after.
        limit: Largest drop that is allowed.
        seed: Of the confidence interval.
    """
    difference = paired_differences(reference.figures, reference.rows(), candidate.rows(), seed=seed)[name]
    return Drop.of(name, reference.summary()[name], candidate.summary()[name], difference, limit)


def drop_of(manifest: Mapping[str, Any]) -> Drop | None:
    """Return the drop that a slim stage's manifest tells of; None in one of an earlier version."""
    told = manifest.get("drop")
    return None if told is None else Drop(**{field.name: told[field.name] for field in fields(Drop)})
