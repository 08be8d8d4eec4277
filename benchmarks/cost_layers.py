"""The layers of ``cost_sweep.py``'s branches."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import nn

ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "swish": F.swish,
    "hard_swish": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "sigmoid": F.sigmoid,
    "gelu": F.gelu,
    "tanh": paddle.tanh,
    "leaky_relu": F.leaky_relu,
    "clip": lambda x: paddle.clip(x, 0.0, 20.0),
    "softmax": lambda x: F.softmax(x, axis=-1),
    "scale": lambda x: paddle.scale(x, 1.5, 0.25),
}


class Convolution(nn.Layer):
    """A convolution, BatchNorm and an activation, as opt fuses them."""

    def __init__(self, inputs: int, outputs: int, size: Any, stride: Any, act: str, groups: int = 1) -> None:
        super().__init__()
        sides = (size, size) if isinstance(size, int) else size
        padding = [rows for side in sides for rows in ((side - 1) // 2, side // 2)]
        self.conv = nn.Conv2D(inputs, outputs, size, stride, padding, groups=groups, bias_attr=False)
        self.norm = nn.BatchNorm2D(outputs)
        self.act = ACTIVATIONS.get(act, lambda x: x)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        return self.act(self.norm(self.conv(x)))


def _every_second_row(x: paddle.Tensor) -> paddle.Tensor:
    channels, height = x.shape[1:3]
    pairs = x.reshape([0, channels * height // 2, 2, -1])
    return paddle.split(pairs, 2, axis=2)[0].reshape([0, channels, height // 2, -1])


# Operations without a weight, by kind; each takes what a branch says of it.
FUNCTIONS = {
    "act": lambda x, name: ACTIVATIONS[name](x),
    "nearest": lambda x, factor: F.interpolate(x, scale_factor=factor, mode="nearest"),
    "bilinear": lambda x, factor: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False),
    "shuffle": F.pixel_shuffle,
    "rows": _every_second_row,
    "every second": lambda x, axis: paddle.strided_slice(x, [axis], [0], [x.shape[axis]], [2]),
    "split": lambda x, axis, parts: paddle.split(x, parts, axis)[0],
    "average": lambda x, size, stride=None, padding=0: F.avg_pool2d(x, size, stride, padding),
    "max": F.max_pool2d,
    "mean": lambda x: F.adaptive_avg_pool2d(x, 1),
    "sequence": lambda x: x.squeeze(2).transpose([0, 2, 1]),
    "mul_channel": lambda x: x * F.hardsigmoid(F.adaptive_avg_pool2d(x, 1)),
    # A second operand of the same shape.
    "add": lambda x: x + F.relu(x),
    "mul": lambda x: x * F.relu(x),
    "larger": lambda x: paddle.maximum(x, F.relu(x)),
    "neighbours": lambda x: F.max_pool2d(x, 2, 1, [0, 1, 0, 1]),
    "line": lambda x: F.relu(x.squeeze(2)).unsqueeze(2),
    "add_relu": lambda x: F.relu(x + F.relu(x)),
    "concat": lambda x: paddle.concat([x, F.relu(x), x], axis=1),
}


class Function(nn.Layer):
    """An operation of one kind that has no weight."""

    def __init__(self, kind: str, *arguments: Any) -> None:
        super().__init__()
        self.kind, self.arguments = kind, arguments

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        return FUNCTIONS[self.kind](x, *self.arguments)


class Affine(nn.Layer):
    """Operations with a weight: a number, or one for each channel."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.weight = self.create_parameter([1] if kind == "affine" else [1, channels, 1, 1])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        if self.kind == "affine":
            return self.weight * x + self.weight
        return x + self.weight if self.kind == "add_channel" else x * self.weight


class Sequence(nn.Layer):
    """A bidirectional LSTM, over a sequence or over the columns of a map of one row."""

    def __init__(self, channels: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, num_layers=layers, direction="bidirectional")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        return self.lstm(x if len(x.shape) == 3 else x.squeeze(2).transpose([0, 2, 1]))[0]


class Attention(nn.Layer):
    """A transformer's block: attention of several heads and two full connections, each with a residual addition."""

    def __init__(self, channels: int, heads: int, wide: int) -> None:
        super().__init__()
        self.heads, self.width = heads, channels // heads
        self.norms = nn.LayerList([nn.LayerNorm(channels) for _ in range(2)])
        self.mixed, self.merged = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.up, self.down = nn.Linear(channels, wide), nn.Linear(wide, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        normed = self.norms[0](x)
        length = paddle.shape(normed)[1]
        parts = self.mixed(normed).reshape([0, length, 3, self.heads, self.width]).transpose([2, 0, 3, 1, 4])
        scores = F.softmax((parts[0] * self.width**-0.5).matmul(parts[1].transpose([0, 1, 3, 2])), axis=-1)
        merged = scores.matmul(parts[2]).transpose([0, 2, 1, 3]).reshape([0, length, self.heads * self.width])
        x = x + self.merged(merged)
        return x + self.down(F.swish(self.up(self.norms[1](x))))


class Lines(nn.Layer):
    """A map of one row to a sequence and back, as recognisers have it about a transformer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        channels, width = x.shape[1], paddle.shape(x)[3]
        kept = paddle.assign(x)
        line = self.norm(x.squeeze(2).transpose([0, 2, 1]))  # opt dies of a flatten here
        return paddle.concat([kept, line.reshape([0, 1, width, channels]).transpose([0, 3, 1, 2])], axis=1)


def layer_of(kind: str, arguments: list[Any], channels: int) -> nn.Layer:
    """Return the layer that a branch names."""
    if kind == "conv":
        return Convolution(channels, *arguments)
    if kind == "dw":
        return Convolution(channels, channels, *arguments, groups=channels)
    if kind == "up":
        return nn.Conv2DTranspose(channels, arguments[0], 2, stride=2)
    if kind == "double":
        return nn.Conv2DTranspose(channels, channels, 2, stride=2, groups=channels, bias_attr=False)
    if kind == "repeat":
        return nn.Conv2D(channels, channels * arguments[0], 1, groups=channels, bias_attr=False)
    if kind == "norm":
        return nn.BatchNorm2D(channels)
    if kind == "fc":
        return nn.Linear(channels, arguments[0])
    if kind == "attention":
        return Attention(channels, *arguments)
    if kind == "lines":
        return Lines(channels)
    if kind == "lstm":
        return Sequence(channels, *arguments)
    if kind in ("affine", "add_channel", "scale_channel"):
        return Affine(kind, channels)
    return Function(kind, *arguments)
