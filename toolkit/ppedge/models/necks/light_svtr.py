"""The recognisers' sequence models of PP-OCRv6: attention beside a 1x1 convolution, and none."""

from __future__ import annotations

import paddle
from paddle import nn

from ppedge.models.attention import MLP, GlobalMixing, MixingBlock, swish
from ppedge.models.necks.svtr import DROPOUT, HEADS, ConvNormSwish, RowNeck, columns, require_row


class LightSVTRNeck(RowNeck):
    """Blocks of global mixing over the columns of a feature row.

    Source: PaddleOCR's description of PP-OCRv6 (EncoderWithLightSVTR), 2026.

    Args:
        in_channels: Channels of the features.
        dims: Channels of the result, a multiple of 8.
        depth: How many mixing blocks.
        mlp_ratio: Hidden channels of a block's linear layers, as a multiple of ``dims``.
        local_kernel: Columns that the convolution before the blocks sees, odd.

    Attributes:
        out_channels: ``dims``.
    """

    def __init__(
        self, in_channels: int, dims: int = 120, depth: int = 2, mlp_ratio: float = 2.0, local_kernel: int = 7
    ) -> None:
        super().__init__()
        self.encoder = EncoderWithLightSVTR(in_channels, dims, depth, mlp_ratio, local_kernel)
        self.out_channels = dims


class EncoderWithLightSVTR(nn.Layer):
    """The convolutions and blocks; a layer of its own because official weights name it ``ctc_encoder.encoder``."""

    def __init__(self, in_channels: int, dims: int, depth: int, mlp_ratio: float, local_kernel: int) -> None:
        super().__init__()
        self.dims = dims
        self.conv_reduce = ConvNormSwish(in_channels, dims)
        self.local_conv = nn.Sequential(
            nn.Conv2D(dims, dims, (1, local_kernel), padding=(0, local_kernel // 2), groups=dims, bias_attr=False),
            nn.BatchNorm2D(dims),
        )
        blocks = [
            MixingBlock(dims, GlobalMixing(dims, HEADS, DROPOUT), MLP(dims, int(mlp_ratio * dims), swish, DROPOUT))
            for _ in range(depth)
        ]
        self.svtr_block = nn.LayerList(blocks)
        self.norm = nn.LayerNorm(dims, 1e-6)
        self.skip_conv = ConvNormSwish(in_channels, dims)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, 1, T) to (N, dims, 1, T)."""
        y = self.conv_reduce(x)
        y = y + swish(self.local_conv(y))
        # Paddle Lite's converter dies of an exported `flatten`, and knows `reshape`.
        tokens = y.reshape([0, self.dims, -1]).transpose([0, 2, 1])
        for block in self.svtr_block:
            tokens = block(tokens)
        return self.norm(tokens).transpose([0, 2, 1]).reshape([0, self.dims, 1, -1]) + self.skip_conv(x)


class Columns(nn.Layer):
    """The columns of a feature row as they are.

    Args:
        channels: Of the features.

    Attributes:
        out_channels: ``channels``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_channels = channels

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map features (N, C, 1, T) to (N, T, C).

        Raises:
            PpedgeError: The features are higher than 1.
        """
        require_row(x)
        return columns(x)
