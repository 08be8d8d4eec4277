"""How much what a part of a network gets wrong counts in the network's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import paddle

from ppedge.slim.int8.rounding import LEAST
from ppedge.slim.resuming import Resumed, in_order
from ppedge.slim.watch import watch

DISTURBANCE = 0.05
"""Squared, of a layer's deviation: about what reduction leaves."""


class Spot(NamedTuple):
    """Where an error is made.

    Attributes:
        layer: Structured name of a layer whose output, a map (N, C, H, W) or tokens (N, T, C), has it.
        total: A place (``LAYER:input``) where the sum of that output and another map is seen, in whose deviation the
            error is counted; None: the output itself.
    """

    layer: str
    total: str | None = None


def influences(net: paddle.nn.Layer, spots: Sequence[Spot], pictures: Sequence[paddle.Tensor]) -> dict[Spot, float]:
    """Return how much an error counts in the network's output.

    At each spot alone the network is disturbed by what is there at another place of the picture, which is an error such
    as networks make: smooth, and with the channels going together as they do.

    Args:
        net: A network in eval mode.
        spots: Where errors are made.
        pictures: Inputs (N, 3, H, W).

    Returns:
        By spot, the squared error of the output relative to its variance, over that of the spot.
    """
    layers, errors, variance = dict(net.named_sublayers()), dict.fromkeys(spots, 0.0), 0.0
    order = {layer: number for number, layer in enumerate(in_order(net, {spot.layer for spot in spots}))}
    with paddle.no_grad():
        for picture in pictures:
            wanted = net(picture)
            variance += float(((wanted - wanted.mean()) ** 2).mean())
            values = watch(net, {spot.total or spot.layer for spot in spots}, picture)
            resumed = Resumed(net, [picture])
            for spot in sorted(errors, key=lambda spot: order[spot.layer]):
                [given] = resumed.before([spot.layer])
                handle = layers[spot.layer].register_forward_post_hook(
                    _adding(_noise(values[spot.total or spot.layer]))
                )
                try:
                    errors[spot] += float(((net(given) - wanted) ** 2).mean())
                finally:
                    handle.remove()
    return {spot: error / max(variance, LEAST) / DISTURBANCE for spot, error in errors.items()}


def _noise(values: paddle.Tensor) -> paddle.Tensor:
    axes = [2, 3] if values.ndim == 4 else list(range(1, values.ndim - 1))
    other = paddle.roll(values, [values.shape[axis] // 2 for axis in axes], axis=axes)
    return DISTURBANCE**0.5 * (other - values.mean(axis=axes, keepdim=True))


def _adding(noise: paddle.Tensor) -> Any:
    def hook(layer: paddle.nn.Layer, inputs: Any, output: paddle.Tensor) -> paddle.Tensor:
        return output + noise

    return hook
