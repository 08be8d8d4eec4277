"""Layers that compute as in int8 for a while, and what that does to the network's output; nothing is trained.

The rounding is that of Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, symmetric: weights by output channel, activations by tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import paddle

LEVELS = 127
LEAST = 1e-12
OUTPUT_AXIS = {paddle.nn.Conv2D: 0, paddle.nn.Conv2DTranspose: 1, paddle.nn.Linear: 1}


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

    def error(self, clips: Mapping[str, float]) -> float:
        """Return the mean squared difference of the output, relative to its variance, with these layers in int8."""
        with paddle.no_grad(), fake_quantized(self._net, clips):
            pairs = zip(self._pictures, self._wanted, strict=True)
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
    reference, found = Reference(net, pictures), {}
    for name, clip in clips.items():
        found[name] = reference.error({name: clip})
        advance()
    return found


@contextmanager
def fake_quantized(net: paddle.nn.Layer, clips: Mapping[str, float]) -> Iterator[None]:
    """Let layers compute as in int8 for a while: their weights, and what they are given, rounded to 8 bits.

    Args:
        net: A float network.
        clips: By layer, the magnitude that its input is clipped to.
    """
    layers = dict(net.named_sublayers())
    before = {name: layers[name].weight.numpy().copy() for name in clips}
    handles = []
    try:
        for name, clip in clips.items():
            layer = layers[name]
            layer.weight.set_value(rounded_weight(before[name], OUTPUT_AXIS[type(layer)]))
            handles.append(layer.register_forward_pre_hook(_rounding(clip)))
        yield
    finally:
        for handle in handles:
            handle.remove()
        for name, weight in before.items():
            layers[name].weight.set_value(weight)


def rounded_weight(weight: np.ndarray, axis: int) -> np.ndarray:
    """Round a float32 weight to 255 levels, the largest magnitude of each channel of ``axis`` being the last."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    step = np.maximum(np.abs(weight).max(axis=others, keepdims=True), LEAST) / LEVELS
    return np.asarray(np.round(weight / step) * step, np.float32)


def _rounding(clip: float) -> Callable[[paddle.nn.Layer, tuple[paddle.Tensor, ...]], paddle.Tensor]:
    def hook(layer: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> paddle.Tensor:
        return paddle.round(paddle.clip(inputs[0], -clip, clip) * (LEVELS / clip)) * (clip / LEVELS)

    return hook
