"""Dense convolutions for training on a CPU, in forms that take half the time of Paddle's own and less.

From many channels to few: Paddle's convolution writes each window of its input into a matrix of ``in_channels * k * k``
rows, which is then multiplied by the weights: most of the time goes into that matrix. A transposed convolution of the
same weights, turned round, comes to the same sums the other way: the product first, then its ``out_channels * k * k``
rows are added up where they belong. At stride 1 both give the same map but for roundings, and with few channels out the
second moves less memory, forward and backward.

On a map of one row, as a recogniser's neck has: all rows of a kernel but its middle one meet nothing but padding.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F

NARROWING = 2
"""Channels in for each channel out from which turning round pays."""


def fits(layer: paddle.nn.Conv2D) -> bool:
    """Whether a convolution of all channels keeps the size of its map: `forward` can run it."""
    weight = layer.weight
    kernel = weight.shape[2]
    return (
        layer._groups == 1
        and kernel == weight.shape[3]
        and kernel in (3, 5, 7, 9)
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


def row_conv2d(x: paddle.Tensor, weight: paddle.Tensor) -> paddle.Tensor:
    """Convolve a map of one row likewise: (N, C, 1, W) gives (N, M, 1, W)."""
    middle = weight.shape[2] // 2
    return F.conv2d(x, weight[:, :, middle : middle + 1], padding=[0, middle])


def forward(layer: Any, x: paddle.Tensor) -> paddle.Tensor:
    """Run a layer that `fits`, in the form that pays for a map of this size."""
    weight = layer.weight
    # Export; mixed precision; a mismatch, for which Paddle has the message.
    if not paddle.in_dynamic_mode() or x.dtype != paddle.float32 or x.shape[1] != weight.shape[1]:
        return paddle.nn.Conv2D.forward(layer, x)
    if x.shape[2] == 1:
        y = row_conv2d(x, weight)
    # On a small map, turning the weights would cost more than it saves.
    elif weight.shape[1] >= NARROWING * weight.shape[0] and x.shape[2] * x.shape[3] >= x.shape[1]:
        y = narrowing_conv2d(x, weight)
    else:
        return paddle.nn.Conv2D.forward(layer, x)
    return y if layer.bias is None else y + layer.bias.reshape([1, -1, 1, 1])


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else tuple(value)
