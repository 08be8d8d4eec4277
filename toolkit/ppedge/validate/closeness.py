"""How close one array of values is to another, over many pairs of arrays: difference, cosine, signal-to-noise ratio.

With the reference values r and the values c that are held against them, all in float64:

    SNR = 10 log10(sum r^2 / sum (c - r)^2) dB        cosine = sum r c / sqrt(sum r^2 sum c^2)

A factor of 1.1 on every value is 20 dB; rounding to 8 bits costs about 40 dB of a layer that uses its whole range.
"""

from __future__ import annotations

import math

import numpy as np

LIMIT_DB = 150.0
"""Equal values are given this ratio, which float32 cannot tell from equality, and values not finite its negative."""


class Closeness:
    """Adds up pairs of arrays.

    Attributes:
        pairs: Pairs that were compared.
        misshapen: Pairs left out because their shapes differ.
        max_difference: Largest |c - r|; infinite where a value is not finite.
    """

    def __init__(self) -> None:
        self.pairs = self.misshapen = self._count = 0
        self.max_difference = self._difference = self._signal = self._other = self._product = self._noise = 0.0

    def update(self, reference: np.ndarray, other: np.ndarray) -> None:
        """Add a pair of arrays, of any shape."""
        self.pairs += 1
        if reference.shape != other.shape:
            self.misshapen += 1
            return
        r, c = reference.ravel().astype(np.float64), other.ravel().astype(np.float64)
        if not (np.isfinite(r).all() and np.isfinite(c).all()):
            self.max_difference = self._difference = self._noise = math.inf
            return
        noise = np.abs(c - r)
        self._count += r.size
        self.max_difference = max(self.max_difference, float(noise.max(initial=0.0)))
        self._difference += float(noise.sum())
        self._noise += float(noise @ noise)
        self._signal += float(r @ r)
        self._other += float(c @ c)
        self._product += float(r @ c)

    @property
    def snr_db(self) -> float:
        """The signal-to-noise ratio in dB, between plus and minus `LIMIT_DB`."""
        if self._noise == 0.0:
            return LIMIT_DB
        if not math.isfinite(self._noise) or self._signal == 0.0:
            return -LIMIT_DB
        return min(max(10 * math.log10(self._signal / self._noise), -LIMIT_DB), LIMIT_DB)

    @property
    def cosine(self) -> float | None:
        """The cosine of the angle between all values of both, -1 to 1; None if one side is zero or not finite."""
        size = math.sqrt(self._signal * self._other)
        if size == 0.0 or not math.isfinite(self._noise):
            return None
        return max(-1.0, min(1.0, self._product / size))

    def to_dict(self) -> dict[str, float | int | None]:
        """Return all figures as plain JSON values; a difference that is not finite is null."""
        mean = self._difference / max(self._count, 1)
        return {
            "pairs": self.pairs,
            "misshapen": self.misshapen,
            "max_difference": self.max_difference if math.isfinite(self.max_difference) else None,
            "mean_difference": mean if math.isfinite(mean) else None,
            "snr_db": round(self.snr_db, 2),
            "cosine": self.cosine,
        }
