"""Rewrites: a part of a network replaced by another form, the same when the network is rebuilt from its plan.

`fold_bias`, `shuffle_head`, `skip_rows` and `fold_pool` are exact: they carry the weights over. `linear_neck` and
`narrow_head` make room for weights that `ppedge.slim.arm.collapse` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.utils import unique_name

from ppedge.errors import PpedgeError
from ppedge.figures import held
from ppedge.models.backbones.mobilenet_v1_enhance import ConvBNHardswish
from ppedge.models.depthwise import accelerate
from ppedge.models.heads.db import MapHead
from ppedge.models.layers import ConvBNLayer, set_bias
from ppedge.models.rows import FoldedPool, SkippedRows
from ppedge.models.slimmed import FoldedMapHead, LinearNeck, ShuffleHead, same_size
from ppedge.models.sub_pixel import PHASES, sub_pixel_filters

EXACT = 1e-4
"""Largest difference of a network's output that an exact rewrite may make."""
NORM = ("weight", "bias", "_mean", "_variance")
HINT = "Use the plan of the same run and an unchanged model section."


@dataclass(frozen=True)
class Rewrite:
    """One rewrite of a plan.

    Attributes:
        kind: A key of `KINDS`.
        layer: Structured name of the layer that is replaced.
        options: Sizes of the new form.
    """

    kind: str
    layer: str
    options: dict[str, Any] = field(default_factory=dict)


def layer_at(net: nn.Layer, name: str) -> nn.Layer:
    """Return a layer by its structured name.

    Raises:
        PpedgeError: There is none of this name.
    """
    layers = dict(net.named_sublayers())
    if name not in layers:
        raise PpedgeError(
            f"The plan names the layer {name}, which the network has not.",
            HINT,
        )
    return layers[name]


def put_at(net: nn.Layer, name: str, layer: nn.Layer) -> None:
    """Replace a layer by another."""
    parent, _, last = name.rpartition(".")
    setattr(layer_at(net, parent) if parent else net, last, layer)


def apply_rewrite(net: nn.Layer, rewrite: Rewrite) -> None:
    """Rewrite a network in place.

    Raises:
        PpedgeError: The rewrite is not known, or the layer is none that it can be applied to.
    """
    make = KINDS.get(rewrite.kind)
    if make is None:
        raise PpedgeError(f"The plan has an unknown rewrite, {rewrite.kind}.", "Update ppedge, or slim again.")
    training = net.training
    # Names of their own: the optimizer and the exported program keep parameters by name.
    with unique_name.guard(f"{rewrite.kind}_{rewrite.layer}_"):
        try:
            make(net, rewrite.layer, **rewrite.options)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise PpedgeError(
                f"The plan's rewrite {rewrite.kind} of {rewrite.layer} does not fit ({error})."
            ) from error
    if training:
        net.train()
    else:
        net.eval()


def apply_exactly(net: nn.Layer, rewrite: Rewrite, pictures: Sequence[paddle.Tensor]) -> float:
    """Rewrite a network in place and hold its outputs against those before.

    Args:
        net: The network, in eval mode.
        rewrite: An exact one.
        pictures: Inputs, real ones.

    Returns:
        The largest difference of any output value.

    Raises:
        PpedgeError: The difference is above `EXACT`. The network is as before then.
    """
    old = layer_at(net, rewrite.layer)
    with paddle.no_grad():
        before = [net(picture).numpy() for picture in pictures]
        apply_rewrite(net, rewrite)
        after = [net(picture).numpy() for picture in pictures]
    difference = max((float(np.abs(a - b).max()) for a, b in zip(after, before, strict=True)), default=0.0)
    if not difference <= EXACT:
        put_at(net, rewrite.layer, old)
        found, limit = held(difference, EXACT, digits=2)
        raise PpedgeError(
            f"The rewrite {rewrite.kind} of {rewrite.layer} changes the network's output by {found}, more than "
            f"{limit}.",
            "Its weights are out of the ordinary: leave it out with slim.prune.arm.rewrites=[].",
        )
    return difference


def fold_bias(net: nn.Layer, layer: str) -> None:
    """Carry the biases of a map head's transposed convolutions in BatchNorm, which the converter folds away."""
    old = _require(net, layer, MapHead)
    _, in_channels, kernel, _ = old.conv1.weight.shape
    first, second = old.conv2.weight.shape[:2]
    new = FoldedMapHead(in_channels, (first, second), kernel)
    for name in ("conv1", "conv2", "conv3"):
        _copy(getattr(new, name).weight, getattr(old, name).weight)
    for name in ("conv_bn1", "conv_bn2"):
        _copy_norm(getattr(new, name), getattr(old, name))
    new.conv_bn2._mean.set_value(old.conv_bn2._mean.numpy() - old.conv2.bias.numpy())
    set_bias(new.conv_bn3, old.conv3.bias.numpy())
    put_at(net, layer, new)


def shuffle_head(net: nn.Layer, layer: str) -> None:
    """Make two 1x1 convolutions and a pixel shuffle of a folded map head's transposed convolutions."""
    old = _require(net, layer, FoldedMapHead)
    channels, in_channels, kernel, _ = old.conv1.weight.shape
    new = ShuffleHead(in_channels, channels, PHASES * old.conv2.weight.shape[1], kernel)
    _copy_norm(new.conv_bn1, old.conv_bn1)
    for part in NORM:
        repeated = np.tile(getattr(old.conv_bn2, part).numpy(), PHASES)
        getattr(new.conv_bn2, part).set_value(repeated)
        getattr(new.conv_bn3, part).set_value(np.repeat(getattr(old.conv_bn3, part).numpy(), 16))
    _copy(new.conv1.weight, old.conv1.weight)
    spread, joined = sub_pixel_filters(old.conv2.weight.numpy(), old.conv3.weight.numpy())
    new.conv2.weight.set_value(spread)
    new.conv3.weight.set_value(joined)
    put_at(net, layer, new)


def skip_rows(net: nn.Layer, layer: str) -> None:
    """Let a depthwise convolution of stride (2, 1) compute all rows, and keep every other one."""
    old = _require(net, layer, ConvBNLayer, ConvBNHardswish)
    if not is_row_stride(old):
        raise PpedgeError(f"The plan rewrites {layer}, which has another stride or groups than skip_rows wants.", HINT)
    channels, _, kernel, _ = old.conv.weight.shape
    new = SkippedRows(channels, kernel, old.activation)
    _copy(new.conv.weight, old.conv.weight)
    _copy_norm(new.bn, old.bn)
    accelerate(new)
    put_at(net, layer, new)


def is_row_stride(layer: nn.Layer) -> bool:
    """Whether a layer is a depthwise convolution with BatchNorm, of stride (2, 1)."""
    if not isinstance(layer, ConvBNLayer | ConvBNHardswish):
        return False
    return list(layer.conv._stride) == [2, 1] and layer.conv._groups == layer.conv.weight.shape[0]


def fold_pool(net: nn.Layer, layer: str) -> None:
    """Let a pooling of maps of two rows see maps of four."""
    _require(net, layer, nn.MaxPool2D)
    put_at(net, layer, FoldedPool())


def linear_neck(net: nn.Layer, layer: str, in_channels: Sequence[int], width: int) -> None:
    """Replace a detector's neck by one of 3x3 convolutions, and let its head read as many channels as that makes."""
    put_at(net, layer, LinearNeck(in_channels, width))
    head = layer_at(net, "head.binarize")
    head.conv1 = same_size(width, head.conv1.weight.shape[0])


def narrow_head(net: nn.Layer, layer: str, width: int) -> None:
    """Give a shuffle head fewer channels between its last two convolutions."""
    old = _require(net, layer, ShuffleHead)
    old.conv2 = nn.Conv2D(old.conv2.weight.shape[1], width, 1, bias_attr=False)
    old.conv_bn2 = nn.BatchNorm2D(width)
    old.conv3 = nn.Conv2D(width, 16, 1, bias_attr=False)


KINDS: Mapping[str, Callable[..., None]] = {
    "fold_bias": fold_bias,
    "shuffle_head": shuffle_head,
    "skip_rows": skip_rows,
    "fold_pool": fold_pool,
    "linear_neck": linear_neck,
    "narrow_head": narrow_head,
}


def _require(net: nn.Layer, name: str, *kinds: type[nn.Layer]) -> Any:
    layer = layer_at(net, name)
    if not isinstance(layer, kinds):
        raise PpedgeError(f"The plan rewrites {name}, which is no {' or '.join(k.__name__ for k in kinds)}.", HINT)
    return layer


def _copy(target: paddle.Tensor, source: paddle.Tensor) -> None:
    target.set_value(source.numpy())


def _copy_norm(target: nn.BatchNorm2D, source: nn.BatchNorm2D) -> None:
    for part in NORM:
        _copy(getattr(target, part), getattr(source, part))
