"""The sequence model of CRNN."""

from __future__ import annotations

import paddle
from paddle import nn

from ppedge.errors import PpedgeError


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
                "Set rec_preprocess.height and train.heights to 32, or the backbone's strides to fit them.",
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
