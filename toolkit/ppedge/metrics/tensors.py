"""Parity of tensors: how far a network's outputs on two engines lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


def finite(value: float) -> float | None:
    """Return the value, or None for what JSON has no number for."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class TensorParity:
    """Two engines' outputs r (reference) and c (candidate), all values of all samples taken as one vector.

    Attributes:
        max_difference: max |c - r|; infinite if shapes differ or a value on either side is not finite.
        mean_difference: mean |c - r|, likewise.
        cosine: r . c / (|r| |c|), -1 to 1; 1 if both are zero; not a number if shapes differ or a value is not finite.
        snr_db: Signal-to-noise ratio in decibels, 10 log10(sum r^2 / sum (c - r)^2): 60 dB is an error of a thousandth
            of the signal. Infinite if the two are equal; not a number where the cosine is not.
    """

    max_difference: float
    mean_difference: float
    cosine: float
    snr_db: float

    @property
    def identical(self) -> bool:
        """Whether all values are equal."""
        return self.max_difference == 0.0

    def to_dict(self) -> dict[str, float | bool | None]:
        """Return plain JSON values; what is infinite or not a number is null, ``identical`` says which."""
        return {
            "identical": self.identical,
            "max_difference": finite(self.max_difference),
            "mean_difference": finite(self.mean_difference),
            "cosine": finite(self.cosine),
            "snr_db": finite(self.snr_db),
        }


class TensorStatistics:
    """Gathers `TensorParity` sample by sample, in float64.

    Attributes:
        broken: How many candidate outputs had another shape than the reference's, or values that are not finite.
    """

    def __init__(self) -> None:
        self.broken = 0
        self._spoilt = False
        self._count = 0
        self._largest = self._absolute = self._square = 0.0
        self._rr = self._cc = self._rc = 0.0

    def add(self, reference: np.ndarray, candidate: np.ndarray) -> None:
        """Take in one sample's outputs, of any shape."""
        fits = reference.shape == candidate.shape and bool(np.isfinite(candidate).all())
        self.broken += not fits
        if not fits or not np.isfinite(reference).all():
            self._spoilt = True
            return
        r, c = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
        difference = np.abs(c - r)
        self._count += r.size
        self._largest = max(self._largest, float(difference.max(initial=0.0)))
        self._absolute += float(difference.sum())
        self._square += float(difference @ difference)
        self._rr, self._cc, self._rc = self._rr + float(r @ r), self._cc + float(c @ c), self._rc + float(r @ c)

    def result(self) -> TensorParity:
        """Return the figures of what was added so far."""
        if self._spoilt:
            return TensorParity(math.inf, math.inf, math.nan, math.nan)
        snr = 10 * (_log10(self._rr) - _log10(self._square)) if self._square else math.inf
        norms = math.sqrt(self._rr) * math.sqrt(self._cc)
        cosine = min(1.0, max(-1.0, self._rc / norms)) if norms else float(self._rr == self._cc)
        return TensorParity(self._largest, self._absolute / max(self._count, 1), cosine, snr)


def _log10(value: float) -> float:
    return math.log10(value) if value else -math.inf


def tensor_parity(reference: np.ndarray, candidate: np.ndarray) -> TensorParity:
    """Return the figures of one pair of outputs."""
    statistics = TensorStatistics()
    statistics.add(reference, candidate)
    return statistics.result()
