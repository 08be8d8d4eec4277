"""Layers of many branches while they are trained, which are one convolution in the network that ships.

Source: Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", CVPR 2021. Names and the learnable affine are
those of PP-OCRv4's official weights. Two forms have them: that of training, and PaddleOCR's re-parameterised one, in
which each sum of branches is a ``reparam_conv`` already. What ships is a third one; see `ppedge.models.folding`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import paddle
from paddle import nn

from ppedge.models.hardswish import hardswish
from ppedge.models.layers import ConvBNLayer, Stride, kaiming_normal, without_l2

AFFINE_LEARNING_RATE = 0.1
"""Of an affine, as a factor of the schedule's."""


class Affine(NamedTuple):
    """``scale * x + bias``, two numbers."""

    scale: float
    bias: float


class Kernel(NamedTuple):
    """A convolution's weight (out, in / groups, k, k) and bias (out,), float64 so that folding does not round."""

    weight: np.ndarray
    bias: np.ndarray

    def before(self, affine: Affine) -> Kernel:
        """Return the kernel with an affine that follows it folded in."""
        return Kernel(self.weight * affine.scale, self.bias * affine.scale + affine.bias)

    def after(self, affine: Affine) -> Kernel:
        """Return the kernel with an affine that it reads folded in: exact without padding, so for 1x1 alone."""
        return Kernel(self.weight * affine.scale, self.bias + affine.bias * self.weight.sum(axis=(1, 2, 3)))


class LearnableAffine(nn.Layer):
    """``scale * x + bias`` with two numbers that are trained, at a tenth of the learning rate."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = self._number(1.0)
        self.bias = self._number(0.0)

    def _number(self, value: float) -> paddle.Tensor:
        attr = paddle.ParamAttr(initializer=nn.initializer.Constant(value), learning_rate=AFFINE_LEARNING_RATE)
        return self.create_parameter([1], attr=attr)

    @property
    def affine(self) -> Affine:
        """Its two numbers."""
        return Affine(self.scale.numpy().item(), self.bias.numpy().item())

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return a tensor of the same shape."""
        return self.scale * x + self.bias


class LearnableActivation(nn.Layer):
    """Hard swish, and an affine after it."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = LearnableAffine()

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return a tensor of the same shape."""
        return self.lab(hardswish(x))


class RepLayer(nn.Layer):
    """A sum of branches that is one convolution, an affine, and an activation where the stride is not 2.

    The branches are ``conv_kxk`` several times, ``conv_1x1`` where the kernel is larger, and ``identity``, a BatchNorm
    of the input, where input and output have the same shape. A stride of exactly 2 leaves the activation out, (2, 1)
    and (1, 2) do not: so PaddleOCR has it, and official weights were trained so. The parameters of the activation are
    there in the form of training all the same; official re-parameterised weights have none.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        kernel: Side of the kernel, odd.
        stride: Of height and width.
        groups: Of the convolution.
        branches: How many ``conv_kxk``.
        folded: Build PaddleOCR's re-parameterised form, ``reparam_conv`` in place of the branches.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: Stride = 1,
        groups: int = 1,
        branches: int = 4,
        folded: bool = False,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.activated = stride != 2
        self.identity: nn.BatchNorm2D | None = None
        self.conv_1x1: ConvBNLayer | None = None
        self.reparam_conv: nn.Conv2D | None = None
        if folded:
            self.reparam_conv = nn.Conv2D(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups)
        else:
            if in_channels == out_channels and stride == 1:
                self.identity = nn.BatchNorm2D(in_channels)
            self.conv_kxk = nn.LayerList(
                [conv_bn(in_channels, out_channels, kernel, stride, groups) for _ in range(branches)]
            )
            if kernel > 1:
                self.conv_1x1 = conv_bn(in_channels, out_channels, 1, stride, groups)
        self.lab = LearnableAffine()
        if self.activated or not folded:
            self.act = LearnableActivation()

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self.lab(self.summed(x) if self.reparam_conv is None else self.reparam_conv(x))
        return self.act(x) if self.activated else x

    def summed(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return the sum of the branches, added up in PaddleOCR's order."""
        branches = [branch for branch in (self.identity, self.conv_1x1) if branch is not None] + list(self.conv_kxk)
        y = branches[0](x)
        for branch in branches[1:]:
            y = y + branch(x)
        return y

    def kernel(self) -> Kernel:
        """Return the one convolution that the branches are, with BatchNorm's running statistics."""
        if self.reparam_conv is not None:
            return Kernel(wide(self.reparam_conv.weight), wide(self.reparam_conv.bias))
        kernels = [kernel_of(branch) for branch in self.conv_kxk]
        weight = np.sum([kernel.weight for kernel in kernels], axis=0)
        centre = weight.shape[2] // 2
        if self.conv_1x1 is not None:
            kernels.append(kernel_of(self.conv_1x1))
            weight[:, :, centre, centre] += kernels[-1].weight[:, :, 0, 0]
        bias = np.sum([kernel.bias for kernel in kernels], axis=0)
        if self.identity is not None:
            factor, offset = norm_affine(self.identity)
            own = np.arange(len(weight)) % weight.shape[1]  # the input of each output, within its group
            weight[np.arange(len(weight)), own, centre, centre] += factor
            bias += offset
        return Kernel(weight, bias)


def conv_bn(in_channels: int, out_channels: int, kernel: int, stride: Stride = 1, groups: int = 1) -> ConvBNLayer:
    """Return a convolution with BatchNorm that starts and is regularised as PP-LCNetV3's: BatchNorm without L2."""
    return ConvBNLayer(
        in_channels, out_channels, kernel, stride, groups, conv_attr=kaiming_normal(), norm_attr=without_l2()
    )


def kernel_of(branch: ConvBNLayer) -> Kernel:
    """Return the one convolution that a convolution and its BatchNorm are, with running statistics."""
    factor, offset = norm_affine(branch.bn)
    return Kernel(wide(branch.conv.weight) * factor[:, None, None, None], offset)


def norm_affine(norm: nn.BatchNorm2D) -> tuple[np.ndarray, np.ndarray]:
    """Return the factor and offset of each channel, (C,) both, that BatchNorm is with its running statistics."""
    factor = wide(norm.weight) / np.sqrt(wide(norm._variance) + norm._epsilon)
    return factor, wide(norm.bias) - wide(norm._mean) * factor


def wide(tensor: paddle.Tensor) -> np.ndarray:
    """Return a tensor's values in float64."""
    return np.asarray(tensor.numpy(), np.float64)
