"""From the network that was trained to the form that ships: branches and affines become part of convolutions, exactly.

A layer with a form of its own for that is a `Foldable`. Whoever loads what a run has trained folds it, so that
slimming, conversion and costs see the form that ships alone.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import paddle
from paddle import nn
from paddle.utils import unique_name

from ppedge.models.hardswish import hardswish
from ppedge.models.layers import Activation, ConvBNLayer, SEModule, Stride, same_padding, set_bias
from ppedge.models.rep import Affine, Kernel, RepLayer, wide

Net = TypeVar("Net", bound=nn.Layer)


class Foldable(nn.Layer):
    """A layer that is trained in one form and ships in another."""

    def folded(self) -> nn.Layer:
        """Return the layer as it ships: in eval mode it gives what this one gives."""
        raise NotImplementedError


def fold(net: Net) -> Net:
    """Replace each `Foldable` of a network, in place, by the form in which it ships.

    Args:
        net: The network. One without such layers stays as it is.

    Returns:
        The network.
    """
    training = net.training
    with unique_name.guard("folded_"):  # the exported program keeps parameters by name
        _fold_children(net)
    if training:
        net.train()
    else:
        net.eval()
    return net


def _fold_children(parent: nn.Layer) -> None:
    for name, layer in list(parent.named_children()):
        if isinstance(layer, Foldable):
            setattr(parent, name, layer.folded())
        else:
            _fold_children(layer)


class FixedAffine(nn.Layer):
    """``scale * x + bias`` with two numbers that stay as they are.

    They are constants of the exported program: the operator that has them as attributes takes a few instructions an
    element on ARM, multiplication by a tensor of one number over fifty.
    """

    def __init__(self, affine: Affine) -> None:
        super().__init__()
        self.register_buffer("scale", paddle.to_tensor([affine.scale], "float32"))
        self.register_buffer("bias", paddle.to_tensor([affine.bias], "float32"))
        # In a tuple, they are not replaced by variables of a program while the layer is traced.
        self._numbers = (self.scale, self.bias)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return a tensor of the same shape."""
        scale, bias = _values(self._numbers)
        return paddle.scale(x, scale, bias)


def _read(numbers: tuple[paddle.Tensor, ...]) -> list[float]:
    return [number.numpy().item() for number in numbers]


# A program that is traced would make variables of what is read here.
_values = paddle.jit.not_to_static(_read)


class AffineConv(nn.Layer):
    """A convolution, hard swish, and an affine that stays.

    The bias is the convolution's own, though Paddle Lite's converter adds it apart then. Carried by BatchNorm, it would
    let the converter make one operator of convolution and activation, and then fold the affine into its weights too, in
    front of the activation: another function, without a word.
    """

    def __init__(self, kernel: Kernel, stride: Stride, groups: int, affine: Affine) -> None:
        super().__init__()
        out_channels, in_channels, side, _ = kernel.weight.shape
        self.conv = nn.Conv2D(in_channels * groups, out_channels, side, stride, side // 2, groups=groups)
        self.conv.weight.set_value(kernel.weight.astype(np.float32))
        self.conv.bias.set_value(kernel.bias.astype(np.float32))
        self.affine = FixedAffine(affine)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        return self.affine(hardswish(self.conv(x)))


class FusedConv(Foldable, nn.Conv2D):
    """A convolution with bias into which BatchNorm has been folded, as PaddleOCR re-parameterises PP-OCRv6.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        kernel: Side of the kernel; the size is kept at stride 1.
        stride: Of height and width.
        groups: Of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: Stride = 1, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, same_padding(kernel), groups=groups)

    def kernel(self) -> Kernel:
        """Return its weight and bias."""
        return Kernel(wide(self.weight), wide(self.bias))

    def folded(self) -> nn.Layer:
        """Return the layer as it ships."""
        return shipped_conv(self.kernel(), tuple(self._stride), self._groups)


class FoldedBlock(nn.Layer):
    """A depthwise and a pointwise convolution, each followed by what of its `RepLayer` is left.

    An affine goes into the convolution before it, or where an activation stands between, into a pointwise convolution
    after it. It cannot go into a convolution with padding, whose border it would change, nor through the product of
    squeeze-and-excitation; there it stays.

    Args:
        depthwise: As it was trained.
        se: Squeeze-and-excitation between the two, or None.
        pointwise: As it was trained, of kernel 1.
    """

    def __init__(self, depthwise: RepLayer, se: SEModule | None, pointwise: RepLayer) -> None:
        super().__init__()
        filters, mix = depthwise.kernel().before(depthwise.lab.affine), pointwise.kernel()
        stride, channels = depthwise.stride, len(filters.bias)
        self.dw_conv: nn.Layer
        if depthwise.activated and se is not None:
            self.dw_conv = AffineConv(filters, stride, channels, depthwise.act.lab.affine)
        else:
            self.dw_conv = shipped_conv(filters, stride, channels, "hardswish" if depthwise.activated else None)
            if depthwise.activated:
                mix = mix.after(depthwise.act.lab.affine)
        self.se = se
        self.pw_conv = AffineConv(mix.before(pointwise.lab.affine), 1, 1, pointwise.act.lab.affine)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self.dw_conv(x)
        if self.se is not None:
            x = self.se(x)
        return self.pw_conv(x)


def shipped_conv(kernel: Kernel, stride: Stride, groups: int, activation: Activation | None = None) -> ConvBNLayer:
    """Return a kernel as a layer whose bias BatchNorm carries: the converter folds it, and the activation after it.

    BatchNorm keeps its statistics in training too, since they are no pictures' own.
    """
    out_channels, in_channels, side, _ = kernel.weight.shape
    layer = ConvBNLayer(in_channels * groups, out_channels, side, stride, groups, activation)
    layer.conv.weight.set_value(kernel.weight.astype(np.float32))
    set_bias(layer.bn, kernel.bias)
    layer.bn._use_global_stats = True
    return layer
