"""Closed forms: channels that the others can replace, and the narrowest place between two linear layers.

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
LEAST = 1e-12
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
        # Taken off the samples, so that products of small deviations are not the difference of two large numbers.
        self._shifts: list[npt.NDArray[np.float32]] = []
        self._sums: list[Array] = []
        self._products: list[Array] = []

    def add(self, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> None:
        """Add samples x (n, m) and y (n, k)."""
        if not self.count:
            self._shifts = [x.mean(0), y.mean(0)]
        x, y = x - self._shifts[0], y - self._shifts[1]
        found = [x.sum(0, dtype=np.float64), y.sum(0, dtype=np.float64)]
        # The products of one batch fit float32's precision; their sum over batches is kept in float64.
        products = [(a.T @ b).astype(np.float64) for a, b in ((x, x), (x, y), (y, y))]
        if self.count:
            found = [a + b for a, b in zip(self._sums, found, strict=True)]
            products = [a + b for a, b in zip(self._products, products, strict=True)]
        self._sums, self._products = found, products
        self.count += len(x)

    @property
    def means(self) -> tuple[Array, Array]:
        """Means of x (m,) and y (k,)."""
        x, y = self._centres
        return x + self._shifts[0], y + self._shifts[1]

    @property
    def _centres(self) -> tuple[Array, Array]:
        return self._sums[0] / self.count, self._sums[1] / self.count

    def covariances(self) -> tuple[Array, Array, Array]:
        """Return the covariances of x and x (m, m), x and y (m, k), y and y (k, k)."""
        x, y = self._centres
        xx, xy, yy = (product / self.count for product in self._products)
        return xx - np.outer(x, x), xy - np.outer(x, y), yy - np.outer(y, y)

    def of(self, kept: Sequence[int]) -> Moments:
        """Return the moments of some of the inputs and all outputs."""
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


def fit(moments: Moments, scale: Array | None = None) -> Fit:
    """Fit by least squares.

    Args:
        moments: Of x and y.
        scale: (k,) standard deviation that each output's error is counted in; by default its own.
    """
    xx, xy, yy = moments.covariances()
    mean_x, mean_y = moments.means
    weight = np.linalg.solve(_ridged(xx), xy)
    units = units_of(np.sqrt(np.maximum(np.diag(yy), 0)) if scale is None else scale)
    left = np.diag(yy) - 2 * (weight * xy).sum(0) + (weight * (xx @ weight)).sum(0)
    error = float((np.maximum(left, 0) / units**2).mean())
    return Fit(weight, mean_y - mean_x @ weight, error)


def units_of(scale: Array) -> Array:
    """Return what outputs' errors are counted in: their deviations (k,), none below a small share of the usual one."""
    return np.maximum(scale, max(QUIET * float(np.sqrt((scale**2).mean())), LEAST))


def eliminate(xx: Array, xy: Array, yy: Array, scale: Array, multiple: int) -> dict[int, tuple[list[int], float]]:
    """Take input channels out one by one, always the one that the others replace best, refitting as it goes.

    Backward elimination on the normal equations: with ``P = xx^-1`` and ``W = P xy``, taking out channel j lets the
    squared error grow by ``|W_j|^2 / P_jj``, and P and W of the rest follow by a rank-one update (block inversion).

    Args:
        xx: (m, m) covariance of the inputs.
        xy: (m, k) covariance of inputs and wanted outputs.
        yy: (k, k) covariance of the wanted outputs.
        scale: (k,) standard deviation that each output's error is counted in.
        multiple: Counts to report are multiples of this, at least one multiple.

    Returns:
        Kept count -> kept channels, ascending, and the squared error in units of ``scale``, mean over the outputs; m
        itself is there too.
    """
    units = units_of(scale)
    kept = list(range(len(xx)))
    inverse = np.linalg.inv(_ridged(xx))
    xy = xy / units
    weight = inverse @ xy
    error = float((np.diag(yy) / units**2).sum() - (weight * xy).sum())
    found = {len(kept): (list(kept), max(error, 0.0) / len(units))}
    while len(kept) > multiple:
        price = (weight**2).sum(1) / np.diag(inverse)
        j = int(price.argmin())
        error += float(price[j])
        row, pivot = inverse[j], inverse[j, j]
        weight = np.delete(weight - np.outer(inverse[:, j], weight[j]) / pivot, j, 0)
        inverse = np.delete(np.delete(inverse - np.outer(inverse[:, j], row) / pivot, j, 0), j, 1)
        kept.pop(j)
        if len(kept) % multiple == 0:
            found[len(kept)] = (list(kept), max(error, 0.0) / len(units))
    return found


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
    readers = _readers(kernel)
    left, values, right = np.linalg.svd(_power(readers, 0.5) @ _power(covariance, 0.5))
    encoder = right[:rank] @ _power(covariance, -0.5)
    return encoder, _power(readers, -0.5) @ (left[:, :rank] * values[:rank])


def bottleneck_errors(kernel: npt.NDArray[np.float32], covariance: Array) -> Array:
    """Return the share of what the reader gets that `bottleneck` loses: (c,), at the ranks 1 to c."""
    values = np.linalg.svd(_power(_readers(kernel), 0.5) @ _power(covariance, 0.5), compute_uv=False) ** 2
    return np.asarray(1 - np.cumsum(values) / values.sum()).clip(min=0)


def _readers(kernel: npt.NDArray[np.float32]) -> Array:
    """Return how a convolution's readings of any two of its inputs go together: (c, c)."""
    return np.einsum("ockl,odkl->cd", kernel, kernel).astype(np.float64)


def _power(matrix: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    floored = np.maximum(values, max(values.max(), LEAST) * 1e-9)
    return np.asarray((vectors * floored**exponent) @ vectors.T)


def _ridged(matrix: Array) -> Array:
    size = len(matrix)
    return matrix + np.eye(size) * max(np.trace(matrix) / size * RIDGE, LEAST)
