"""MobileNetV3 in the two forms PP-OCR uses: four feature maps for a detector, one row of features for a recogniser.

Source of the network: Howard et al., "Searching for MobileNetV3", ICCV 2019 (tables 1 and 2). Layer names are those of
PP-OCR's official weights, and so are two departures from the paper: a hard sigmoid of slope 0.2 in
squeeze-and-excitation, and the recogniser's strides, which keep the width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import paddle
from paddle import nn

from ppedge.models.layers import Activation, ConvBNLayer, SEModule, Stride, make_divisible

ModelName = Literal["large", "small"]

STEM_CHANNELS = 16


class Row(NamedTuple):
    """One row of the paper's tables: an inverted residual block before width scaling."""

    kernel: int
    expanded: int
    channels: int
    se: bool
    activation: Activation
    stride: int


LARGE = (
    Row(3, 16, 16, False, "relu", 1),
    Row(3, 64, 24, False, "relu", 2),
    Row(3, 72, 24, False, "relu", 1),
    Row(5, 72, 40, True, "relu", 2),
    Row(5, 120, 40, True, "relu", 1),
    Row(5, 120, 40, True, "relu", 1),
    Row(3, 240, 80, False, "hardswish", 2),
    Row(3, 200, 80, False, "hardswish", 1),
    Row(3, 184, 80, False, "hardswish", 1),
    Row(3, 184, 80, False, "hardswish", 1),
    Row(3, 480, 112, True, "hardswish", 1),
    Row(3, 672, 112, True, "hardswish", 1),
    Row(5, 672, 160, True, "hardswish", 2),
    Row(5, 960, 160, True, "hardswish", 1),
    Row(5, 960, 160, True, "hardswish", 1),
)
SMALL = (
    Row(3, 16, 16, True, "relu", 2),
    Row(3, 72, 24, False, "relu", 2),
    Row(3, 88, 24, False, "relu", 1),
    Row(5, 96, 40, True, "hardswish", 2),
    Row(5, 240, 40, True, "hardswish", 1),
    Row(5, 240, 40, True, "hardswish", 1),
    Row(5, 120, 48, True, "hardswish", 1),
    Row(5, 144, 48, True, "hardswish", 1),
    Row(5, 288, 96, True, "hardswish", 2),
    Row(5, 576, 96, True, "hardswish", 1),
    Row(5, 576, 96, True, "hardswish", 1),
)
LAST_CHANNELS = {"large": 960, "small": 576}
LAYOUTS = {"large": LARGE, "small": SMALL}


class ResidualUnit(nn.Layer):
    """An inverted residual block: expand, filter each channel, weigh channels, project."""

    def __init__(
        self,
        in_channels: int,
        expanded: int,
        out_channels: int,
        kernel: int,
        stride: Stride,
        activation: Activation,
        se: bool,
    ) -> None:
        super().__init__()
        # A stride given as a pair means "no shortcut", even (1, 1): that is how official recognisers were trained.
        self.shortcut = stride == 1 and in_channels == out_channels
        self.expand_conv = ConvBNLayer(in_channels, expanded, 1, activation=activation)
        self.bottleneck_conv = ConvBNLayer(expanded, expanded, kernel, stride, groups=expanded, activation=activation)
        self.mid_se = SEModule(expanded) if se else None
        self.linear_conv = ConvBNLayer(expanded, out_channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        y = self.bottleneck_conv(self.expand_conv(x))
        if self.mid_se is not None:
            y = self.mid_se(y)
        y = self.linear_conv(y)
        return x + y if self.shortcut else y


class _Layout:
    """The channels of a layout at one width, and the blocks made of them."""

    def __init__(self, model_name: ModelName, scale: float) -> None:
        self.scale = scale
        self.blocks = LAYOUTS[model_name]
        self.stem = make_divisible(STEM_CHANNELS * scale)
        self.last = make_divisible(LAST_CHANNELS[model_name] * scale)

    def units(self, strides: Sequence[Stride], disable_se: bool) -> list[ResidualUnit]:
        units, channels = [], self.stem
        for block, stride in zip(self.blocks, strides, strict=True):
            out = make_divisible(block.channels * self.scale)
            expanded = make_divisible(block.expanded * self.scale)
            se = block.se and not disable_se
            units.append(ResidualUnit(channels, expanded, out, block.kernel, stride, block.activation, se))
            channels = out
        self.out_channels = channels
        return units


class MobileNetV3Det(nn.Layer):
    """MobileNetV3 as a detector's backbone.

    Args:
        model_name: ``large`` or ``small``.
        scale: Width multiplier; channels are rounded to a multiple of 8.
        disable_se: Leave squeeze-and-excitation out.

    Attributes:
        out_channels: Channels of the four feature maps, finest first.
    """

    def __init__(self, model_name: ModelName = "large", scale: float = 0.5, disable_se: bool = True) -> None:
        super().__init__()
        layout = _Layout(model_name, scale)
        self.conv = ConvBNLayer(3, layout.stem, 3, stride=2, activation="hardswish")
        units = layout.units([block.stride for block in layout.blocks], disable_se)
        # A stage ends before each block that halves the size, except where the map would be finer than a quarter.
        reduction, starts = 2, [0]
        for index, block in enumerate(layout.blocks):
            if block.stride == 2:
                if reduction > 2:
                    starts.append(index)
                reduction *= 2
        ends = [*starts[1:], len(units)]
        stages: list[list[nn.Layer]] = [list(units[a:b]) for a, b in zip(starts, ends, strict=True)]
        stages[-1].append(ConvBNLayer(layout.out_channels, layout.last, 1, activation="hardswish"))
        self.stages: list[nn.Layer] = []
        for number, stage in enumerate(stages):
            self.stages.append(self.add_sublayer(f"stage{number}", nn.Sequential(*stage)))
        widths = [make_divisible(layout.blocks[end - 1].channels * scale) for end in ends[:-1]]
        self.out_channels = [*widths, layout.last]

    def units(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yield the layers that run one after the other, by their names within the backbone."""
        yield "conv", self.conv
        for number, stage in enumerate(self.stages):
            for name, unit in stage.named_children():
                yield f"stage{number}.{name}", unit

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Map pictures (N, 3, H, W), sides multiples of 32, to four maps of 1/4, 1/8, 1/16 and 1/32 of that size."""
        x = self.conv(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class MobileNetV3Rec(nn.Layer):
    """MobileNetV3 as a recogniser's or classifier's backbone: the height falls to 1, the width to a quarter.

    Args:
        model_name: ``large`` or ``small``.
        scale: Width multiplier; channels are rounded to a multiple of 8.
        large_stride: For ``large``: strides of the height at the four blocks that reduce it.
        small_stride: The same for ``small``.

    Attributes:
        out_channels: Channels of the features.
    """

    def __init__(
        self,
        model_name: ModelName = "small",
        scale: float = 0.5,
        large_stride: Sequence[int] = (1, 2, 2, 2),
        small_stride: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
        super().__init__()
        layout = _Layout(model_name, scale)
        self.conv1 = ConvBNLayer(3, layout.stem, 3, stride=2, activation="hardswish")
        strides = _large_strides(large_stride) if model_name == "large" else _small_strides(small_stride)
        self.blocks = nn.Sequential(*layout.units(strides, disable_se=False))
        self.conv2 = ConvBNLayer(layout.out_channels, layout.last, 1, activation="hardswish")
        self.pool = nn.MaxPool2D(2, 2)
        self.out_channels = layout.last

    def units(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yield the layers up to the last block, in the order of running, by their names within the backbone."""
        yield "conv1", self.conv1
        for name, unit in self.blocks.named_children():
            yield f"blocks.{name}", unit

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map lines (N, 3, H, W) to (N, out_channels, h, W / 4).

        With the strides of official weights h is 1, for a recogniser's lines of 32 pixels and a classifier's of 48.
        """
        return self.pool(self.conv2(self.blocks(self.conv1(x))))


def _large_strides(height: Sequence[int]) -> list[Stride]:
    strides: list[Stride] = [1] * len(LARGE)
    # The first is a plain number, on both sides, in official recognisers; see `ResidualUnit`.
    strides[0] = height[0]
    for block, stride in zip((1, 3, 12), height[1:], strict=True):
        strides[block] = (stride, 1)
    return strides


def _small_strides(height: Sequence[int]) -> list[Stride]:
    strides: list[Stride] = [1] * len(SMALL)
    for block, stride in zip((0, 1, 3, 8), height, strict=True):
        strides[block] = (stride, 1)
    return strides
