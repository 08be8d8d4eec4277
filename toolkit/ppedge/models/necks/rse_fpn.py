"""The feature pyramid of PP-OCRv3's detector."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from ppedge.models.layers import SEModule
from ppedge.models.necks.levels import conv, joined, level_by_level, top_down


class RSELayer(nn.Layer):
    """A convolution without bias whose channels are weighed by their means, with a shortcut around the weighing.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        kernel: Of the convolution, which keeps the size.
        shortcut: Add what is weighed to what it was before.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, shortcut: bool) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.in_conv = conv(in_channels, out_channels, kernel)
        self.se_block = SEModule(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        x = self.in_conv(x)
        return x + self.se_block(x) if self.shortcut else self.se_block(x)


class RSEFPN(nn.Layer):
    """A feature pyramid as DB's, each of whose convolutions is followed by residual squeeze-and-excitation.

    Source: Li et al., "PP-OCRv3: More Attempts for the Improvement of Ultra Lightweight OCR System", 2022, section 2.1.

    Args:
        in_channels: Channels of the four maps, finest first.
        out_channels: Channels of the result, a multiple of 16.
        shortcut: Add what is weighed to what it was before.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int = 96, shortcut: bool = True) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.ins_conv, self.inp_conv = nn.LayerList(), nn.LayerList()
        for channels in in_channels:
            self.ins_conv.append(RSELayer(channels, out_channels, 1, shortcut))
            self.inp_conv.append(RSELayer(out_channels, out_channels // 4, 3, shortcut))

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Join maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size to one (N, out_channels, H / 4, W / 4)."""
        return joined(level_by_level(self.inp_conv, top_down(level_by_level(self.ins_conv, features))))
