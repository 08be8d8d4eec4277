"""PP-LCNetV3, the backbone of PP-OCRv4: four feature maps for a detector, one row of features for a recogniser.

Source of the network it comes from: Cui et al., "PP-LCNet: A Lightweight CPU Convolutional Neural Network", 2021.
Names, strides and rounding are those of PP-OCRv4's official weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.folding import Foldable, FoldedBlock
from ppedge.models.layers import SEModule, Stride, make_divisible
from ppedge.models.rep import RepLayer, conv_bn

STEM_CHANNELS = 16
DIVISOR = 16
SE_SLOPE = 1 / 6
MAP_CHANNELS = (16, 24, 56, 480)
"""Of a detector's four maps, before width scaling."""
TRAINED_COLUMNS = 40
"""Of a recogniser's row in training, whatever the width of the lines."""


class Row(NamedTuple):
    """One depthwise separable block before width scaling."""

    kernel: int
    channels: int
    stride: Stride
    se: bool = False


Stages = dict[str, tuple[Row, ...]]
_WIDE = (Row(5, 256, 1),) * 4
DET: Stages = {
    "blocks2": (Row(3, 32, 1),),
    "blocks3": (Row(3, 64, 2), Row(3, 64, 1)),
    "blocks4": (Row(3, 128, 2), Row(3, 128, 1)),
    "blocks5": (Row(3, 256, 2), *_WIDE),
    "blocks6": (Row(5, 512, 2, True), Row(5, 512, 1, True), Row(5, 512, 1), Row(5, 512, 1)),
}
REC: Stages = {
    "blocks2": (Row(3, 32, 1),),
    "blocks3": (Row(3, 64, 1), Row(3, 64, 1)),
    "blocks4": (Row(3, 128, (2, 1)), Row(3, 128, 1)),
    "blocks5": (Row(3, 256, (1, 2)), *_WIDE),
    "blocks6": (Row(5, 512, (2, 1), True), Row(5, 512, 1, True), Row(5, 512, (2, 1)), Row(5, 512, 1)),
}


class LCNetV3Block(Foldable):
    """A depthwise and a pointwise `RepLayer`, channels weighted between them where ``se``."""

    def __init__(self, in_channels: int, out_channels: int, row: Row, branches: int, folded: bool) -> None:
        super().__init__()
        self.dw_conv = RepLayer(in_channels, in_channels, row.kernel, row.stride, in_channels, branches, folded)
        self.se = SEModule(in_channels, SE_SLOPE) if row.se else None
        self.pw_conv = RepLayer(in_channels, out_channels, 1, branches=branches, folded=folded)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self.dw_conv(x)
        if self.se is not None:
            x = self.se(x)
        return self.pw_conv(x)

    def folded(self) -> nn.Layer:
        """Return the block as it ships."""
        return FoldedBlock(self.dw_conv, self.se, self.pw_conv)


class _PPLCNetV3(nn.Layer):
    """The stem and the five stages.

    Args:
        stages: Blocks of each stage.
        scale: Width multiplier; channels are rounded to a multiple of 16.
        branches: ``conv_kxk`` of each `RepLayer`.
        folded: Build PaddleOCR's re-parameterised form.
    """

    def __init__(self, stages: Stages, scale: float, branches: int, folded: bool) -> None:
        super().__init__()
        channels = make_divisible(STEM_CHANNELS * scale, DIVISOR)
        self.conv1 = conv_bn(3, channels, 3, 2)
        self.stage_channels: list[int] = []
        for name, rows in stages.items():
            blocks = []
            for row in rows:
                wider = make_divisible(row.channels * scale, DIVISOR)
                blocks.append(LCNetV3Block(channels, wider, row, branches, folded))
                channels = wider
            setattr(self, name, nn.Sequential(*blocks))
            self.stage_channels.append(channels)

    def units(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yield the layers that run one after the other, by their names within the backbone."""
        yield "conv1", self.conv1
        for stage in DET:
            for name, block in getattr(self, stage).named_children():
                yield f"{stage}.{name}", block


class PPLCNetV3Det(_PPLCNetV3):
    """PP-LCNetV3 as a detector's backbone.

    Args:
        scale: Width multiplier; channels are rounded to a multiple of 16.
        branches: ``conv_kxk`` of each `RepLayer`.
        folded: Build PaddleOCR's re-parameterised form.

    Attributes:
        out_channels: Channels of the four feature maps, finest first.
    """

    def __init__(self, scale: float = 0.75, branches: int = 4, folded: bool = False) -> None:
        super().__init__(DET, scale, branches, folded)
        self.out_channels = [int(channels * scale) for channels in MAP_CHANNELS]
        pairs = zip(self.stage_channels[1:], self.out_channels, strict=True)
        self.layer_list = nn.LayerList([nn.Conv2D(channels, out, 1) for channels, out in pairs])

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Map pictures (N, 3, H, W), sides multiples of 32, to four maps of 1/4, 1/8, 1/16 and 1/32 of that size."""
        c2 = self.blocks3(self.blocks2(self.conv1(x)))
        c3 = self.blocks4(c2)
        c4 = self.blocks5(c3)
        c5 = self.blocks6(c4)
        first, second, third, last = self.layer_list
        return [first(c2), second(c3), third(c4), last(c5)]


class PPLCNetV3Rec(_PPLCNetV3):
    """PP-LCNetV3 as a recogniser's backbone: the height falls to a sixteenth, the width to a quarter, then one row.

    In training the row has 40 columns whatever the size of the lines, so that lines of 32, 48 and 64 pixels may be
    mixed; in evaluation windows of 3x2 are averaged, W / 8 columns of lines of 48 pixels. That the two differ is how
    PaddleOCR trained its official weights.

    Args:
        scale: Width multiplier; channels are rounded to a multiple of 16.
        branches: ``conv_kxk`` of each `RepLayer`.
        folded: Build PaddleOCR's re-parameterised form.

    Attributes:
        out_channels: Channels of the features.
    """

    def __init__(self, scale: float = 0.95, branches: int = 4, folded: bool = False) -> None:
        super().__init__(REC, scale, branches, folded)
        self.out_channels = self.stage_channels[-1]

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map lines (N, 3, H, W) to (N, out_channels, 1, 40) in training, else (N, out_channels, H // 48, W // 8)."""
        x = self.blocks4(self.blocks3(self.blocks2(self.conv1(x))))
        x = self.blocks6(self.blocks5(x))
        return F.adaptive_avg_pool2d(x, [1, TRAINED_COLUMNS]) if self.training else F.avg_pool2d(x, [3, 2])
