"""What joins backbone and head: the detector's feature pyramid and the recogniser's sequence model."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.errors import PpedgeError


class DBFPN(nn.Layer):
    """Feature pyramid of DB: coarse maps are added to finer ones, and all four are joined at the finest size.

    Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020, section "Network
    architecture".

    Args:
        in_channels: Channels of the four maps, finest first.
        out_channels: Channels of the result, a multiple of 4.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int = 96) -> None:
        super().__init__()
        self.out_channels = out_channels
        c2, c3, c4, c5 = in_channels
        part = out_channels // 4
        self.in2_conv = _conv(c2, out_channels, 1)
        self.in3_conv = _conv(c3, out_channels, 1)
        self.in4_conv = _conv(c4, out_channels, 1)
        self.in5_conv = _conv(c5, out_channels, 1)
        self.p5_conv = _conv(out_channels, part, 3)
        self.p4_conv = _conv(out_channels, part, 3)
        self.p3_conv = _conv(out_channels, part, 3)
        self.p2_conv = _conv(out_channels, part, 3)

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Join maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size to one (N, out_channels, H / 4, W / 4)."""
        c2, c3, c4, c5 = features
        out5 = self.in5_conv(c5)
        out4 = self.in4_conv(c4) + _upsample(out5, 2)
        out3 = self.in3_conv(c3) + _upsample(out4, 2)
        out2 = self.in2_conv(c2) + _upsample(out3, 2)
        p5 = _upsample(self.p5_conv(out5), 8)
        p4 = _upsample(self.p4_conv(out4), 4)
        p3 = _upsample(self.p3_conv(out3), 2)
        p2 = self.p2_conv(out2)
        return paddle.concat([p5, p4, p3, p2], axis=1)


def _conv(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2D:
    attr = paddle.ParamAttr(initializer=nn.initializer.KaimingUniform())
    return nn.Conv2D(in_channels, out_channels, kernel, padding=kernel // 2, weight_attr=attr, bias_attr=False)


def _upsample(x: paddle.Tensor, factor: int) -> paddle.Tensor:
    return F.interpolate(x, scale_factor=factor, mode="nearest")


class SequenceEncoder(nn.Layer):
    """Two bidirectional LSTM layers over the columns of a feature row (Shi et al., "CRNN", TPAMI 2017).

    Args:
        in_channels: Channels of the features.
        hidden_size: Of each direction.

    Attributes:
        out_channels: Channels of the result, twice ``hidden_size``.
    """

    def __init__(self, in_channels: int, hidden_size: int = 48) -> None:
        super().__init__()
        self.encoder = EncoderWithRNN(in_channels, hidden_size)
        self.out_channels = self.encoder.out_channels

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map features (N, C, 1, T) to (N, T, out_channels).

        Raises:
            PpedgeError: The features are higher than 1.
        """
        if x.shape[2] != 1:
            raise PpedgeError(
                f"model: the recogniser's features are {x.shape[2]} pixels high, and the sequence model needs 1.",
                "Set rec_preprocess.height to 32, or the backbone's strides to fit the height.",
            )
        return self.encoder(paddle.transpose(paddle.squeeze(x, axis=2), [0, 2, 1]))


class EncoderWithRNN(nn.Layer):
    """The LSTM itself; a layer of its own because official weights name it ``neck.encoder.lstm``."""

    def __init__(self, in_channels: int, hidden_size: int) -> None:
        super().__init__()
        self.out_channels = 2 * hidden_size
        self.lstm = nn.LSTM(in_channels, hidden_size, num_layers=2, direction="bidirectional")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, T, in_channels) to (N, T, out_channels)."""
        # No initial states: exported with batch 1, the default zeros have a constant shape, which Paddle Lite wants.
        # With a free batch their shape is computed at run time, and Lite aborts on that.
        return self.lstm(x)[0]
