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


def linear(in_channels: int, out_channels: int) -> nn.Linear:
    """Return a linear layer whose weight starts truncated normal of deviation 0.02, and its bias at 0."""
    weight = paddle.ParamAttr(initializer=nn.initializer.TruncatedNormal(std=0.02))
    return nn.Linear(in_channels, out_channels, weight, paddle.ParamAttr(initializer=nn.initializer.Constant(0.0)))


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
        self.scale = (channels // heads) ** -0.5
        self.qkv = linear(channels, 3 * channels)
        self.attn_drop = nn.Dropout(dropout)
        self.proj = linear(channels, channels)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map tokens (N, T, C) to (N, T, C)."""
        channels = x.shape[2]
        qkv = self.qkv(x).reshape([0, -1, 3, self.heads, channels // self.heads]).transpose([2, 0, 3, 1, 4])
        query, key, value = qkv[0] * self.scale, qkv[1], qkv[2]
        weights = self.attn_drop(F.softmax(query.matmul(key.transpose([0, 1, 3, 2])), axis=-1))
        mixed = weights.matmul(value).transpose([0, 2, 1, 3]).reshape([0, -1, channels])
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
        self.fc1 = linear(channels, hidden)
        self.activation = activation
        self.fc2 = linear(hidden, channels)
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
