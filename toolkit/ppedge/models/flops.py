"""Multiply-accumulates of a network's layers, counted while it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn

COUNTED = (nn.Conv2D, nn.Conv2DTranspose, nn.Linear, nn.LSTM)


def count_flops(net: nn.Layer, input_shape: Sequence[int]) -> dict[str, int]:
    """Count multiply-accumulates per layer of one inference (eval mode: what a phone computes).

    Counts come from the weights' own shapes, so a pruned network is counted as it is. Bias, activations, BatchNorm and
    resizing are left out: they are a few per cent, and partly folded away by the converter.

    Args:
        net: The network; its mode is the same afterwards.
        input_shape: Of the input, for example ``(1, 3, 64, 64)``.

    Returns:
        Multiply-accumulates by structured layer name, in the order of running; layers that did not run are absent.
    """
    counts: dict[str, int] = {}

    def hook(name: str) -> Any:
        def add(layer: nn.Layer, inputs: tuple, outputs: Any) -> None:
            counts[name] = counts.get(name, 0) + _macs(layer, inputs[0].shape, outputs)

        return add

    handles = [
        layer.register_forward_post_hook(hook(name))
        for name, layer in net.named_sublayers(include_self=True)
        if isinstance(layer, COUNTED)
    ]
    modes = {layer: layer.training for layer in net.sublayers(include_self=True)}
    try:
        net.eval()
        with paddle.no_grad():
            net(paddle.zeros(list(input_shape)))
    finally:
        for handle in handles:
            handle.remove()
        for layer, training in modes.items():
            layer.training = training
    return counts


def _macs(layer: nn.Layer, shape: Sequence[int], outputs: Any) -> int:
    """Each weight is used once per position: of the output (convolution), of the input (transposed), or per vector."""
    if isinstance(layer, nn.LSTM):
        matrices = sum(math.prod(p.shape) for p in layer.parameters() if len(p.shape) == 2)
        return int(shape[0] * shape[1] * matrices)
    weight = math.prod(layer.weight.shape)
    if isinstance(layer, nn.Linear):
        return int(math.prod(shape[:-1]) * weight)
    positions = outputs.shape if isinstance(layer, nn.Conv2D) else shape
    return int(positions[0] * positions[2] * positions[3] * weight)
