"""Attention blocks of SVTR, under the names of official weights.

Source: Du et al., "SVTR: Scene Text Recognition with a Single Visual Model", IJCAI 2022.
"""

from __future__ import annotations

from collections.abc import Callable

import paddle
import paddle.nn.functional as F
from paddle import nn


def swish(x: paddle.Tensor) -> paddle.Tensor:
    """Return ``x * sigmoid(x)``, of two operators: as one of its own, Paddle's export of it is refused on the phone."""
    return x * F.sigmoid(x)


def _linear(in_channels: int, out_channels: int) -> nn.Linear:
    """Return a linear layer whose weight starts truncated normal of deviation 0.02, and its bias at 0."""
    weight = paddle.ParamAttr(initializer=nn.initializer.TruncatedNormal(std=0.02))
    return nn.Linear(in_channels, out_channels, weight, paddle.ParamAttr(initializer=nn.initializer.Constant(0.0)))


def attend(
    query: paddle.Tensor,
    key: paddle.Tensor,
    value: paddle.Tensor,
    mask: paddle.Tensor | None = None,
    dropout: nn.Layer | None = None,
) -> paddle.Tensor:
    """Return values weighted by how well their keys fit each query, heads side by side.

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017.

    Args:
        query: (N, heads, T, C).
        key: (N, heads, S, C).
        value: (N, heads, S, C).
        mask: Added to the scores (N, heads, T, S) of keys.
        dropout: Of the weights.

    Returns:
        (N, T, heads * C).
    """
    heads, channels = query.shape[1], query.shape[3]
    scores = (query * channels**-0.5).matmul(key.transpose([0, 1, 3, 2]))
    weights = F.softmax(scores if mask is None else scores + mask, axis=-1)
    if dropout is not None:
        weights = dropout(weights)
    return weights.matmul(value).transpose([0, 2, 1, 3]).reshape([0, -1, heads * channels])


class GlobalMixing(nn.Layer):
    """Self-attention of all tokens with all.

    Args:
        channels: Of a token, a multiple of ``heads``.
        heads: How many attend side by side.
        dropout: Probability, of attention weights and of the result.
    """

    def __init__(self, channels: int, heads: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = _linear(channels, 3 * channels)
        self.attn_drop = nn.Dropout(dropout)
        self.proj = _linear(channels, channels)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map tokens (N, T, C) to (N, T, C)."""
        parts = self.qkv(x).reshape([0, -1, 3, self.heads, x.shape[2] // self.heads]).transpose([2, 0, 3, 1, 4])
        mixed = attend(parts[0], parts[1], parts[2], dropout=self.attn_drop)
        return self.proj_drop(self.proj(mixed))


class MLP(nn.Layer):
    """Two linear layers on each token by itself.

    Args:
        channels: Of a token.
        hidden: Channels between the layers.
        activation: Between the layers.
        dropout: Probability, after each layer.
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        activation: Callable[[paddle.Tensor], paddle.Tensor] = swish,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.fc1 = _linear(channels, hidden)
        self.activation = activation
        self.fc2 = _linear(hidden, channels)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map tokens (N, T, C) to (N, T, C)."""
        return self.drop(self.fc2(self.drop(self.activation(self.fc1(x)))))


class MixingBlock(nn.Layer):
    """Mix tokens, then channels; each is added to what it was given normalised.

    Args:
        channels: Of a token.
        mixer: Maps tokens (N, T, C) to (N, T, C).
        mlp: The same, each token by itself.
        epsilon: Of the layer norms.
    """

    def __init__(self, channels: int, mixer: nn.Layer, mlp: nn.Layer, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, epsilon)
        self.mixer = mixer
        self.norm2 = nn.LayerNorm(channels, epsilon)
        self.mlp = mlp

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map tokens (N, T, C) to (N, T, C)."""
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))
