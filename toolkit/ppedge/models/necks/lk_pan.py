"""The path aggregation of PP-OCRv3's and v4's teachers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.necks.intra_cl import IntraCL
from ppedge.models.necks.levels import conv, joined, level_by_level, top_down

LARGE_KERNEL = 9


class DSConv(nn.Layer):
    """A depthwise convolution between 1x1 convolutions: cheap in place of a whole one, and not linear.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result; where they differ, a 1x1 convolution of the input is added.
        kernel: Of the depthwise convolution, which keeps the size.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        width = 4 * in_channels
        self.conv1 = nn.Conv2D(
            in_channels, in_channels, kernel, padding=kernel // 2, groups=in_channels, bias_attr=False
        )
        self.bn1 = nn.BatchNorm2D(in_channels)
        self.conv2 = nn.Conv2D(in_channels, width, 1, bias_attr=False)
        self.bn2 = nn.BatchNorm2D(width)
        self.conv3 = nn.Conv2D(width, out_channels, 1, bias_attr=False)
        self.added = in_channels != out_channels
        if self.added:
            self.conv_end = nn.Conv2D(in_channels, out_channels, 1, bias_attr=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        y = self.conv3(F.relu(self.bn2(self.conv2(self.bn1(self.conv1(x))))))
        return y + self.conv_end(x) if self.added else y


class LKPAN(nn.Layer):
    """A feature pyramid with 9x9 convolutions, whose fine maps are added to the coarser ones in turn.

    Source: Li et al., "PP-OCRv3: More Attempts for the Improvement of Ultra Lightweight OCR System", 2022, section 2.1;
    the second path is that of Liu et al., "Path Aggregation Network for Instance Segmentation", CVPR 2018.

    Args:
        in_channels: Channels of the four maps, finest first.
        out_channels: Channels of the result, a multiple of 4.
        mode: ``large``: whole 9x9 convolutions; ``lite``: `DSConv`.
        intracl: Put each level through `IntraCL` before they are joined.

    Attributes:
        linear: Whether the result is a linear function of the maps: ``large`` without ``intracl`` has nothing but
            convolutions.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        mode: Literal["large", "lite"] = "large",
        intracl: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.intracl = intracl
        self.linear = mode == "large" and not intracl
        large, part = conv if mode == "large" else DSConv, out_channels // 4
        self.ins_conv, self.inp_conv = nn.LayerList(), nn.LayerList()
        self.pan_head_conv, self.pan_lat_conv = nn.LayerList(), nn.LayerList()
        for level, channels in enumerate(in_channels):
            self.ins_conv.append(conv(channels, out_channels, 1))
            self.inp_conv.append(large(out_channels, part, LARGE_KERNEL))
            if level > 0:
                self.pan_head_conv.append(conv(part, part, 3, stride=2))
            self.pan_lat_conv.append(large(part, part, LARGE_KERNEL))
        if intracl:
            self.incl1 = IntraCL(part)
            self.incl2 = IntraCL(part)
            self.incl3 = IntraCL(part)
            self.incl4 = IntraCL(part)

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Join maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size to one (N, out_channels, H / 4, W / 4)."""
        f2, f3, f4, f5 = level_by_level(self.inp_conv, top_down(level_by_level(self.ins_conv, features)))
        f3 = f3 + self.pan_head_conv[0](f2)
        f4 = f4 + self.pan_head_conv[1](f3)
        f5 = f5 + self.pan_head_conv[2](f4)
        maps = level_by_level(self.pan_lat_conv, [f2, f3, f4, f5])
        if self.intracl:
            p2, p3, p4, p5 = maps
            maps = [self.incl1(p2), self.incl2(p3), self.incl3(p4), self.incl4(p5)]
        return joined(maps)
