"""NRTR as a guide of recognisers, as PP-OCRv4 trains with it; layer names are those of official weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.models.attention import MLP, attend
from ppedge.models.guides.labels import framed

PAD, BEGIN, END = 0, 2, 3
SPECIAL = 4
"""Classes before the first character: padding, unknown, begin and end of a text."""
UNUSED = 1
"""A class at the end that official weights have, and that no text has."""

DROPOUT = 0.1
HEAD_CHANNELS = 32
MLP_RATIO = 4
LAYERS = 4
POSITIONS = 5000


def nrtr_labels(label: Tensor, length: Tensor) -> Tensor:
    """Return what NRTR writes: characters from 4 on, 2 before and 3 after a text, 0 as padding.

    Args:
        label: (N, L) classes as CTC counts them.
        length: (N,) how many of them count.

    Returns:
        (N, longest + 2), int64: as long as the longest text of the batch needs.
    """
    return framed(label, length, int(length.max()) + 2, shift=SPECIAL - 1, begin=BEGIN, end=END, pad=PAD)


class NRTRHead(nn.Layer):
    """A transformer's decoder over the columns of the features, given the characters before the one that it tells.

    Source: Sheng et al., "NRTR: A No-Recurrence Sequence-to-Sequence Model For Scene Text Recognition", ICDAR 2019.

    Args:
        in_channels: Channels of the features.
        classes: Characters and CTC's blank.
        nrtr_dim: Channels of the decoder, a multiple of 32.
        max_text_length: As of the labels of official weights; texts have two characters less, at most.

    Attributes:
        longest: The most characters that a text may have.
        of_classes: Names of the weights whose shapes the character set makes.
    """

    of_classes = ("gtc_head.embedding.embedding.weight", "gtc_head.tgt_word_prj.weight")

    def __init__(self, in_channels: int, classes: int, nrtr_dim: int = 384, max_text_length: int = 25) -> None:
        super().__init__()
        self.longest = max_text_length - 2
        self.before_gtc = nn.Sequential(("1", _Columns(in_channels, nrtr_dim)))
        self.gtc_head = Decoder(nrtr_dim, classes - 1 + SPECIAL + UNUSED)

    def forward(self, features: Tensor, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Tell the characters of texts that are given.

        Args:
            features: (N, C, H, W).
            batch: ``label`` (N, L) and ``length`` (N,).

        Returns:
            ``logits`` (N, longest + 1, classes + 4): step t tells the character after t others.
        """
        labels = nrtr_labels(batch["label"], batch["length"])
        return {"logits": self.gtc_head(self.before_gtc(features), labels[:, :-1])}


class _Columns(nn.Layer):
    """Features (N, C, H, W) as a sequence (N, H W, channels)."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, channels, bias_attr=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features.flatten(2).transpose([0, 2, 1]))


class Decoder(nn.Layer):
    """A transformer's decoder (Vaswani et al., "Attention Is All You Need", NeurIPS 2017).

    Args:
        channels: Of each position, a multiple of 32.
        classes: That it tells apart.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.embedding = ScaledEmbedding(classes, channels)
        self.positional_encoding = PositionalEncoding(channels)
        self.decoder = nn.LayerList([DecoderLayer(channels) for _ in range(LAYERS)])
        self.tgt_word_prj = nn.Linear(channels, classes, bias_attr=False)
        for layer in self.sublayers():
            if isinstance(layer, nn.Linear):
                nn.initializer.XavierNormal()(layer.weight)

    def forward(self, memory: Tensor, labels: Tensor) -> Tensor:
        """Map a sequence (N, S, channels) and classes (N, T) to scores (N, T, classes) of the next ones."""
        x = self.positional_encoding(self.embedding(labels))
        steps = labels.shape[1]
        later = paddle.triu(paddle.full([steps, steps], -float("inf")), diagonal=1)
        for layer in self.decoder:
            x = layer(x, memory, later)
        return self.tgt_word_prj(x)


class ScaledEmbedding(nn.Layer):
    """Vectors of classes, at the scale of the positions that are added to them."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        start = paddle.ParamAttr(initializer=nn.initializer.Normal(std=channels**-0.5))
        self.scale = math.sqrt(channels)
        self.embedding = nn.Embedding(classes, channels, padding_idx=PAD, weight_attr=start)

    def forward(self, labels: Tensor) -> Tensor:
        """Map classes (N, T) to (N, T, channels)."""
        return self.embedding(labels) * self.scale


class PositionalEncoding(nn.Layer):
    """Sines and cosines of a place are added to what stands there."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        angles = np.arange(POSITIONS)[:, None] * np.exp(np.arange(0, channels, 2) * (-math.log(10000.0) / channels))
        waves = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(POSITIONS, 1, channels)
        self.register_buffer("pe", paddle.to_tensor(waves.astype(np.float32)))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, T, channels) to (N, T, channels)."""
        return self.dropout(x + self.pe[: x.shape[1]].transpose([1, 0, 2]))


class DecoderLayer(nn.Layer):
    """Attention to the positions before, attention to the line, and an MLP, each added and then normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(channels)
        self.norm1 = nn.LayerNorm(channels)
        self.dropout1 = nn.Dropout(DROPOUT)
        self.cross_attn = CrossAttention(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.dropout2 = nn.Dropout(DROPOUT)
        self.mlp = MLP(channels, MLP_RATIO * channels, F.relu, DROPOUT)
        self.norm3 = nn.LayerNorm(channels)
        self.dropout3 = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Map (N, T, channels) to the same shape.

        Args:
            x: What stands at each position.
            memory: (N, S, channels), of the line.
            mask: (T, T), added to the scores of attention among positions.
        """
        x = self.norm1(x + self.dropout1(self.self_attn(x, mask)))
        x = self.norm2(x + self.dropout2(self.cross_attn(x, memory)))
        return self.norm3(x + self.dropout3(self.mlp(x)))


class SelfAttention(nn.Layer):
    """Attention of a sequence to itself, with heads of 32 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (N, T, channels) to the same shape; ``mask`` (T, T) is added to the scores."""
        query, key, value = _heads(self.qkv(x), 3)
        return self.out_proj(attend(query, key, value, mask=mask))


class CrossAttention(nn.Layer):
    """Attention of a sequence to another, with heads of 32 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Map (N, T, channels) and (N, S, channels) to (N, T, channels)."""
        (query,), (key, value) = _heads(self.q(x), 1), _heads(self.kv(memory), 2)
        return self.out_proj(attend(query, key, value))


def _heads(x: Tensor, parts: int) -> Tensor:
    """Split (N, T, parts * channels) into (parts, N, heads, T, 32)."""
    heads = x.shape[2] // (parts * HEAD_CHANNELS)
    return x.reshape([0, -1, parts, heads, HEAD_CHANNELS]).transpose([2, 0, 3, 1, 4])
