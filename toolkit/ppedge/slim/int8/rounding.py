"""Layers that compute as in int8 for a while, and what that does to the network's output; nothing is trained.

The rounding is that of Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, symmetric: weights by output channel, activations by tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle

from ppedge.slim.resuming import Resumed, in_order

LEVELS = 127
LEAST = 1e-12
OUTPUT_AXIS = {paddle.nn.Conv2D: 0, paddle.nn.Conv2DTranspose: 1, paddle.nn.Linear: 1}


@dataclass(frozen=True)
class Rounding:
    """The 8 bits of a layer.

    Attributes:
        weight: float32, each value a level of its output channel.
        clip: Largest magnitude of its input that has a level.
    """

    weight: np.ndarray
    clip: float


class Reference:
    """What a float network gives for pictures, to measure by how far quantized layers change it.

    Args:
        net: A network in eval mode.
        pictures: Inputs (N, 3, H, W).
    """

    def __init__(self, net: paddle.nn.Layer, pictures: Sequence[paddle.Tensor]) -> None:
        self._net, self._pictures = net, pictures
        with paddle.no_grad():
            self._wanted = [net(picture) for picture in pictures]
            self._variance = sum(float(((y - y.mean()) ** 2).mean()) for y in self._wanted)

    def error(self, clips: Mapping[str, float], given: Sequence[Any] | None = None) -> float:
        """Return the mean squared difference of the output, relative to its variance, with these layers in int8.

        Args:
            clips: By layer.
            given: The pictures, or runs of them that were paused before these layers.
        """
        with paddle.no_grad(), fake_quantized(self._net, clips):
            pairs = zip(given or self._pictures, self._wanted, strict=True)
            error = sum(float(((self._net(x) - y) ** 2).mean()) for x, y in pairs)
        return error / max(self._variance, LEAST)


def output_errors(
    net: paddle.nn.Layer,
    clips: Mapping[str, float],
    pictures: Sequence[paddle.Tensor],
    advance: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Return what quantizing each layer alone does to the network's output.

    Args:
        net: A network in eval mode; it is the same afterwards.
        clips: By layer.
        pictures: Inputs (N, 3, H, W).
        advance: Called after each layer.

    Returns:
        Mean squared difference of the output, relative to its variance, by layer.
    """
    reference, resumed, found = Reference(net, pictures), Resumed(net, pictures), {}
    for name in in_order(net, clips):
        found[name] = reference.error({name: clips[name]}, resumed.before([name]))
        advance()
    return {name: found[name] for name in clips}


@contextmanager
def fake_quantized(net: paddle.nn.Layer, clips: Mapping[str, float]) -> Iterator[None]:
    """Let layers compute as in int8 for a while: their weights, and what they are given, rounded to 8 bits.

    Args:
        net: A float network.
        clips: By layer, the magnitude that its input is clipped to.
    """
    with rounded(net, nearest_of(net, clips)):
        yield


@contextmanager
def rounded(net: paddle.nn.Layer, roundings: Mapping[str, Rounding]) -> Iterator[None]:
    """Let layers compute with given 8 bits for a while; the network is the same afterwards, bit for bit."""
    layers = dict(net.named_sublayers())
    before = {name: layers[name].weight.numpy().copy() for name in roundings}
    handles = []
    try:
        for name, rounding in roundings.items():
            handles.append(round_layer(layers[name], rounding))
        yield
    finally:
        for handle in handles:
            handle.remove()
        for name, weight in before.items():
            layers[name].weight.set_value(weight)


def round_layer(layer: Any, rounding: Rounding) -> Any:
    """Give a layer a rounded weight and let it round what it is given; returns the handle that ends the latter."""
    layer.weight.set_value(rounding.weight)
    clip = rounding.clip

    def hook(_: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> paddle.Tensor:
        return paddle.round(paddle.clip(inputs[0], -clip, clip) * (LEVELS / clip)) * (clip / LEVELS)

    return layer.register_forward_pre_hook(hook)


def nearest(layer: Any, clip: float) -> Rounding:
    """Return the 8 bits of a layer whose weight is rounded to the nearest of 255 levels by output channel."""
    weight = layer.weight.numpy()
    step = channel_steps(weight, OUTPUT_AXIS[type(layer)])
    return Rounding(np.asarray(np.round(weight / step) * step, np.float32), clip)


def nearest_of(net: paddle.nn.Layer, clips: Mapping[str, float]) -> dict[str, Rounding]:
    """Return `nearest` of several layers of a network, by name."""
    layers = dict(net.named_sublayers())
    return {name: nearest(layers[name], clip) for name, clip in clips.items()}


def channel_steps(weight: np.ndarray, axis: int) -> np.ndarray:
    """Return the distance of two levels in each channel of ``axis``, whose largest magnitude is level 127."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    return np.asarray(np.maximum(np.abs(weight).max(axis=others, keepdims=True), LEAST) / LEVELS)
