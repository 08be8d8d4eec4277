"""From the network that was trained to the form that ships: branches and affines become part of convolutions, exactly.

A layer with a form of its own for that is a `Foldable`. Whoever loads what a run has trained folds it, so that
slimming, conversion and costs see the form that ships alone.
"""

from __future__ import annotations

from typing import TypeVar

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.utils import unique_name

from ppedge.models.layers import SEModule
from ppedge.models.rep import Affine, RepLayer, plain_conv

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


class FoldedBlock(nn.Layer):
    """A depthwise and a pointwise convolution with bias, each followed by what of its `RepLayer` is left.

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
        filters, mix = (layer.kernel().before(layer.lab.affine) for layer in (depthwise, pointwise))
        channels, _, side, _ = filters.weight.shape
        self.activated = depthwise.activated
        self.dw_affine: FixedAffine | None = None
        if self.activated and se is not None:
            self.dw_affine = FixedAffine(depthwise.act.lab.affine)
        elif self.activated:
            mix = pointwise.kernel().after(depthwise.act.lab.affine).before(pointwise.lab.affine)
        self.dw_conv = plain_conv(channels, channels, side, depthwise.stride, channels)
        self.se = se
        self.pw_conv = plain_conv(channels, len(mix.bias), 1)
        self.pw_affine = FixedAffine(pointwise.act.lab.affine)
        filters.put_into(self.dw_conv)
        mix.put_into(self.pw_conv)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = self.dw_conv(x)
        if self.activated:
            x = F.hardswish(x)
        if self.dw_affine is not None:
            x = self.dw_affine(x)
        if self.se is not None:
            x = self.se(x)
        return self.pw_affine(F.hardswish(self.pw_conv(x)))
