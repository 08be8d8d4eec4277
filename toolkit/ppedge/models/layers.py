"""Layers that several networks are made of, under the names that official weights have for their parameters."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.hardswish import hardswish

Activation = Literal["relu", "hardswish"]
Stride = int | tuple[int, int]

SE_REDUCTION = 4


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round to the nearest multiple of ``divisor``, at least one multiple and never below 90 % of ``value``."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def same_padding(kernel: int) -> int | str:
    """Return the padding by which a convolution of stride 1 keeps the size, as `Conv2D` takes it."""
    return kernel // 2 if kernel % 2 else "SAME"


class ConvBNLayer(nn.Layer):
    """Convolution without bias, BatchNorm, and an activation (None: linear); the size is kept at stride 1.

    An even kernel reads one row and one column more below and to the right than above and to the left.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        kernel: Side of the kernel; an even one is for stride 1.
        stride: Of height and width.
        groups: Of the convolution.
        activation: After BatchNorm.
        conv_attr: How the convolution's weight starts and is trained, where Paddle's default is not meant.
        norm_attr: The same of BatchNorm's weight and bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: Stride = 1,
        groups: int = 1,
        activation: Activation | None = None,
        conv_attr: paddle.ParamAttr | None = None,
        norm_attr: paddle.ParamAttr | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.conv = nn.Conv2D(in_channels, out_channels, kernel, stride, padding=same_padding(kernel), groups=groups,
                              weight_attr=conv_attr, bias_attr=False)  # fmt: skip
        self.bn = nn.BatchNorm2D(out_channels, weight_attr=norm_attr, bias_attr=norm_attr)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self.bn(self.conv(x))
        if self.activation == "relu":
            return F.relu(x)
        if self.activation == "hardswish":
            return hardswish(x)
        return x


class SEModule(nn.Layer):
    """Squeeze and excitation: channels weighted by their own means (Hu et al., CVPR 2018).

    Args:
        channels: Of input and output.
        slope: Of the hard sigmoid. Official MobileNetV3 and detectors' weights were trained with 0.2; Paddle's default,
            and the paper's, is 1/6.
    """

    def __init__(self, channels: int, slope: float = 0.2) -> None:
        super().__init__()
        self.slope = slope
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        self.conv1 = nn.Conv2D(channels, channels // SE_REDUCTION, 1)
        self.conv2 = nn.Conv2D(channels // SE_REDUCTION, channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return (N, C, H, W) scaled per channel by a weight in [0, 1]."""
        weight = F.relu(self.conv1(self.avg_pool(x)))
        return x * F.hardsigmoid(self.conv2(weight), slope=self.slope, offset=0.5)


def set_bias(norm: nn.BatchNorm2D, bias: np.ndarray) -> None:
    """Let BatchNorm add a bias (C,) and do nothing else."""
    ones = np.ones(bias.shape, np.float32)
    norm._mean.set_value(0 * ones)
    norm._variance.set_value(ones)
    norm.weight.set_value(np.sqrt(ones + np.float32(norm._epsilon)))
    norm.bias.set_value(bias.astype(np.float32))


def kaiming_uniform() -> paddle.ParamAttr:
    """Return the attribute of a weight that starts as He et al. have it, uniform."""
    return paddle.ParamAttr(initializer=nn.initializer.KaimingUniform())


def kaiming_normal() -> paddle.ParamAttr:
    """Return the attribute of a weight that starts as He et al. have it, normal."""
    return paddle.ParamAttr(initializer=nn.initializer.KaimingNormal())


def without_l2() -> paddle.ParamAttr:
    """Return the attribute of BatchNorm's weight and bias where L2 decay does not pull them to 0."""
    return paddle.ParamAttr(regularizer=paddle.regularizer.L2Decay(0.0))


def linear(in_channels: int, out_channels: int) -> nn.Linear:
    """Return a linear layer whose weight and bias start uniform within ``1 / sqrt(in_channels)``."""
    bound = 1.0 / math.sqrt(in_channels)
    uniform = nn.initializer.Uniform(-bound, bound)
    return nn.Linear(in_channels, out_channels, weight_attr=paddle.ParamAttr(initializer=uniform),
                     bias_attr=paddle.ParamAttr(initializer=uniform))  # fmt: skip


def upsample(x: paddle.Tensor, factor: int) -> paddle.Tensor:
    """Repeat each pixel ``factor`` times in both directions."""
    return F.interpolate(x, scale_factor=factor, mode="nearest")
