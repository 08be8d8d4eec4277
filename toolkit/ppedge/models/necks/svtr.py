"""The recogniser's sequence model of PP-OCRv3 and v4: attention over the columns of a feature row."""

from __future__ import annotations

import paddle
from paddle import nn

from ppedge.errors import PpedgeError
from ppedge.models.attention import MLP, GlobalMixing, MixingBlock, swish
from ppedge.models.layers import kaiming_uniform

HEADS = 8
MLP_RATIO = 2
DROPOUT = 0.1
REDUCTION = 8


class ConvNormSwish(nn.Layer):
    """Convolution without bias, BatchNorm and swish; the size is kept."""

    def __init__(self, in_channels: int, out_channels: int, kernel: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        padding = [side // 2 for side in kernel]
        self.conv = nn.Conv2D(
            in_channels, out_channels, kernel, padding=padding, weight_attr=kaiming_uniform(), bias_attr=False
        )
        self.norm = nn.BatchNorm2D(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        return swish(self.norm(self.conv(x)))


def require_row(x: paddle.Tensor) -> None:
    """Fail if features are no row.

    Raises:
        PpedgeError: They are higher than 1.
    """
    if x.shape[2] != 1:
        raise PpedgeError(
            f"model: the recogniser's features are {x.shape[2]} pixels high, and the sequence model needs 1.",
            "Set rec_preprocess.height and train.heights to 48, or the backbone's strides and pooling to fit them.",
        )


def columns(row: paddle.Tensor) -> paddle.Tensor:
    """Return the columns (N, T, C) of a row (N, C, 1, T)."""
    return row.squeeze(2).transpose([0, 2, 1])


class RowNeck(nn.Layer):
    """A neck whose ``encoder`` maps a feature row (N, C, 1, T) to another, (N, ``out_channels``, 1, T)."""

    encoder: nn.Layer

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map features (N, C, 1, T) to (N, T, out_channels).

        Raises:
            PpedgeError: The features are higher than 1.
        """
        require_row(x)
        return columns(self.encoder(x))


class SVTRNeck(RowNeck):
    """Blocks of global mixing over the columns of a feature row, and a shortcut around them.

    Source: Li et al., "PP-OCRv3", 2022 (SVTR-LCNet).

    Args:
        in_channels: Channels of the features.
        dims: Channels of the result.
        depth: How many mixing blocks.
        hidden_dims: Channels within them.
        kernel_size: Height and width of the first and the last convolution, odd.

    Attributes:
        out_channels: ``dims``.
    """

    def __init__(
        self, in_channels: int, dims: int = 64, depth: int = 2, hidden_dims: int = 120,
        kernel_size: tuple[int, int] = (3, 3),
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder = EncoderWithSVTR(in_channels, dims, depth, hidden_dims, kernel_size)
        self.out_channels = dims


class EncoderWithSVTR(nn.Layer):
    """The convolutions and blocks; a layer of its own because official weights name it ``ctc_encoder.encoder``."""

    def __init__(self, in_channels: int, dims: int, depth: int, hidden_dims: int, kernel_size: tuple[int, int]) -> None:
        super().__init__()
        self.hidden_dims = hidden_dims
        reduced = in_channels // REDUCTION
        self.conv1 = ConvNormSwish(in_channels, reduced, kernel_size)
        self.conv2 = ConvNormSwish(reduced, hidden_dims)
        blocks = [
            MixingBlock(
                hidden_dims,
                GlobalMixing(hidden_dims, HEADS, DROPOUT),
                MLP(hidden_dims, MLP_RATIO * hidden_dims, swish, DROPOUT),
            )
            for _ in range(depth)
        ]
        self.svtr_block = nn.LayerList(blocks)
        self.norm = nn.LayerNorm(hidden_dims, 1e-6)
        self.conv3 = ConvNormSwish(hidden_dims, in_channels)
        self.conv4 = ConvNormSwish(2 * in_channels, reduced, kernel_size)
        self.conv1x1 = ConvNormSwish(reduced, dims)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, 1, T) to (N, dims, 1, T)."""
        # Paddle Lite's converter dies of an exported `flatten`, and knows `reshape`.
        tokens = self.conv2(self.conv1(x)).reshape([0, self.hidden_dims, -1]).transpose([0, 2, 1])
        for block in self.svtr_block:
            tokens = block(tokens)
        mixed = self.norm(tokens).transpose([0, 2, 1]).reshape([0, self.hidden_dims, 1, -1])
        return self.conv1x1(self.conv4(paddle.concat([x, self.conv3(mixed)], axis=1)))
