"""PP-LCNetV4, the backbone of PP-OCRv6: four feature maps for a detector, one row of features for a recogniser.

Each block mixes the pixels of each channel, then the channels of each pixel, as Yu et al. have it in "MetaFormer Is
Actually What You Need for Vision", CVPR 2022. Names, widths and strides are those of PP-OCRv6's official weights; the
re-parameterised form is the one that PaddleOCR makes before it exports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.folding import Foldable, FusedConv, shipped_conv
from ppedge.models.layers import ConvBNLayer, SEModule, Stride, without_l2
from ppedge.models.rep import Kernel, kernel_of, norm_affine, wide

ModelSize = Literal["tiny", "small"]

KERNEL = 3
EXPANSION = 2
SE_SLOPE = 1 / 6
TRAINED_COLUMNS = 40
"""Of a recogniser's row in training, whatever the width of the lines."""


class Row(NamedTuple):
    """One block."""

    channels: int
    stride: Stride = 1
    se: bool = False


class Layout(NamedTuple):
    """The channels within and after the stem, and the blocks of each stage."""

    stem: tuple[int, int]
    stages: dict[str, tuple[Row, ...]]


def _alike(channels: int, *weighed: bool) -> tuple[Row, ...]:
    return tuple(Row(channels, se=se) for se in weighed)


def _det(stem: tuple[int, int], widths: tuple[int, int, int, int]) -> Layout:
    first, second, third, fourth = widths
    return Layout(
        stem,
        {
            "blocks_s1": _alike(first, True, False),
            "blocks_s2": (Row(second, 2), *_alike(second, True, False)),
            "blocks_s3": (Row(third, 2), *_alike(third, True, False, True, False)),
            "blocks_s4": (Row(fourth, 2), *_alike(fourth, True, False)),
        },
    )


DET = {
    "tiny": _det((16, 32), (32, 48, 64, 160)),
    "small": _det((24, 48), (48, 96, 192, 384)),
}
REC = {
    "tiny": Layout(
        (24, 48),
        {
            "blocks2": _alike(48, True),
            "blocks3": _alike(48, False),
            "blocks4": (Row(96, (2, 1)), *_alike(96, True, False)),
            "blocks5": (Row(160, (2, 1)), *_alike(160, True, False, False)),
        },
    ),
    "small": Layout(
        (48, 96),
        {
            "blocks2": _alike(96, True),
            "blocks3": _alike(96, False, False),
            "blocks4": (Row(192, (2, 1)), *_alike(192, True, False, True, False, True, False)),
            "blocks5": (Row(384, (2, 1)), *_alike(384, True, False)),
        },
    ),
}


class StemConv(Foldable):
    """A convolution of the stem, re-parameterised: with bias, and ReLU behind it."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = FusedConv(in_channels, out_channels, kernel, stride)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        return F.relu(self.conv(x))

    def folded(self) -> nn.Layer:
        """Return the layer as it ships."""
        return shipped_conv(self.conv.kernel(), tuple(self.conv._stride), 1, "relu")


def _stem_conv(in_channels: int, out_channels: int, kernel: int, stride: int, folded: bool) -> nn.Layer:
    if folded:
        return StemConv(in_channels, out_channels, kernel, stride)
    return ConvBNLayer(in_channels, out_channels, kernel, stride, activation="relu", norm_attr=without_l2())


class StemBlock(nn.Layer):
    """What a picture goes through first: to a quarter of its size, along convolutions and past them by a maximum.

    Args:
        middle: Channels within it, even.
        out_channels: Channels of the result.
        folded: Build PaddleOCR's re-parameterised form.
    """

    def __init__(self, middle: int, out_channels: int, folded: bool) -> None:
        super().__init__()
        self.stem1 = _stem_conv(3, middle, 3, 2, folded)
        self.stem2a = _stem_conv(middle, middle // 2, 2, 1, folded)
        self.stem2b = _stem_conv(middle // 2, middle, 2, 1, folded)
        self.stem3 = _stem_conv(2 * middle, middle, 3, 2, folded)
        self.stem4 = _stem_conv(middle, out_channels, 1, 1, folded)
        self.pool = nn.MaxPool2D(kernel_size=2, stride=1, padding="SAME")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map pictures (N, 3, H, W), sides multiples of 4, to (N, out_channels, H / 4, W / 4)."""
        x = self.stem1(x)
        return self.stem4(self.stem3(paddle.concat([self.pool(x), self.stem2b(self.stem2a(x))], axis=1)))


class RepDWConv(Foldable):
    """A depthwise convolution that is trained beside a 1x1 one and the identity.

    Args:
        channels: Of input and output.
        kernel: Side of the kernel, odd.
        folded: Build PaddleOCR's re-parameterised form.
    """

    def __init__(self, channels: int, kernel: int, folded: bool) -> None:
        super().__init__()
        self.channels = channels
        self.reparam_conv = FusedConv(channels, channels, kernel, 1, channels) if folded else None
        if not folded:
            self.conv = ConvBNLayer(channels, channels, kernel, groups=channels)
            self.conv1 = nn.Conv2D(channels, channels, 1, groups=channels, bias_attr=False)
            self.bn = nn.BatchNorm2D(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, H, W) to (N, C, H, W)."""
        if self.reparam_conv is not None:
            return self.reparam_conv(x)
        return self.bn(self.conv(x) + self.conv1(x) + x)

    def kernel(self) -> Kernel:
        """Return the one convolution that the branches are, with BatchNorm's running statistics."""
        if self.reparam_conv is not None:
            return self.reparam_conv.kernel()
        weight, bias = kernel_of(self.conv)
        centre = weight.shape[2] // 2
        weight[:, :, centre, centre] += wide(self.conv1.weight)[:, :, 0, 0] + 1
        factor, offset = norm_affine(self.bn)
        return Kernel(weight * factor[:, None, None, None], bias * factor + offset)

    def folded(self) -> nn.Layer:
        """Return the layer as it ships."""
        return shipped_conv(self.kernel(), 1, self.channels)


def _conv(in_channels: int, out_channels: int, kernel: int, stride: Stride, groups: int, folded: bool) -> nn.Layer:
    if folded:
        return FusedConv(in_channels, out_channels, kernel, stride, groups)
    return ConvBNLayer(in_channels, out_channels, kernel, stride, groups)


class LCNetV4Block(nn.Layer):
    """A depthwise convolution, channels weighted after it where ``se``, and two 1x1 convolutions with GELU between.

    Where neither size nor channels change, the depthwise convolution has branches, and what it gives is added to what
    the 1x1 convolutions make of it.
    """

    def __init__(self, in_channels: int, row: Row, folded: bool) -> None:
        super().__init__()
        self.residual = in_channels == row.channels and row.stride == 1
        if self.residual:
            first = ("rep_dw", RepDWConv(in_channels, KERNEL, folded))
        else:
            first = ("dw_conv", _conv(in_channels, in_channels, KERNEL, row.stride, in_channels, folded))
        self.token_mixer = nn.Sequential(first, *([("se", SEModule(in_channels, SE_SLOPE))] if row.se else []))
        hidden = EXPANSION * in_channels
        compress = _conv(hidden, row.channels, 1, 1, 1, folded)
        if self.residual and isinstance(compress, ConvBNLayer):
            nn.initializer.Constant(0.0)(compress.bn.weight)  # a block begins as its depthwise convolution
        self.channel_mixer = nn.Sequential(
            ("expand", _conv(in_channels, hidden, 1, 1, 1, folded)), ("act", nn.GELU()), ("compress", compress)
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, channels, ceil(H / stride), ceil(W / stride))."""
        x = self.token_mixer(x)
        mixed = self.channel_mixer(x)
        return x + mixed if self.residual else mixed


class _PPLCNetV4(nn.Layer):
    """The stages behind the stem.

    Args:
        layout: Of the network.
        folded: Build PaddleOCR's re-parameterised form.
    """

    def __init__(self, layout: Layout, stem: str, stem_layer: nn.Layer, folded: bool) -> None:
        super().__init__()
        setattr(self, stem, stem_layer)
        self.parts = [stem, *layout.stages]
        self.stage_channels: list[int] = []
        channels = layout.stem[1]
        for name, rows in layout.stages.items():
            blocks = []
            for row in rows:
                blocks.append(LCNetV4Block(channels, row, folded))
                channels = row.channels
            setattr(self, name, nn.Sequential(*blocks))
            self.stage_channels.append(channels)

    def units(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yield the layers that run one after the other, by their names within the backbone."""
        stem, *stages = self.parts
        yield stem, getattr(self, stem)
        for stage in stages:
            for name, block in getattr(self, stage).named_children():
                yield f"{stage}.{name}", block


class PPLCNetV4Det(_PPLCNetV4):
    """PP-LCNetV4 as a detector's backbone.

    Args:
        model_size: Which of the published layouts.
        folded: Build PaddleOCR's re-parameterised form.

    Attributes:
        out_channels: Channels of the four feature maps, finest first.
    """

    def __init__(self, model_size: ModelSize = "small", folded: bool = False) -> None:
        layout = DET[model_size]
        super().__init__(layout, "stem", StemBlock(*layout.stem, folded), folded)
        self.out_channels = self.stage_channels

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Map pictures (N, 3, H, W), sides multiples of 32, to four maps of 1/4, 1/8, 1/16 and 1/32 of that size."""
        c2 = self.blocks_s1(self.stem(x))
        c3 = self.blocks_s2(c2)
        c4 = self.blocks_s3(c3)
        return [c2, c3, c4, self.blocks_s4(c4)]


class PPLCNetV4Rec(_PPLCNetV4):
    """PP-LCNetV4 as a recogniser's backbone: the height falls to a sixteenth, the width to a quarter, then one row.

    As with `PPLCNetV3Rec`, the row has 40 columns in training whatever the size of the lines; in evaluation windows of
    3x2 are averaged.

    Args:
        model_size: Which of the published layouts.
        folded: Build PaddleOCR's re-parameterised form, in which tiny's stem keeps its BatchNorm.

    Attributes:
        out_channels: Channels of the features.
    """

    def __init__(self, model_size: ModelSize = "small", folded: bool = False) -> None:
        layout = REC[model_size]
        middle, channels = layout.stem
        if model_size == "tiny":
            stem: nn.Layer = nn.Sequential(
                ConvBNLayer(3, middle, KERNEL, 2), nn.GELU(), ConvBNLayer(middle, channels, KERNEL, 2)
            )
        else:
            stem = StemBlock(middle, channels, folded)
        super().__init__(layout, "conv1", stem, folded)
        self.out_channels = self.stage_channels[-1]

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map lines (N, 3, H, W) to (N, out_channels, 1, 40) in training, else (N, out_channels, H // 48, W // 8)."""
        x = self.blocks5(self.blocks4(self.blocks3(self.blocks2(self.conv1(x)))))
        return F.adaptive_avg_pool2d(x, [1, TRAINED_COLUMNS]) if self.training else F.avg_pool2d(x, [3, 2])
