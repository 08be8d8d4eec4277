"""How much what a part of a network gets wrong counts in the network's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import paddle

from ppedge.slim.int8.rounding import LEAST

DISTURBANCE = 0.05
"""Squared, of a layer's deviation: about what reduction leaves."""


def influences(
    net: paddle.nn.Layer, layers: Mapping[str, paddle.nn.Layer], pictures: Sequence[paddle.Tensor]
) -> dict[str, float]:
    """Return how much a layer's error counts in the network's output.

    Each layer alone is disturbed by what it gives at another place of the picture, which is an error such as networks
    make: smooth, and with the channels going together as they do.

    Args:
        net: A network in eval mode.
        layers: Of it, by the name wanted; each gives (N, C, H, W).
        pictures: Inputs (N, 3, H, W).

    Returns:
        By name, the squared error of the output relative to its variance, over that of the layer.
    """
    found = {}
    with paddle.no_grad():
        wanted = [net(picture) for picture in pictures]
        variance = sum(float(((y - y.mean()) ** 2).mean()) for y in wanted)
        for name, layer in layers.items():
            handle = layer.register_forward_post_hook(_disturb)
            try:
                error = sum(float(((net(x) - y) ** 2).mean()) for x, y in zip(pictures, wanted, strict=True))
            finally:
                handle.remove()
            found[name] = error / max(variance, LEAST) / DISTURBANCE
    return found


def _disturb(layer: paddle.nn.Layer, inputs: Any, output: paddle.Tensor) -> paddle.Tensor:
    height, width = output.shape[2:]
    other = paddle.roll(output, [height // 2, width // 2], axis=[2, 3])
    return output + DISTURBANCE**0.5 * (other - output.mean(axis=[2, 3], keepdim=True))
