"""The feature pyramid of DB."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from ppedge.models.layers import upsample
from ppedge.models.necks.levels import conv


class DBFPN(nn.Layer):
    """Feature pyramid of DB: coarse maps are added to finer ones, and all four are joined at the finest size.

    Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020, section "Network
    architecture".

    Args:
        in_channels: Channels of the four maps, finest first.
        out_channels: Channels of the result, a multiple of 4.
    """

    linear = True

    def __init__(self, in_channels: Sequence[int], out_channels: int = 96) -> None:
        super().__init__()
        self.out_channels = out_channels
        c2, c3, c4, c5 = in_channels
        part = out_channels // 4
        self.in2_conv = conv(c2, out_channels, 1)
        self.in3_conv = conv(c3, out_channels, 1)
        self.in4_conv = conv(c4, out_channels, 1)
        self.in5_conv = conv(c5, out_channels, 1)
        self.p5_conv = conv(out_channels, part, 3)
        self.p4_conv = conv(out_channels, part, 3)
        self.p3_conv = conv(out_channels, part, 3)
        self.p2_conv = conv(out_channels, part, 3)

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Join maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size to one (N, out_channels, H / 4, W / 4)."""
        # In this order the operators stand in files that were converted before; another one changes their bytes.
        c2, c3, c4, c5 = features
        out5 = self.in5_conv(c5)
        out4 = self.in4_conv(c4) + upsample(out5, 2)
        out3 = self.in3_conv(c3) + upsample(out4, 2)
        out2 = self.in2_conv(c2) + upsample(out3, 2)
        p5 = upsample(self.p5_conv(out5), 8)
        p4 = upsample(self.p4_conv(out4), 4)
        p3 = upsample(self.p3_conv(out3), 2)
        p2 = self.p2_conv(out2)
        return paddle.concat([p5, p4, p3, p2], axis=1)
