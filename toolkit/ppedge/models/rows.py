"""Layers that halve a map's height alone, in forms that Paddle Lite has fast kernels for.

A network is never trained with them from scratch: `ppedge.slim` puts them in the place of others.

A recogniser keeps the width, so its backbone's strides are (2, 1), and it pools maps of two rows. Paddle Lite's fast
depthwise kernels want equal strides, its fast pooling wants a map that is higher than the window; everything else takes
the general way, an element at a time, at ten times the instructions and more.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.layers import Activation


class SkippedRows(nn.Layer):
    """A depthwise convolution of stride 1 with BatchNorm and activation, of whose rows every other one is kept.

    It gives what a `ppedge.models.layers.ConvBNLayer` of stride (2, 1) gives, and has its parameter names.

    Args:
        channels: Of input and output.
        kernel: Its side, odd.
        activation: As of a ``ConvBNLayer``.
    """

    def __init__(self, channels: int, kernel: int, activation: Activation | None) -> None:
        super().__init__()
        self.activation = activation
        self.conv = nn.Conv2D(channels, channels, kernel, padding=kernel // 2, groups=channels, bias_attr=False)
        self.bn = nn.BatchNorm2D(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, H, W) to (N, C, H / 2, W); H is even."""
        x = self.bn(self.conv(x))
        if self.activation == "relu":  # the converter computes it within the convolution, at no cost
            x = F.relu(x)
        x = _even_rows(x)
        return F.hardswish(x) if self.activation == "hardswish" else x


class FoldedPool(nn.Layer):
    """Largest values of 2x2 windows, of a map of two rows: two channels are taken for one that is twice as high."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, 2, W) to (N, C, 1, W // 2); C is even."""
        channels = x.shape[1]
        x = F.max_pool2d(x.reshape([0, channels // 2, 4, -1]), 2, 2)
        return x.reshape([0, channels, 1, -1])


def _even_rows(x: paddle.Tensor) -> paddle.Tensor:
    """Return rows 0, 2, ... of a map. Of all ways to say it, Paddle Lite's ``split`` alone copies whole rows."""
    channels, height = x.shape[1:3]
    pairs = x.reshape([0, channels * height // 2, 2, -1])
    return paddle.split(pairs, 2, axis=2)[0].reshape([0, channels, height // 2, -1])
