"""The collaborative learning within a text line, of I3CL."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

REDUCTION = 2


class IntraCL(nn.Layer):
    """Three rounds in which each pixel sees a square, a column and a row around it, of 7, 5 and 3 pixels.

    Long lines fall into parts in a detector's map; what lies between the parts of one line joins them.

    Source: Du et al., "I3CL: Intra- and Inter-Instance Collaborative Learning for Arbitrary-shaped Scene Text
    Detection", IJCV 2022, section 3.2.

    Args:
        channels: Of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // REDUCTION
        self.conv1x1_reduce_channel = nn.Conv2D(channels, width, 1)
        self.conv1x1_return_channel = nn.Conv2D(width, channels, 1)
        self.v_layer_7x1 = _conv(width, 7, 1)
        self.v_layer_5x1 = _conv(width, 5, 1)
        self.v_layer_3x1 = _conv(width, 3, 1)
        self.q_layer_1x7 = _conv(width, 1, 7)
        self.q_layer_1x5 = _conv(width, 1, 5)
        self.q_layer_1x3 = _conv(width, 1, 3)
        self.c_layer_7x7 = _conv(width, 7, 7)
        self.c_layer_5x5 = _conv(width, 5, 5)
        self.c_layer_3x3 = _conv(width, 3, 3)
        self.bn = nn.BatchNorm2D(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, channels, H, W) to the same shape."""
        y = self.conv1x1_reduce_channel(x)
        y = self.c_layer_7x7(y) + self.v_layer_7x1(y) + self.q_layer_1x7(y)
        y = self.c_layer_5x5(y) + self.v_layer_5x1(y) + self.q_layer_1x5(y)
        y = self.c_layer_3x3(y) + self.v_layer_3x1(y) + self.q_layer_1x3(y)
        return x + F.relu(self.bn(self.conv1x1_return_channel(y)))


def _conv(channels: int, height: int, width: int) -> nn.Conv2D:
    return nn.Conv2D(channels, channels, (height, width), padding=(height // 2, width // 2))
