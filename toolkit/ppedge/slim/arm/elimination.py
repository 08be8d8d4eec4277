"""Channels that the others can replace: backward elimination on the normal equations of all that reads them.

The step is that of Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain Surgeon", NIPS 1992,
on squared errors of linear layers, where it is exact; a convolution of k x k reads a channel by k * k inputs, which go
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppedge.slim.arm.least_squares import Array, Moments, ridged, units_of


@dataclass(frozen=True)
class Fitted:
    """What one linear layer reads and should give.

    Attributes:
        moments: Of its inputs (m,) and wanted outputs (k,).
        scale: (k,) standard deviations that the outputs' errors are counted in.
        rows: (channels, taps): which inputs each channel is read by; inputs that are not there stay.
        start: (m, k) weights as they are, to which fits are drawn; None: 0.
        intercept: Whether the layer has a bias to fit.
    """

    moments: Moments
    scale: Array
    rows: npt.NDArray[np.int64]
    start: Array | None = None
    intercept: bool = True

    def equations(self) -> tuple[Array, Array, Array, Array]:
        """Return the moments of inputs and outputs, of variances where there is a bias, and the first one ridged."""
        xx, xy, yy = self.moments.covariances() if self.intercept else self.moments.second()
        return xx, xy, yy, ridged(xx, self.moments.ridge)

    def without(self, gone: Sequence[int]) -> tuple[npt.NDArray[np.int64], Array]:
        """Return the inputs that stay when channels go, and the weights that then give most nearly what these gave.

        Args:
            gone: Channels.

        Raises:
            ValueError: There are no weights to begin with.
        """
        if self.start is None:
            raise ValueError("weights to begin with are needed")
        hessian = self.equations()[3]
        lost = self.rows[list(gone)].ravel()
        stays = np.setdiff1d(np.arange(len(hessian)), lost)
        moved = np.linalg.solve(hessian[np.ix_(stays, stays)], hessian[np.ix_(stays, lost)] @ self.start[lost])
        return stays, self.start[stays] + moved


@dataclass(frozen=True)
class Elimination:
    """What is left after some channels went.

    Attributes:
        kept: Channels that stay, ascending.
        errors: For each layer, the squared error of what it gives in units of the scale, mean over its outputs.
    """

    kept: list[int]
    errors: list[float]

    @property
    def error(self) -> float:
        """Sum over the layers."""
        return sum(self.errors)


def eliminate(layers: Sequence[Fitted], multiple: int, least: int | None = None) -> dict[int, Elimination]:
    """Take channels out one by one, always the one that the others replace best, refitting as it goes.

    With ``P = xx^-1`` and weights W of least squares, taking out a channel that is read by the inputs J lets the
    squared error grow by ``tr(W_J' P_JJ^-1 W_J)``, and P and W of the rest follow by block inversion.

    Args:
        layers: All layers that read the channels; their errors are added.
        multiple: Counts to report are multiples of this, at least one multiple.
        least: Stop at this count; by default at one multiple.

    Returns:
        By kept count; all channels are there too.
    """
    states = [_State(layer) for layer in layers]
    alive = list(range(len(layers[0].rows)))
    found = {len(alive): Elimination(list(alive), [state.error for state in states])}
    while len(alive) > max(multiple, least or 0):
        place = int(np.sum([state.prices(alive) for state in states], axis=0).argmin())
        channel = alive.pop(place)
        for state in states:
            state.take_out(channel)
        if len(alive) % multiple == 0:
            found[len(alive)] = Elimination(list(alive), [max(state.error, 0.0) for state in states])
    return found


class _State:
    """One layer's normal equations while channels go.

    The inverse stays as it was: what is to be taken off it is kept as a product ``V V'``, a few columns a channel,
    since only the blocks of single channels are looked at.
    """

    def __init__(self, fitted: Fitted) -> None:
        xx, xy, yy, hessian = fitted.equations()
        units = units_of(fitted.scale)
        self._outputs = len(units)
        self._inverse = np.linalg.inv(hessian)
        start = np.zeros_like(xy) if fitted.start is None else fitted.start
        weight = start + self._inverse @ (xy - xx @ start)
        left = yy - 2 * (weight * xy).sum(0) + (weight * (xx @ weight)).sum(0)
        self.error = float((np.maximum(left, 0) / units**2).mean())
        self._weight = weight / units
        self._rows = fitted.rows
        self._blocks = self._inverse[self._rows[:, :, None], self._rows[:, None, :]]
        self._taken = np.zeros((len(xx), self._rows.size), order="F")
        self._columns = 0

    def prices(self, channels: Sequence[int]) -> Array:
        """Return by how much the error would grow without each of some channels."""
        blocks, weights = self._blocks[list(channels)], self._weight[self._rows[list(channels)]]
        if blocks.shape[1] == 1:
            return np.asarray((weights[:, 0] ** 2).sum(1) / blocks[:, 0, 0] / self._outputs)
        return np.asarray((weights * np.linalg.solve(blocks, weights)).sum((1, 2)) / self._outputs)

    def take_out(self, channel: int) -> None:
        """Let the others do a channel's work."""
        self.error += float(self.prices([channel])[0])
        rows, taken = self._rows[channel], self._taken[:, : self._columns]
        column = self._inverse[:, rows] - taken @ taken[rows].T
        root = np.linalg.cholesky(column[rows])
        more = np.linalg.solve(root, column.T).T
        self._weight -= more @ np.linalg.solve(root, self._weight[rows])
        own = more[self._rows]
        self._blocks -= own @ own.transpose(0, 2, 1)
        self._taken[:, self._columns : self._columns + len(rows)] = more
        self._columns += len(rows)
