"""The feature pyramid of PP-OCRv6's detector."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from ppedge.models.folding import Foldable, FusedConv, shipped_conv
from ppedge.models.layers import SEModule
from ppedge.models.necks.levels import Maps, conv, joined, level_by_level, top_down
from ppedge.models.necks.rse_fpn import RSELayer
from ppedge.models.rep import Kernel, norm_affine, wide

BRANCHES = {5: ((3, 1), (3, 2)), 7: ((5, 1), (3, 2), (3, 3)), 9: ((5, 1), (5, 2), (3, 3), (3, 4))}
"""Kernel and dilation of the branches beside the large kernel, by its side."""


class DilatedReparamBlock(Foldable):
    """A large depthwise convolution that is trained beside small, dilated ones, each with BatchNorm.

    Source: Ding et al., "UniRepLKNet: A Universal Perception Large-Kernel ConvNet", CVPR 2024.

    Args:
        channels: Of input and output.
        kernel: Side of the large kernel: 5, 7 or 9.
        folded: Build PaddleOCR's re-parameterised form.
    """

    def __init__(self, channels: int, kernel: int, folded: bool) -> None:
        super().__init__()
        self.channels = channels
        self.branches = [] if folded else [f"k{side}_{rate}" for side, rate in BRANCHES[kernel]]
        if folded:
            self.lk_origin: nn.Layer = FusedConv(channels, channels, kernel, 1, channels)
            return
        self.lk_origin = _depthwise(channels, kernel, 1)
        self.origin_bn = nn.BatchNorm2D(channels)
        for name, (side, rate) in zip(self.branches, BRANCHES[kernel], strict=True):
            setattr(self, f"dil_conv_{name}", _depthwise(channels, side, rate))
            setattr(self, f"dil_bn_{name}", nn.BatchNorm2D(channels))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, H, W) to (N, C, H, W)."""
        if not self.branches:
            return self.lk_origin(x)
        y = self.origin_bn(self.lk_origin(x))
        for name in self.branches:
            y = y + getattr(self, f"dil_bn_{name}")(getattr(self, f"dil_conv_{name}")(x))
        return y

    def kernel(self) -> Kernel:
        """Return the one convolution that the branches are, with BatchNorm's running statistics."""
        if isinstance(self.lk_origin, FusedConv):
            return self.lk_origin.kernel()
        factor, bias = norm_affine(self.origin_bn)
        weight = wide(self.lk_origin.weight) * factor[:, None, None, None]
        for name in self.branches:
            small, norm = getattr(self, f"dil_conv_{name}"), getattr(self, f"dil_bn_{name}")
            factor, offset = norm_affine(norm)
            rate, side = small._dilation[0], small.weight.shape[2]
            start = weight.shape[2] // 2 - rate * (side // 2)
            taken = slice(start, start + rate * (side - 1) + 1, rate)
            weight[:, :, taken, taken] += wide(small.weight) * factor[:, None, None, None]
            bias = bias + offset
        return Kernel(weight, bias)

    def folded(self) -> nn.Layer:
        """Return the layer as it ships."""
        return shipped_conv(self.kernel(), 1, self.channels)


def _depthwise(channels: int, side: int, rate: int) -> nn.Conv2D:
    return nn.Conv2D(
        channels, channels, side, padding=rate * (side // 2), dilation=rate, groups=channels, bias_attr=False
    )


class TopDown(nn.Layer):
    """The levels, each added to the finer ones; a layer of its own, so that a guide can read what it gives.

    Args:
        channels: Of each level.

    Attributes:
        out_channels: Channels of the four maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_channels = [channels] * 4

    def forward(self, maps: Maps) -> Maps:
        """Map four maps (N, C, h, w), finest first, to four of the same sizes."""
        return top_down(maps)


class RepLKFPN(nn.Layer):
    """A feature pyramid as RSEFPN, whose 3x3 convolutions are a large depthwise and a 1x1 convolution here.

    Source: PaddleOCR's description of PP-OCRv6, 2026.

    Args:
        in_channels: Channels of the four maps, finest first.
        out_channels: Channels of the result, a multiple of 16.
        dilated_kernel_size: Side of the depthwise kernels: 5, 7 or 9.
        shortcut: Add what is weighed to what it was before.
        folded: Build PaddleOCR's re-parameterised form.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 96,
        dilated_kernel_size: int = 7,
        shortcut: bool = True,
        folded: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.shortcut = shortcut
        self.top_down = TopDown(out_channels)
        self.ins_conv, self.inp_conv_dw = nn.LayerList(), nn.LayerList()
        self.inp_conv_pw, self.inp_conv_se = nn.LayerList(), nn.LayerList()
        for channels in in_channels:
            self.ins_conv.append(RSELayer(channels, out_channels, 1, shortcut))
            self.inp_conv_dw.append(DilatedReparamBlock(out_channels, dilated_kernel_size, folded))
            self.inp_conv_pw.append(conv(out_channels, out_channels // 4, 1))
            self.inp_conv_se.append(SEModule(out_channels // 4))

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Join maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size to one (N, out_channels, H / 4, W / 4)."""
        maps = self.top_down(level_by_level(self.ins_conv, features))
        maps = level_by_level(self.inp_conv_pw, level_by_level(self.inp_conv_dw, maps))
        weighed = level_by_level(self.inp_conv_se, maps)
        if self.shortcut:
            weighed = [maps[0] + weighed[0], maps[1] + weighed[1], maps[2] + weighed[2], maps[3] + weighed[3]]
        return joined(weighed)
