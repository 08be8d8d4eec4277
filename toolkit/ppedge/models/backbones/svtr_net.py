"""SVTR's backbone, which PP-OCRv4's recogniser has for a teacher: tokens of a line, mixed by convolution or attention.

Source: Du et al., "SVTR: Scene Text Recognition with a Single Visual Model", IJCAI 2022. Names are PaddleOCR's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.errors import PpedgeError
from ppedge.models.attention import MLP, GlobalMixing
from ppedge.models.hardswish import hardswish
from ppedge.models.layers import kaiming_normal, kaiming_uniform

Mixer = Literal["Conv", "Global"]

EPSILON = 1e-6
MLP_RATIO = 4
LAST_DROPOUT = 0.1
DROPPED_PATHS = 0.1
"""Probability that the last block's path is left out for a sample in training; the first one's never is."""
PATCH = 4
"""Pixels of a token's side; two steps between the stages halve its height."""


class ConvNormGelu(nn.Layer):
    """A 3x3 convolution of stride 2 with bias, BatchNorm, GELU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2D(in_channels, out_channels, 3, 2, padding=1, weight_attr=kaiming_uniform())
        self.norm = nn.BatchNorm2D(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / 2, W / 2)."""
        return F.gelu(self.norm(self.conv(x)))


class ConvMixing(nn.Layer):
    """Mix tokens with their neighbours: a grouped convolution over the map that they are.

    Args:
        channels: Of a token.
        groups: Of the convolution.
        size: Height and width of the map, in tokens.
        kernel: Height and width of the window, odd.
    """

    def __init__(self, channels: int, groups: int, size: tuple[int, int], kernel: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        padding = [side // 2 for side in kernel]
        self.local_mixer = nn.Conv2D(
            channels, channels, kernel, 1, padding, groups=groups, weight_attr=kaiming_normal()
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map tokens (N, T, C) to (N, T, C)."""
        return tokens(self.local_mixer(as_map(x, self.size)))


class DropPath(nn.Layer):
    """Leave a path out for some samples in training, and weigh it up for the others.

    Source: Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016.

    Args:
        probability: That a sample's path is left out.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return (N, T, C)."""
        if not self.training or self.probability == 0:
            return x
        kept = 1 - self.probability
        return x / kept * paddle.floor(kept + paddle.rand([x.shape[0], 1, 1]))


class PostNormBlock(nn.Layer):
    """Mix tokens, then channels; each sum is normalised. PaddleOCR calls it ``prenorm: True``.

    Args:
        channels: Of a token.
        mixer: Maps tokens (N, T, C) to (N, T, C).
        dropped: Probability that a path is left out.
    """

    def __init__(self, channels: int, mixer: nn.Layer, dropped: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, EPSILON)
        self.mixer = mixer
        self.drop_path = DropPath(dropped)
        self.norm2 = nn.LayerNorm(channels, EPSILON)
        self.mlp = MLP(channels, MLP_RATIO * channels, F.gelu)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map tokens (N, T, C) to (N, T, C)."""
        x = self.norm1(x + self.drop_path(self.mixer(x)))
        return self.norm2(x + self.drop_path(self.mlp(x)))


class PatchEmbed(nn.Layer):
    """Two convolutions that make tokens of 4x4 pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(ConvNormGelu(3, channels // 2), ConvNormGelu(channels // 2, channels))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map lines (N, 3, H, W) to tokens (N, H W / 16, channels)."""
        return tokens(self.proj(x))


class SubSample(nn.Layer):
    """Halve the height of the map that tokens are, by a convolution."""

    def __init__(self, in_channels: int, out_channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.conv = nn.Conv2D(in_channels, out_channels, 3, (2, 1), padding=1, weight_attr=kaiming_normal())
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map tokens (N, T, in_channels) to (N, T / 2, out_channels)."""
        return self.norm(tokens(self.conv(as_map(x, self.size))))


class SVTRNet(nn.Layer):
    """SVTR for lines of one size, ending in a row.

    PaddleOCR's configuration of PP-OCRv4's distillation leaves the last stage out, and then cannot run: its head reads
    192 channels of a map and is given tokens of 256. Here the last stage is always there, as it is in SVTR.

    Args:
        img_size: Height and width of the lines in pixels, multiples of 16 and 4: each place has an embedding.
        embed_dim: Channels of the three stages.
        depth: Blocks of the three stages.
        num_heads: Heads of attention, or groups of convolution, in the three stages.
        mixer: Of each block of all stages, in their order.
        local_mixer: Height and width of the windows of ``Conv`` in the three stages, odd.
        out_channels: Of the row.
        out_char_num: Columns of the row.
    """

    def __init__(
        self,
        img_size: tuple[int, int] = (48, 320),
        embed_dim: Sequence[int] = (64, 128, 256),
        depth: Sequence[int] = (3, 6, 3),
        num_heads: Sequence[int] = (2, 4, 8),
        mixer: Sequence[Mixer] = ("Conv",) * 6 + ("Global",) * 6,
        local_mixer: Sequence[tuple[int, int]] = ((5, 5), (5, 5), (5, 5)),
        out_channels: int = 192,
        out_char_num: int = 40,
    ) -> None:
        super().__init__()
        self.img_size = list(img_size)
        self.out_channels = out_channels
        self.patch_embed = PatchEmbed(embed_dim[0])
        height, width = img_size[0] // PATCH, img_size[1] // PATCH
        places = paddle.ParamAttr(initializer=nn.initializer.TruncatedNormal(std=0.02))
        self.pos_embed = self.create_parameter([1, height * width, embed_dim[0]], attr=places)
        dropped = iter(np.linspace(0, DROPPED_PATHS, sum(depth)).tolist())
        mixers = iter(mixer)
        stages = zip(embed_dim, depth, num_heads, local_mixer, strict=True)
        for stage, (channels, blocks, heads, kernel) in enumerate(stages, start=1):
            size = (height >> (stage - 1), width)
            if stage > 1:
                before = (height >> (stage - 2), width)
                setattr(self, f"sub_sample{stage - 1}", SubSample(embed_dim[stage - 2], channels, before))
            made = [
                PostNormBlock(channels, _mixing(next(mixers), channels, heads, size, kernel), next(dropped))
                for _ in range(blocks)
            ]
            setattr(self, f"blocks{stage}", nn.Sequential(*made))
        self.size = size
        self.avg_pool = nn.AdaptiveAvgPool2D([1, out_char_num])
        self.last_conv = nn.Conv2D(embed_dim[2], out_channels, 1, bias_attr=False)
        self.dropout = nn.Dropout(LAST_DROPOUT, mode="downscale_in_infer")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map lines (N, 3, H, W) to (N, out_channels, 1, out_char_num).

        Raises:
            PpedgeError: The lines have another size than those that the network was built for.
        """
        if list(x.shape[2:]) != self.img_size:
            raise PpedgeError(
                f"SVTRNet is for lines of {self.img_size[0]}x{self.img_size[1]} pixels, not {x.shape[2]}x{x.shape[3]}.",
                "Set rec_preprocess.height, min_width and max_width (of a teacher: train.max_width) to its img_size.",
            )
        x = self.blocks1(self.patch_embed(x) + self.pos_embed)
        x = self.blocks2(self.sub_sample1(x))
        x = self.blocks3(self.sub_sample2(x))
        x = self.last_conv(self.avg_pool(as_map(x, self.size)))
        return self.dropout(hardswish(x))


def tokens(x: paddle.Tensor) -> paddle.Tensor:
    """Return the pixels of a map (N, C, H, W) as tokens (N, H W, C)."""
    return x.reshape([0, x.shape[1], -1]).transpose([0, 2, 1])


def as_map(x: paddle.Tensor, size: tuple[int, int]) -> paddle.Tensor:
    """Return tokens (N, H W, C) as a map (N, C, H, W) of that height and width."""
    return x.transpose([0, 2, 1]).reshape([0, x.shape[2], size[0], size[1]])


def _mixing(mixer: Mixer, channels: int, heads: int, size: tuple[int, int], kernel: tuple[int, int]) -> nn.Layer:
    return ConvMixing(channels, heads, size, kernel) if mixer == "Conv" else GlobalMixing(channels, heads)
