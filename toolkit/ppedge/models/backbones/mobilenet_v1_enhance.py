"""MobileNetV1Enhance, the backbone of PP-OCRv2's and v3's recognisers.

Source: Howard et al., "MobileNets", 2017, with the changes of Cui et al., "PP-LCNet", 2021: hard swish everywhere, 5x5
kernels in the second half, squeeze-and-excitation in the last two blocks. Strides keep a line's width. Layer names are
those of PP-OCR's official weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import paddle
from paddle import nn

from ppedge.models.hardswish import hardswish
from ppedge.models.layers import Activation, SEModule, Stride, kaiming_normal, without_l2

STEM_CHANNELS = 32
SE_SLOPE = 1 / 6


class Row(NamedTuple):
    """A depthwise separable block before width scaling."""

    channels: int
    kernel: int = 3
    stride: Stride = 1
    se: bool = False


ROWS = (
    Row(64),
    Row(128),
    Row(128),
    Row(256, stride=(2, 1)),
    Row(256),
    Row(512, stride=(2, 1)),
    *5 * (Row(512, 5),),
    Row(1024, 5, (2, 1), se=True),
    Row(1024, 5, se=True),
)


class ConvBNHardswish(nn.Layer):
    """Convolution without bias, BatchNorm without L2 decay, and hard swish; the size is kept at stride 1.

    It is a `ppedge.models.layers.ConvBNLayer` but for its names, which are those of official weights.
    """

    activation: Activation = "hardswish"

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: Stride = 1, groups: int = 1) -> None:
        super().__init__()
        self._conv = nn.Conv2D(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, weight_attr=kaiming_normal(),
            bias_attr=False,
        )  # fmt: skip
        self._batch_norm = nn.BatchNorm2D(out_channels, weight_attr=without_l2(), bias_attr=without_l2())

    @property
    def conv(self) -> nn.Conv2D:
        """The convolution."""
        return self._conv

    @property
    def bn(self) -> nn.BatchNorm2D:
        """The BatchNorm."""
        return self._batch_norm

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        return hardswish(self._batch_norm(self._conv(x)))


class DepthwiseSeparable(nn.Layer):
    """Filter each channel, weigh channels if ``se``, mix them."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: Stride, se: bool) -> None:
        super().__init__()
        self._depthwise_conv = ConvBNHardswish(in_channels, in_channels, kernel, stride, groups=in_channels)
        self._se = SEModule(in_channels, SE_SLOPE) if se else None
        self._pointwise_conv = ConvBNHardswish(in_channels, out_channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self._depthwise_conv(x)
        if self._se is not None:
            x = self._se(x)
        return self._pointwise_conv(x)


class MobileNetV1Enhance(nn.Layer):
    """A recogniser's or classifier's backbone: the height falls to 1.

    Args:
        scale: Width multiplier; channels are rounded down.
        last_conv_stride: Of the last block, height and width.
        last_pool_type: ``max`` or ``avg``.
        last_pool_kernel: Height and width of the windows of ``avg``; those of ``max`` are 2x2.

    Attributes:
        out_channels: Channels of the features.
    """

    def __init__(
        self,
        scale: float = 0.5,
        last_conv_stride: Stride = 1,
        last_pool_type: Literal["max", "avg"] = "max",
        last_pool_kernel: tuple[int, int] = (2, 2),
    ) -> None:
        super().__init__()
        channels = int(STEM_CHANNELS * scale)
        self.conv1 = ConvBNHardswish(3, channels, 3, stride=2)
        blocks = []
        for row in (*ROWS[:-1], ROWS[-1]._replace(stride=last_conv_stride)):
            out = int(row.channels * scale)
            blocks.append(DepthwiseSeparable(channels, out, row.kernel, row.stride, row.se))
            channels = out
        self.block_list = nn.Sequential(*blocks)
        self.pool = nn.MaxPool2D(2, 2) if last_pool_type == "max" else nn.AvgPool2D(last_pool_kernel, last_pool_kernel)
        self.out_channels = channels

    def units(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yield the layers up to the last block, in the order of running, by their names within the backbone."""
        yield "conv1", self.conv1
        for name, block in self.block_list.named_children():
            yield f"block_list.{name}", block

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map lines (N, 3, H, W) to (N, out_channels, h, w).

        As PP-OCRv2 uses it, h is 1 for lines of 32 pixels and w is W / 4; as v3 does, of 48 pixels and W / 8.
        """
        return self.pool(self.block_list(self.conv1(x)))
