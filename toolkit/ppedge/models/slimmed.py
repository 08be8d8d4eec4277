"""What slimming puts in the place of a detector's neck and head: the same or nearly the same maps, cheaper on ARM.

Weights of these layers come from `ppedge.slim`; a network is never trained with them from scratch.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.layers import upsample


class LinearNeck(nn.Layer):
    """A feature pyramid of one 3x3 convolution a level: ``l2(c2) + up(l3(c3) + up(l4(c4) + up(l5(c5))))``.

    DB's pyramid has no activation, so the whole of it and the head's first convolution are one linear map; this is the
    form it is approximated in.

    Args:
        in_channels: Channels of the four maps, finest first.
        width: Channels of the result.
    """

    def __init__(self, in_channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.out_channels = width
        c2, c3, c4, c5 = in_channels
        self.in2_conv = same_size(c2, width)
        self.in3_conv = same_size(c3, width)
        self.in4_conv = same_size(c4, width)
        self.in5_conv = same_size(c5, width)

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Join maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size to one (N, width, H / 4, W / 4)."""
        c2, c3, c4, c5 = features
        x = self.in4_conv(c4) + upsample(self.in5_conv(c5), 2)
        x = self.in3_conv(c3) + upsample(x, 2)
        return self.in2_conv(c2) + upsample(x, 2)


class FoldedMapHead(nn.Layer):
    """A `ppedge.models.heads.db.MapHead` whose convolutions have no bias, which Paddle Lite would add apart from them.

    Args:
        in_channels: Channels of the features.
        widths: Channels after the first and the second convolution.
        kernel: Of the first convolution.
    """

    def __init__(self, in_channels: int, widths: tuple[int, int], kernel: int = 3) -> None:
        super().__init__()
        first, second = widths
        self.conv1 = same_size(in_channels, first, kernel)
        self.conv_bn1 = nn.BatchNorm2D(first)
        self.conv2 = nn.Conv2DTranspose(first, second, 2, stride=2, bias_attr=False)
        self.conv_bn2 = nn.BatchNorm2D(second)
        self.conv3 = nn.Conv2DTranspose(second, 1, 2, stride=2, bias_attr=False)
        self.conv_bn3 = nn.BatchNorm2D(1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, h, w) to (N, 1, 4 h, 4 w) with values in [0, 1]."""
        x = F.relu(self.conv_bn1(self.conv1(x)))
        x = F.relu(self.conv_bn2(self.conv2(x)))
        return F.sigmoid(self.conv_bn3(self.conv3(x)))


class ShuffleHead(nn.Layer):
    """A map head whose two doublings are 1x1 convolutions at a quarter of the size, and one shuffle of pixels.

    Source of the shuffle: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network", CVPR 2016.

    Args:
        in_channels: Channels of the features.
        channels: Channels after the first convolution.
        width: Channels after the second; four times those between two transposed convolutions say what these can.
        kernel: Of the first convolution.
    """

    def __init__(self, in_channels: int, channels: int, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv1 = same_size(in_channels, channels, kernel)
        self.conv_bn1 = nn.BatchNorm2D(channels)
        self.conv2 = nn.Conv2D(channels, width, 1, bias_attr=False)
        self.conv_bn2 = nn.BatchNorm2D(width)
        self.conv3 = nn.Conv2D(width, 16, 1, bias_attr=False)
        self.conv_bn3 = nn.BatchNorm2D(16)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, h, w) to (N, 1, 4 h, 4 w) with values in [0, 1]."""
        x = F.relu(self.conv_bn1(self.conv1(x)))
        x = F.relu(self.conv_bn2(self.conv2(x)))
        return F.sigmoid(F.pixel_shuffle(self.conv_bn3(self.conv3(x)), 4))


def same_size(in_channels: int, out_channels: int, kernel: int = 3) -> nn.Conv2D:
    """Return a convolution without bias that keeps the size."""
    return nn.Conv2D(in_channels, out_channels, kernel, padding=kernel // 2, bias_attr=False)
