"""SAR as a guide of recognisers, as PP-OCRv3 trains with it; layer names are those of official weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.models.guides.labels import framed

DROPOUT = 0.1


def sar_labels(label: Tensor, length: Tensor, classes: int, steps: int) -> Tensor:
    """Return what SAR writes: characters from 0 on, ``classes`` before and after a text, ``classes + 1`` as padding.

    Args:
        label: (N, L) classes as CTC counts them.
        length: (N,) how many of them count, at most ``steps - 2``.
        classes: Of CTC, its blank included.
        steps: Of the result.

    Returns:
        (N, steps), int64.
    """
    return framed(label, length, steps, shift=-1, begin=classes, end=classes, pad=classes + 1)


class SARHead(nn.Layer):
    """An encoder of the whole line, and a decoder that attends to the features for each character.

    Source: Li et al., "Show, Attend and Read", AAAI 2019. It is given the characters before the one that it tells.

    Args:
        in_channels: Channels of the features.
        classes: Characters and CTC's blank.
        enc_dim: Channels of encoder, decoder and attention.
        max_text_length: Steps of the decoder.

    Attributes:
        longest: The most characters that a text may have.
        of_classes: Names of the weights whose shapes the character set makes.
    """

    of_classes = ("decoder.embedding.weight", "decoder.prediction.weight", "decoder.prediction.bias")

    def __init__(self, in_channels: int, classes: int, enc_dim: int = 512, max_text_length: int = 25) -> None:
        super().__init__()
        self.classes, self.steps = classes, max_text_length
        self.longest = max_text_length - 2
        self.encoder = SAREncoder(in_channels, enc_dim)
        self.decoder = SARDecoder(in_channels, classes, enc_dim)

    def forward(self, features: Tensor, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Tell the characters of texts that are given.

        Args:
            features: (N, C, H, W).
            batch: ``label`` (N, L), ``length`` (N,), and ``filled`` (N,), the share of the width that the line fills.

        Returns:
            ``logits`` (N, max_text_length, classes + 1): step t tells the character after t others.
        """
        labels = sar_labels(batch["label"], batch["length"], self.classes, self.steps)
        holistic = self.encoder(features, batch["filled"])
        return {"logits": self.decoder(features, holistic, labels, batch["filled"])}


class SAREncoder(nn.Layer):
    """Two LSTM layers over the columns; their state at a line's last column stands for the line."""

    def __init__(self, in_channels: int, enc_dim: int) -> None:
        super().__init__()
        self.rnn_encoder = nn.LSTM(in_channels, enc_dim, num_layers=2, dropout=DROPOUT)
        self.linear = nn.Linear(enc_dim, enc_dim)

    def forward(self, features: Tensor, filled: Tensor) -> Tensor:
        """Map features (N, C, H, W), of whose width the share ``filled`` (N,) counts, to (N, enc_dim)."""
        states = self.rnn_encoder(features.max(axis=2).transpose([0, 2, 1]))[0]
        last = _columns(filled, states.shape[1]) - 1
        at_last = F.one_hot(last, states.shape[1]).astype(states.dtype).unsqueeze(2)
        return self.linear((states * at_last).sum(axis=1))


class SARDecoder(nn.Layer):
    """Two LSTM layers over the characters, and two-dimensional attention to the features."""

    def __init__(self, in_channels: int, classes: int, enc_dim: int) -> None:
        super().__init__()
        self.conv1x1_1 = nn.Linear(enc_dim, enc_dim)
        self.conv3x3_1 = nn.Conv2D(in_channels, enc_dim, 3, padding=1)
        self.conv1x1_2 = nn.Linear(enc_dim, 1)
        self.rnn_decoder = nn.LSTM(enc_dim, enc_dim, num_layers=2)
        self.embedding = nn.Embedding(classes + 2, enc_dim, padding_idx=classes + 1)
        self.prediction = nn.Linear(2 * enc_dim + in_channels, classes + 1)
        self.pred_dropout = nn.Dropout(DROPOUT)

    def forward(self, features: Tensor, holistic: Tensor, labels: Tensor, filled: Tensor) -> Tensor:
        """Return the scores of the characters after each that is given.

        Args:
            features: (N, C, H, W).
            holistic: (N, enc_dim), of the whole line.
            labels: (N, T) classes.
            filled: (N,), the share of the width that the line fills.

        Returns:
            (N, T, classes + 1).
        """
        holistic = holistic.unsqueeze(1)
        states = self.rnn_decoder(paddle.concat([holistic, self.embedding(labels)], axis=1))[0]
        glimpses = self._attended(states, features, filled)
        whole = holistic.expand_as(states)
        scores = self.pred_dropout(self.prediction(paddle.concat([states, glimpses, whole], axis=2)))
        return scores[:, 1:]  # the first step has seen no label yet

    def _attended(self, states: Tensor, features: Tensor, filled: Tensor) -> Tensor:
        """Return for each state (N, T, enc_dim) the mean (N, T, C) of the features that it attends to."""
        samples, channels, height, width = features.shape
        keys = self.conv3x3_1(features).flatten(2).transpose([0, 2, 1]).unsqueeze(1)
        scores = self.conv1x1_2(F.tanh(keys + self.conv1x1_1(states).unsqueeze(2))).squeeze(3)
        padding = paddle.arange(width).unsqueeze(0) >= _columns(filled, width).unsqueeze(1)
        padding = padding.unsqueeze(1).expand([samples, height, width]).reshape([samples, 1, -1])
        masked = paddle.where(padding.expand_as(scores), paddle.full_like(scores, -float("inf")), scores)
        return F.softmax(masked, axis=2).matmul(features.flatten(2).transpose([0, 2, 1]))


def _columns(filled: Tensor, width: int) -> Tensor:
    """Return how many of ``width`` columns a line fills, (N,), int64."""
    return paddle.ceil(filled.astype("float32") * width).astype("int64").clip(1, width)
