"""Linear layers as least squares see them: rows of what they read, rows of what they give, weights as a matrix.

A reader's inputs are ordered channel by channel, then by the taps of its kernel. A map is looked at at some places
only: neighbours say nearly the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from paddle import nn

from ppedge.slim.arm.least_squares import Array, Fit

LEAST_SLOPE = 1e-6
Rows = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


class Reader:
    """A layer whose output is an affine function of its input, with the BatchNorm behind it.

    Args:
        layer: The layer.
        norm: The BatchNorm, or None.

    Attributes:
        taps: How many inputs a channel is read by.
        intercept: Whether layer and BatchNorm have a bias that may be fitted.
    """

    taps = 1

    def __init__(self, layer: Any, norm: Any = None) -> None:
        self.layer, self.norm = layer, norm
        self.intercept = norm is not None or layer.bias is not None

    def rows_of(self, channels: Sequence[int]) -> Places:
        """Return which inputs some channels are read by: (channels, taps)."""
        return np.asarray(channels)[:, None] * self.taps + np.arange(self.taps)

    def sample(self, given: Sequence[int], made: Sequence[int], rng: np.random.Generator, positions: int) -> Places:
        """Draw places, the same for all samples, from the shapes of what the layer is given and makes."""
        count = int(np.prod(made[2:]))
        return np.sort(rng.choice(count, min(positions, count), replace=False))

    def read(self, given: Rows, places: Places) -> Rows:
        """Return what the layer reads at some places of its output: (N * places, inputs)."""
        raise NotImplementedError

    def made(self, values: Rows, places: Places) -> Rows:
        """Return what it, or a map of its output's shape, has there: (N * places, outputs)."""
        return rows(values, places)

    def weight(self) -> Array:
        """Return the weights of what BatchNorm gives, or without one the layer: (inputs, outputs)."""
        return self._matrix() * (1.0 if self.norm is None else slope_of(self.norm))

    def put(self, found: Fit, kept: Places) -> None:
        """Take the weights and the bias that were fitted to some inputs; the weights of the others become 0."""
        whole = np.zeros((len(self._matrix()), found.weight.shape[1]))
        whole[kept] = found.weight
        if self.norm is not None:
            whole = put_into_norm(
                self.norm, whole, found.bias, 0 if self.layer.bias is None else self.layer.bias.numpy()
            )
        elif self.layer.bias is not None and self.intercept:
            self.layer.bias.set_value(found.bias.astype(np.float32))
        self._put_matrix(whole.astype(np.float32))

    def _matrix(self) -> Array:
        raise NotImplementedError

    def _put_matrix(self, matrix: Rows) -> None:
        raise NotImplementedError


class LinearReader(Reader):
    """A `paddle.nn.Linear`: maps (N, ..., inputs) to (N, ..., outputs)."""

    def sample(self, given: Sequence[int], made: Sequence[int], rng: np.random.Generator, positions: int) -> Places:
        """Draw places of the axes between the first and the last."""
        return super().sample(given, [*made[:1], made[-1], *made[1:-1]], rng, positions)

    def read(self, given: Rows, places: Places) -> Rows:
        """Return rows of its input."""
        return self.made(given, places)

    def made(self, values: Rows, places: Places) -> Rows:
        """Return rows of an input or output."""
        return np.ascontiguousarray(values.reshape(len(values), -1, values.shape[-1])[:, places]).reshape(
            -1, values.shape[-1]
        )

    def _matrix(self) -> Array:
        return np.asarray(self.layer.weight.numpy(), np.float64)

    def _put_matrix(self, matrix: Rows) -> None:
        self.layer.weight.set_value(matrix)


class ConvReader(Reader):
    """A `paddle.nn.Conv2D` of one group.

    Args:
        layer: The layer.
        norm: The BatchNorm behind it, or None.
        given: Shape of its input. Taps of the kernel that meet nothing but padding on such a map are left out, and keep
            their weights.
    """

    def __init__(self, layer: Any, norm: Any, given: Sequence[int]) -> None:
        super().__init__(layer, norm)
        self._padding = _both_sides(layer)
        self._steps, self._spread = _pair(layer._stride), _pair(layer._dilation)
        height, width = ([tap for tap in range(layer.weight.shape[2 + axis]) if self._meets(tap, axis, given[2 + axis])]
                         for axis in (0, 1))  # fmt: skip
        self._used = [(row, column) for row in height for column in width]
        self.taps = len(self._used)

    def _meets(self, tap: int, axis: int, side: int) -> bool:
        """Whether a tap meets the map itself at some place of the output."""
        begin, end = self._padding[axis]
        reach = (self.layer.weight.shape[2 + axis] - 1) * self._spread[axis]
        outputs = (side + begin + end - reach - 1) // self._steps[axis] + 1
        at = np.arange(outputs) * self._steps[axis] + tap * self._spread[axis] - begin
        return bool(((at >= 0) & (at < side)).any())

    def read(self, given: Rows, places: Places) -> Rows:
        """Return the windows of the map that it reads."""
        samples, channels, height, width = given.shape
        (top, bottom), (left, right) = self._padding
        padded = np.pad(given, ((0, 0), (0, 0), (top, bottom), (left, right)))
        across = (width + left + right - (self.layer.weight.shape[3] - 1) * self._spread[1] - 1) // self._steps[1] + 1
        y, x = places // across * self._steps[0], places % across * self._steps[1]
        taps = [padded[:, :, y + row * self._spread[0], x + column * self._spread[1]] for row, column in self._used]
        stacked = np.stack(taps, axis=-1)  # (N, C, places, taps)
        return np.ascontiguousarray(stacked.transpose(0, 2, 1, 3)).reshape(samples * len(places), -1)

    def _matrix(self) -> Array:
        weight = self.layer.weight.numpy()
        taken = np.stack([weight[:, :, row, column] for row, column in self._used], axis=-1)  # (out, in, taps)
        return np.asarray(taken.reshape(len(weight), -1).T, np.float64)

    def _put_matrix(self, matrix: Rows) -> None:
        weight = self.layer.weight.numpy().copy()
        parts = matrix.T.reshape(weight.shape[0], weight.shape[1], self.taps)
        for number, (row, column) in enumerate(self._used):
            weight[:, :, row, column] = parts[:, :, number]
        self.layer.weight.set_value(weight)


class TransposedReader(Reader):
    """A `paddle.nn.Conv2DTranspose` whose stride is its kernel: each pixel of its input makes k * k of its output.

    The bias, which they have in common, stays as it is.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.intercept = False
        self._side = layer.weight.shape[2]

    def sample(self, given: Sequence[int], made: Sequence[int], rng: np.random.Generator, positions: int) -> Places:
        """Draw places of its input."""
        return super().sample(made, given, rng, positions)

    def read(self, given: Rows, places: Places) -> Rows:
        """Return rows of its input."""
        return rows(given, places)

    def made(self, values: Rows, places: Places) -> Rows:
        """Return the pixels that each place of the input makes, without the bias: (N * places, outputs * k * k)."""
        samples, channels, height, width = values.shape
        k = self._side
        if self.layer.bias is not None:
            values = values - self.layer.bias.numpy()[:, None, None]
        parts = values.reshape(samples, channels, height // k, k, width // k, k).transpose(0, 1, 3, 5, 2, 4)
        return rows(parts.reshape(samples, channels * k * k, height // k, width // k), places)

    def _matrix(self) -> Array:
        weight = self.layer.weight.numpy()
        return np.asarray(weight.reshape(len(weight), -1), np.float64)

    def _put_matrix(self, matrix: Rows) -> None:
        self.layer.weight.set_value(matrix.reshape(self.layer.weight.shape))


def reader_of(layer: Any, norm: Any, given: Sequence[int]) -> Reader | None:
    """Return how a layer is read, or None where it is none that can be refitted.

    Args:
        layer: That reads channels.
        norm: The BatchNorm directly behind it, or None.
        given: Shape of its input.
    """
    if norm is not None and (norm.weight is None or norm.bias is None):
        norm = None
    if isinstance(layer, nn.Linear):
        return LinearReader(layer)
    if isinstance(layer, nn.Conv2D) and layer._groups == 1 and layer._data_format == "NCHW":
        plain = layer._padding_mode == "zeros" and layer._padding_algorithm == "EXPLICIT"
        return ConvReader(layer, norm, given) if plain else None
    if isinstance(layer, nn.Conv2DTranspose) and layer._groups == 1 and _tiles(layer):
        return TransposedReader(layer)
    return None


def rows(values: Rows, places: Places) -> Rows:
    """Return a map's channels (N * places, C) at the given positions, numbers below H * W."""
    samples, channels = values.shape[:2]
    flat = values.reshape(samples, channels, -1)[:, :, places]
    return np.ascontiguousarray(flat.transpose(0, 2, 1).reshape(-1, channels))


def slope_of(norm: Any) -> Array:
    """Return what a BatchNorm multiplies each channel by (C,)."""
    return np.asarray(norm.weight.numpy() / np.sqrt(norm._variance.numpy() + norm._epsilon), np.float64)


def put_into_norm(norm: Any, matrix: Array, bias: Array, added: Any = 0) -> Array:
    """Let a BatchNorm, whose slopes stay as they are, give ``x @ matrix + bias``.

    Args:
        norm: Behind a layer.
        matrix: (inputs, outputs) of what BatchNorm gives.
        bias: (outputs,) of the same.
        added: The layer's own bias (outputs,).

    Returns:
        The layer's matrix.
    """
    slope = slope_of(norm)
    alive = np.abs(slope) > LEAST_SLOPE
    safe = np.where(alive, slope, 1)
    shift = norm.bias.numpy()
    norm._mean.set_value(np.where(alive, (shift - bias) / safe + added, 0).astype(np.float32))
    norm.bias.set_value(np.where(alive, shift, bias).astype(np.float32))
    return np.where(alive, matrix / safe, 0)


def _tiles(layer: Any) -> bool:
    """Whether a transposed convolution's pixels lie side by side, without gaps and overlaps."""
    kernel = tuple(layer.weight.shape[2:])
    return (
        _pair(layer._stride) == kernel == (kernel[0],) * 2
        and _pair(layer._padding) == (0, 0)
        and _pair(layer._dilation) == (1, 1)
        and _pair(layer.output_padding) == (0, 0)
        and layer._data_format == "NCHW"
    )


def _both_sides(layer: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return a convolution's padding above and below, left and right."""
    padding = layer._updated_padding
    sides = [padding] * 2 if isinstance(padding, int) else list(padding)
    if len(sides) == 4:
        return (sides[0], sides[1]), (sides[2], sides[3])
    return (sides[0],) * 2, (sides[1],) * 2


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
