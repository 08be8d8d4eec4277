"""An average of a network's weights over its training, which often measures better than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import paddle

from ppedge.errors import PpedgeError, cut
from ppedge.train.log import ANEW


class Average:
    """Exponential moving average of a network's weights.

    ``average = d average + (1 - d) weights`` after each step, with ``d = min(decay, (1 + step) / (10 + step))``: a
    course that is short beside ``1 / (1 - decay)`` steps does not end with the weights that it began with. BatchNorm's
    running statistics are averaged like weights, so that they are those of about the same networks.

    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on Control and
    Optimization, 1992; the bound on ``d`` as in TensorFlow's ``ExponentialMovingAverage``.

    Args:
        net: The network; its present weights are where the average starts.
        decay: Share of the average that stays, each step, 0 to 1.
    """

    def __init__(self, net: paddle.nn.Layer, decay: float) -> None:
        self.net = net
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in net.state_dict().items()}

    def update(self, step: int) -> None:
        """Take the weights after a step into the average.

        Args:
            step: Steps done, from 1.
        """
        taken = 1 - min(self.decay, (1 + step) / (10 + step))
        with paddle.no_grad():
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.values[name].lerp_(value, taken)
                else:
                    paddle.assign(value, self.values[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the network have the average for a while; then it has its own weights again, to the bit."""
        own = {name: value.detach().clone() for name, value in self.net.state_dict().items()}
        self._set(self.values)
        try:
            yield
        finally:
            self._set(own)

    def _set(self, values: Mapping[str, paddle.Tensor]) -> None:
        for name, tensor in self.net.state_dict().items():
            tensor.set_value(values[name])

    def state(self) -> dict[str, np.ndarray]:
        """Return the average, by structured name, for the checkpoint."""
        return {name: value.numpy() for name, value in self.values.items()}

    def restore(self, state: Mapping[str, np.ndarray], path: Path) -> None:
        """Undo `state`.

        Args:
            state: What it gave.
            path: The checkpoint, for the error.

        Raises:
            PpedgeError: It is the average of another network.
        """
        for name, value in self.values.items():
            kept = state.get(name)
            if kept is None or (list(kept.shape), kept.dtype) != (value.shape, value.numpy().dtype):
                raise PpedgeError(f"{path}: the average of {cut(name)} is missing or does not fit it.", ANEW)
            if not np.isfinite(kept).all():
                raise PpedgeError(f"{path}: the average of {cut(name)} is not finite.", ANEW)
            value.set_value(kept)
