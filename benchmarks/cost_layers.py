"""The layers of ``cost_sweep.py``'s branches."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import nn

ACTIVATIONS = {
    "relu": F.relu,
    "hard_swish": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "sigmoid": F.sigmoid,
    "softmax": lambda x: F.softmax(x, axis=-1),
    "scale": lambda x: paddle.scale(x, 1.5, 0.25),
}


class Convolution(nn.Layer):
    """A convolution, BatchNorm and an activation, as opt fuses them."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: Any, act: str, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2D(inputs, outputs, size, stride, size // 2, groups=groups, bias_attr=False)
        self.norm = nn.BatchNorm2D(outputs)
        self.act = ACTIVATIONS.get(act, lambda x: x)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        return self.act(self.norm(self.conv(x)))


class Function(nn.Layer):
    """An operation of one kind, with a weight of the input's channels where it needs a second operand."""

    def __init__(self, kind: str, channels: int, argument: Any) -> None:
        super().__init__()
        self.kind, self.argument = kind, argument
        self.weight = self.create_parameter([1, channels, 1, 1])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        kind = self.kind
        if kind == "act":
            return ACTIVATIONS[self.argument](x)
        if kind == "nearest":
            return F.interpolate(x, scale_factor=self.argument, mode="nearest")
        if kind == "shuffle":
            return F.pixel_shuffle(x, self.argument)
        if kind == "rows":
            channels, height = x.shape[1:3]
            pairs = x.reshape([0, channels * height // 2, 2, -1])
            return paddle.split(pairs, 2, axis=2)[0].reshape([0, channels, height // 2, -1])
        if kind == "max":
            return F.max_pool2d(x, self.argument, self.argument)
        if kind == "mean":
            return F.adaptive_avg_pool2d(x, 1)
        if kind == "sequence":
            return x.squeeze(2).transpose([0, 2, 1])
        if kind == "add_channel":
            return x + self.weight
        if kind == "mul_channel":
            return x * F.hardsigmoid(F.adaptive_avg_pool2d(x, 1))
        relued = F.relu(x)  # a second operand of the same shape
        if kind == "add":
            return x + relued
        return F.relu(x + relued) if kind == "add_relu" else paddle.concat([x, relued, x], axis=1)


class Sequence(nn.Layer):
    """A bidirectional LSTM."""

    def __init__(self, channels: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, num_layers=layers, direction="bidirectional")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return what is counted."""
        return self.lstm(x)[0]


def layer_of(kind: str, arguments: list[Any], channels: int) -> nn.Layer:
    """Return the layer that a branch names."""
    if kind == "conv":
        return Convolution(channels, *arguments)
    if kind == "dw":
        return Convolution(channels, channels, *arguments, groups=channels)
    if kind == "up":
        return nn.Conv2DTranspose(channels, arguments[0], 2, stride=2)
    if kind == "norm":
        return nn.BatchNorm2D(channels)
    if kind == "fc":
        return nn.Linear(channels, arguments[0])
    if kind == "lstm":
        return Sequence(channels, *arguments)
    return Function(kind, channels, arguments[0] if arguments else None)
