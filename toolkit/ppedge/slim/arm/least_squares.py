"""Closed forms: the affine map of least squares, and the narrowest place between two linear layers.

Everything rests on second moments that are gathered picture by picture, so the number of pictures costs time alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RIDGE = 1e-5
"""Of the mean variance, added to each: what few pictures say of two channels that are nearly the same is noise."""
SCARCE = 1e-4
"""Times inputs per sample: the same where there are few samples for so many inputs."""
PRECISION = 1e-6
"""Of a covariance matrix, relative to its norm, where samples of single precision are multiplied."""
LEAST = 1e-12
TOGETHER = 4096
"""Samples that are multiplied at once."""
QUIET = 1e-3
"""Of the outputs' root mean square deviation: the least that an error is counted in. An output that hardly varies would
else outweigh all others by its rounding."""


class Moments:
    """First and second moments of inputs x and wanted outputs y, gathered from samples.

    Attributes:
        count: Samples so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
        # Taken off the samples, so that products of small deviations are not the difference of two large numbers.
        self._shifts: list[npt.NDArray[np.float32]] = []
        self._sums: list[Array] = []
        self._products: list[Array] = []

    def add(self, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> None:
        """Add samples x (n, m) and y (n, k)."""
        self._waiting.append((x, y))
        self.count += len(x)
        if sum(len(x) for x, _ in self._waiting) >= TOGETHER:
            self._gather()

    def _gather(self) -> None:
        """Multiply the samples that wait."""
        if not self._waiting:
            return
        x, y = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting = []
        if not self._shifts:
            self._shifts = [x.mean(0), y.mean(0)]
        x, y = x - self._shifts[0], y - self._shifts[1]
        found = [x.sum(0, dtype=np.float64), y.sum(0, dtype=np.float64)]
        # The products of so many samples fit float32's precision; their sum is kept in float64.
        products = [part.astype(np.float64) for part in (x.T @ x, x.T @ y, (y**2).sum(0))]
        if self._sums:
            found = [a + b for a, b in zip(self._sums, found, strict=True)]
            products = [a + b for a, b in zip(self._products, products, strict=True)]
        self._sums, self._products = found, products

    @property
    def means(self) -> tuple[Array, Array]:
        """Means of x (m,) and y (k,)."""
        x, y = self._centres
        return x + self._shifts[0], y + self._shifts[1]

    @property
    def _centres(self) -> tuple[Array, Array]:
        self._gather()
        return self._sums[0] / self.count, self._sums[1] / self.count

    def covariances(self) -> tuple[Array, Array, Array]:
        """Return the covariances of x and x (m, m) and of x and y (m, k), and the variances of y (k,)."""
        x, y = self._centres
        xx, xy, yy = (product / self.count for product in self._products)
        return xx - np.outer(x, x), xy - np.outer(x, y), np.maximum(yy - y**2, 0)

    def second(self) -> tuple[Array, Array, Array]:
        """Return the same about 0 instead of about the means."""
        x, y = self.means
        xx, xy, yy = self.covariances()
        return xx + np.outer(x, x), xy + np.outer(x, y), yy + y**2

    @property
    def deviations(self) -> Array:
        """Standard deviations of y (k,)."""
        return np.sqrt(self.covariances()[2])

    @property
    def ridge(self) -> float:
        """Of the inputs' mean variance, what is added to each: the more, the fewer samples an input has."""
        inputs = len(self._centres[0])
        return max(RIDGE, SCARCE * inputs / self.count)

    def of(self, kept: Sequence[int]) -> Moments:
        """Return the moments of some of the inputs and all outputs."""
        self._gather()
        found, index = Moments(), list(kept)
        found.count = self.count
        found._shifts = [self._shifts[0][index], self._shifts[1]]
        found._sums = [self._sums[0][index], self._sums[1]]
        xx, xy, yy = self._products
        found._products = [xx[np.ix_(index, index)], xy[index], yy]
        return found


@dataclass(frozen=True)
class Fit:
    """An affine map that predicts y from x: ``y = x @ weight + bias``.

    Attributes:
        weight: (m, k).
        bias: (k,).
        error: Squared error on the samples it was fitted to, in units of the scale asked for, mean over the outputs.
    """

    weight: Array
    bias: Array
    error: float


def fit(moments: Moments, scale: Array | None = None, *, start: Array | None = None, intercept: bool = True) -> Fit:
    """Fit by least squares.

    Args:
        moments: Of x and y.
        scale: (k,) standard deviation that each output's error is counted in; by default its own.
        start: (m, k) weights that the fit is drawn to, as far as the samples say little; by default 0.
        intercept: Whether there is a bias; else it is 0.
    """
    xx, xy, yy = moments.covariances() if intercept else moments.second()
    weight = np.zeros_like(xy) if start is None else start
    weight = weight + np.linalg.solve(ridged(xx, moments.ridge), xy - xx @ weight)
    units = units_of(moments.deviations if scale is None else scale)
    left = yy - 2 * (weight * xy).sum(0) + (weight * (xx @ weight)).sum(0)
    error = float((np.maximum(left, 0) / units**2).mean())
    mean_x, mean_y = moments.means
    bias = mean_y - mean_x @ weight if intercept else np.zeros(len(yy))
    return Fit(weight, bias, error)


def units_of(scale: Array) -> Array:
    """Return what outputs' errors are counted in: their deviations (k,), none below a small share of the usual one."""
    return np.maximum(scale, max(QUIET * float(np.sqrt((scale**2).mean())), LEAST))


def bottleneck(kernel: npt.NDArray[np.float32], covariance: Array, rank: int) -> tuple[Array, Array]:
    """Find the channels that a convolution can do with: the best narrow place between features and their reader.

    Minimises the expected ``|G - G D E|`` over encoders E and decoders D, counted in the features' covariance and with
    the kernel's taps taken as independent: a truncated singular value decomposition between the square roots of both.

    Args:
        kernel: (o, c, k, k) of the convolution that reads the features.
        covariance: (c, c) of the features.
        rank: Channels of the narrow place.

    Returns:
        E (rank, c), with which the features become ``E f``, and D (c, rank), with which the kernel becomes ``G D``.
    """
    left, values, right = np.linalg.svd(root_of_readers(kernel) @ _power(covariance, 0.5))
    encoder = right[:rank] @ _power(covariance, -0.5)
    return encoder, _power(_readers(kernel), -0.5) @ (left[:, :rank] * values[:rank])


def bottleneck_errors(kernel: npt.NDArray[np.float32], covariance: Array) -> Array:
    """Return the share of what the reader gets that `bottleneck` loses: (c,), at the ranks 1 to c."""
    values = np.linalg.svd(root_of_readers(kernel) @ _power(covariance, 0.5), compute_uv=False) ** 2
    return np.asarray(1 - np.cumsum(values) / values.sum()).clip(min=0)


def root_of_readers(kernel: npt.NDArray[np.float32]) -> Array:
    """Return the matrix (c, c) by which features become what a convolution's readings of them differ by, all in all."""
    return _power(_readers(kernel), 0.5)


def _readers(kernel: npt.NDArray[np.float32]) -> Array:
    """Return how a convolution's readings of any two of its inputs go together: (c, c)."""
    return np.einsum("ockl,odkl->cd", kernel, kernel).astype(np.float64)


def _power(matrix: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    floored = np.maximum(values, max(values.max(), LEAST) * 1e-9)
    return np.asarray((vectors * floored**exponent) @ vectors.T)


def ridged(matrix: Array, ridge: float) -> Array:
    """Return a covariance matrix with a share of its mean variance added to each variance.

    It is no less than what single precision may get wrong, so that the sum has an inverse of which enough digits are
    right.
    """
    size = len(matrix)
    added = max(np.trace(matrix) / size * ridge, float(np.linalg.norm(matrix)) * PRECISION, LEAST)
    return matrix + np.eye(size) * added
