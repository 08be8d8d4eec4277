"""What the pyramids of four levels have in common."""

from __future__ import annotations

import paddle
from paddle import nn

from ppedge.models.layers import kaiming_uniform, upsample

Maps = list[paddle.Tensor]


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2D:
    """Return a convolution without bias that keeps the size at stride 1."""
    return nn.Conv2D(
        in_channels, out_channels, kernel, stride, padding=kernel // 2, weight_attr=kaiming_uniform(), bias_attr=False
    )


def level_by_level(layers: nn.LayerList, maps: Maps) -> Maps:
    """Give each of four maps to the layer of its level."""
    return [layers[0](maps[0]), layers[1](maps[1]), layers[2](maps[2]), layers[3](maps[3])]


def top_down(maps: Maps) -> Maps:
    """Add each level, finest first, to the next finer one, at the finer one's size."""
    c2, c3, c4, c5 = maps
    c4 = c4 + upsample(c5, 2)
    c3 = c3 + upsample(c4, 2)
    c2 = c2 + upsample(c3, 2)
    return [c2, c3, c4, c5]


def joined(maps: Maps) -> paddle.Tensor:
    """Join four levels (N, C, h, w), finest first, to a map (N, 4 C, H, W) of the finest one's size, coarsest first."""
    p2, p3, p4, p5 = maps
    return paddle.concat([upsample(p5, 8), upsample(p4, 4), upsample(p3, 2), p2], axis=1)
