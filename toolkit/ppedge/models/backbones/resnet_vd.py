"""ResNet-D: four feature maps for a detector."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)
BOTTLENECK = 4
"""How many times its inner channels a bottleneck gives."""


class ConvNorm(nn.Layer):
    """Convolution without bias, BatchNorm, and ReLU or nothing; the size is kept at stride 1."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, *, relu: bool = True) -> None:
        super().__init__()
        self.relu = relu
        self._conv = nn.Conv2D(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias_attr=False)
        self._batch_norm = nn.BatchNorm2D(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self._batch_norm(self._conv(x))
        return F.relu(x) if self.relu else x


class ResidualBlock(nn.Layer):
    """Two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1, added to what they are given.

    Args:
        in_channels: Channels of the input.
        width: Inner channels.
        stride: Of the first 3x3 convolution.
        first: It begins a stage: the shortcut has a convolution.
        bottleneck: Which of the two forms.
    """

    def __init__(self, in_channels: int, width: int, stride: int, *, first: bool, bottleneck: bool) -> None:
        super().__init__()
        self.stride, self.first, self.bottleneck = stride, first, bottleneck
        out_channels = width * BOTTLENECK if bottleneck else width
        if bottleneck:
            self.conv0 = ConvNorm(in_channels, width, 1)
            self.conv1 = ConvNorm(width, width, 3, stride)
            self.conv2 = ConvNorm(width, out_channels, 1, relu=False)
        else:
            self.conv0 = ConvNorm(in_channels, width, 3, stride)
            self.conv1 = ConvNorm(width, out_channels, 3, relu=False)
        if first:
            self.short = ConvNorm(in_channels, out_channels, 1, relu=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        y = self.conv1(self.conv0(x))
        if self.bottleneck:
            y = self.conv2(y)
        if self.stride == 2:
            x = F.avg_pool2d(x, 2, 2, ceil_mode=True)
        if self.first:
            x = self.short(x)
        return F.relu(x + y)


class ResNetVd(nn.Layer):
    """ResNet-D as a detector's backbone.

    Source: He et al., "Bag of Tricks for Image Classification with Convolutional Neural Networks", CVPR 2019: three 3x3
    convolutions at the start, and an average pool before the 1x1 convolution of a shortcut that halves the size.

    Args:
        layers: 18, 34 or 50.

    Attributes:
        out_channels: Channels of the four feature maps, finest first.
    """

    def __init__(self, layers: int = 50) -> None:
        super().__init__()
        bottleneck = layers >= 50
        self.conv1_1 = ConvNorm(3, 32, 3, 2)
        self.conv1_2 = ConvNorm(32, 32, 3)
        self.conv1_3 = ConvNorm(32, 64, 3)
        self.pool2d_max = nn.MaxPool2D(3, 2, padding=1)
        self.stages: list[list[nn.Layer]] = []
        self.out_channels, channels = [], 64
        for number, (depth, width) in enumerate(zip(DEPTHS[layers], WIDTHS, strict=True)):
            stage = []
            for index in range(depth):
                stride = 2 if number > 0 and index == 0 else 1
                block = ResidualBlock(channels, width, stride, first=index == 0, bottleneck=bottleneck)
                stage.append(self.add_sublayer(f"bb_{number}_{index}", block))
                channels = width * BOTTLENECK if bottleneck else width
            self.stages.append(stage)
            self.out_channels.append(channels)

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Map pictures (N, 3, H, W), sides multiples of 32, to four maps of 1/4, 1/8, 1/16 and 1/32 of that size."""
        x = self.pool2d_max(self.conv1_3(self.conv1_2(self.conv1_1(x))))
        features = []
        for stage in self.stages:
            for block in stage:
                x = block(x)
            features.append(x)
        return features
