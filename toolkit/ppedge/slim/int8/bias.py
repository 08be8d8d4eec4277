"""Bias correction: what 8 bits do to the means of a layer's output is taken away again.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, in its form
that measures on pictures. The correction goes into the layer's own bias, or where it has none into the mean of the
BatchNorm behind it, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle

from ppedge.models.freezing import BATCH_NORMS
from ppedge.slim.int8.rounding import Rounding, rounded

Hook = Callable[[paddle.nn.Layer, tuple[paddle.Tensor, ...], paddle.Tensor], Any]


def correct_bias(
    net: paddle.nn.Layer, roundings: Mapping[str, Rounding], pictures: Sequence[paddle.Tensor]
) -> list[str]:
    """Correct the means of quantized layers in place, each with those before it corrected.

    Args:
        net: A float network in eval mode; only biases, and means of BatchNorm, are changed.
        roundings: The 8 bits of its layers.
        pictures: Inputs (N, 3, H, W), a batch or more.

    Returns:
        Names of the layers that were corrected: those that run once, and have a bias or a BatchNorm behind them.
    """
    layers = dict(net.named_sublayers())
    means = _means_to_move(net, {name: layers[name] for name in roundings}, pictures[0])
    able = {name: layers[name] for name in means}
    shifts: dict[str, list[np.ndarray]] = {name: [] for name in able}
    for picture in pictures:
        wanted: dict[str, paddle.Tensor] = {}

        def see(name: str, y: paddle.Tensor, wanted: dict[str, paddle.Tensor] = wanted) -> None:
            wanted[name] = _mean(able[name], y)

        def correct(name: str, y: paddle.Tensor, wanted: dict[str, paddle.Tensor] = wanted) -> paddle.Tensor:
            shift = _mean(able[name], y) - wanted[name]
            shifts[name].append(shift.numpy().ravel())
            return y - shift

        with paddle.no_grad():
            with _watched(able, see):
                net(picture)
            with rounded(net, roundings), _watched(able, correct):
                net(picture)
    for name, layer in able.items():
        shift = np.mean(shifts[name], axis=0)
        # A BatchNorm takes its mean away.
        means[name].set_value(means[name].numpy() + (shift if layer.bias is None else -shift))
    return list(able)


def _means_to_move(net: paddle.nn.Layer, layers: Mapping[str, Any], picture: paddle.Tensor) -> dict[str, paddle.Tensor]:
    """Return by layer its bias, or the mean of the BatchNorm that reads what it gives; of layers that run once."""
    given: dict[str, list[paddle.Tensor]] = {}
    read: list[tuple[Any, paddle.Tensor]] = []
    handles = [
        layer.register_forward_pre_hook(lambda layer, inputs: read.append((layer, inputs[0])))
        for layer in net.sublayers()
        if isinstance(layer, BATCH_NORMS)
    ]
    with paddle.no_grad(), _watched(layers, lambda name, y: given.setdefault(name, []).append(y)):
        net(picture)
    for handle in handles:
        handle.remove()
    found = {}
    for name, outputs in given.items():
        norms = [norm for norm, x in read if x is outputs[0]]
        if len(outputs) == 1 and (layers[name].bias is not None or norms):
            found[name] = norms[0]._mean if layers[name].bias is None else layers[name].bias
    return found


@contextmanager
def _watched(layers: Mapping[str, paddle.nn.Layer], hook: Callable[[str, paddle.Tensor], Any]) -> Iterator[None]:
    """Let a function see what layers give for a while, and change it where it returns something."""

    def hooked(name: str) -> Hook:
        return lambda layer, inputs, output: hook(name, output)

    handles = [layer.register_forward_post_hook(hooked(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _mean(layer: paddle.nn.Layer, y: paddle.Tensor) -> paddle.Tensor:
    """Return the mean of each channel, in a shape that can be taken from y."""
    channels = y.ndim - 1 if isinstance(layer, paddle.nn.Linear) else 1
    return y.mean(axis=[axis for axis in range(y.ndim) if axis != channels], keepdim=True)
