"""PP-HGNet: four feature maps for a detector, of whole 3x3 convolutions that fast processors like."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.layers import Activation, ConvBNLayer, Stride, kaiming_normal, without_l2

STEM = (64, 64, 128)
STAGES = ((128, 128, 256, 1), (256, 160, 512, 1), (512, 192, 768, 2), (768, 224, 1024, 1))
"""Channels of the input, inside the blocks, and of the output; number of blocks."""
LAYERS = 6
"""Convolutions of a block."""


class ESEModule(nn.Layer):
    """Squeeze and excitation by a single convolution (Lee and Park, "CenterMask", CVPR 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2D(channels, channels, 1, weight_attr=kaiming_normal())

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return (N, C, H, W) scaled per channel by a weight in [0, 1]."""
        return x * F.sigmoid(self.conv(F.adaptive_avg_pool2d(x, 1)))


class HGBlock(nn.Layer):
    """Convolutions in a row, joined with all that went before (as in VoVNet), and weighed by channel.

    Args:
        in_channels: Channels of the input.
        width: Channels of each 3x3 convolution.
        out_channels: Channels of the result.
        shortcut: Add the input to the result.
    """

    def __init__(self, in_channels: int, width: int, out_channels: int, shortcut: bool) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.layers = nn.LayerList([_conv(in_channels if n == 0 else width, width, 3) for n in range(LAYERS)])
        self.aggregation_conv = _conv(in_channels + LAYERS * width, out_channels, 1)
        self.att = ESEModule(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        maps = [x]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        y = self.att(self.aggregation_conv(paddle.concat(maps, axis=1)))
        return x + y if self.shortcut else y


class HGStage(nn.Layer):
    """A depthwise convolution that halves the size, except in the first stage, and blocks.

    Args:
        in_channels: Channels of the input.
        width: Channels of the blocks' 3x3 convolutions.
        out_channels: Channels of the result.
        depth: Number of blocks.
        downsample: Halve the size.
    """

    def __init__(self, in_channels: int, width: int, out_channels: int, depth: int, downsample: bool) -> None:
        super().__init__()
        self.halves = downsample
        if downsample:
            self.downsample = _conv(in_channels, in_channels, 3, 2, groups=in_channels, activation=None)
        blocks = [HGBlock(in_channels if n == 0 else out_channels, width, out_channels, n > 0) for n in range(depth)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W), or to half the size."""
        return self.blocks(self.downsample(x) if self.halves else x)


class PPHGNetSmall(nn.Layer):
    """PP-HGNet small as a detector's backbone.

    Source: PaddleClas's description of PP-HGNet (2022); its blocks are those of Lee et al., "An Energy and
    GPU-Computation Efficient Backbone Network", CVPR workshops 2019.

    Attributes:
        out_channels: Channels of the four feature maps, finest first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = [out_channels for _, _, out_channels, _ in STAGES]
        widths = zip((3, *STEM), STEM, strict=False)
        self.stem = nn.Sequential(*(_conv(a, b, 3, 2 if n == 0 else 1) for n, (a, b) in enumerate(widths)))
        self.pool = nn.MaxPool2D(3, 2, padding=1)
        self.stages = nn.LayerList([HGStage(*stage, downsample=n > 0) for n, stage in enumerate(STAGES)])

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Map pictures (N, 3, H, W), sides multiples of 32, to four maps of 1/4, 1/8, 1/16 and 1/32 of that size."""
        x = self.pool(self.stem(x))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def _conv(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: Stride = 1,
    groups: int = 1,
    activation: Activation | None = "relu",
) -> ConvBNLayer:
    """Return a convolution whose BatchNorm L2 does not pull to zero."""
    return ConvBNLayer(in_channels, out_channels, kernel, stride, groups, activation, kaiming_normal(), without_l2())
