"""Which layer of a file is which of a network, and a network filled with a file's weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import nn

from ppedge.models.folding import FusedConv
from ppedge.models.from_onnx.layers import FileLayer, running_number
from ppedge.models.layers import set_bias
from ppedge.models.network import Network
from ppedge.models.rep import LearnableAffine, RepLayer
from ppedge.models.weight_parts import THRESHOLD

Shape = tuple[int, ...]
_CONVOLUTIONS = (nn.Conv2D, nn.Conv1D)
_KINDS = {
    "Conv": _CONVOLUTIONS,
    "ConvTranspose": (nn.Conv2DTranspose,),
    "MatMul": (nn.Linear,),
    "Affine": (nn.LayerNorm, LearnableAffine),
}


@dataclass
class NetLayer:
    """A layer of a network that has weights.

    Attributes:
        kind: As of a `FileLayer`.
        shape: Of the weight, as a file has it.
        layer: The layer.
        number: Paddle's running number in the weight's name, which counts layers of a kind as they were made.
        late: PaddleOCR makes it when it re-parameterises, after all others.
    """

    kind: str
    shape: Shape
    layer: Any
    number: int
    late: bool


class UnfitError(Exception):
    """A file's layers are not those of the network."""


def fill(net: Network, layers: Sequence[FileLayer], size: Sequence[int]) -> int:
    """Set a network's weights to those of a file.

    Layers of one kind and shape are told apart by the running numbers that their names kept, which are in the order in
    which PaddleOCR makes the layers: the network's own, but that re-parameterised ones come last.

    Args:
        net: Of the file's form, in eval mode; a detector's threshold head keeps its values.
        layers: Of the file.
        size: Of a picture for the network, (N, 3, H, W).

    Returns:
        How many BatchNorms are no more in the file, since they were folded into the layer before.

    Raises:
        UnfitError: The file's layers are not those of the network.
    """
    own = list(net_layers(net))
    if Counter((one.kind, one.shape) for one in own) != Counter((one.kind, shape_of(one)) for one in layers):
        raise UnfitError
    norms = _norms_behind(net, size)
    lost = 0
    for key in {(one.kind, one.shape) for one in own}:
        here = sorted((one for one in own if (one.kind, one.shape) == key), key=lambda one: (one.late, one.number))
        there = [one for one in layers if (one.kind, shape_of(one)) == key]
        if all(one.number is not None for one in there):
            there.sort(key=lambda one: one.number or 0)
        for mine, theirs in zip(here, there, strict=True):
            lost += _set(mine.layer, norms.get(id(mine.layer)), theirs)
    return lost


def shape_of(layer: FileLayer) -> Shape:
    """Return the shape of a file's weight."""
    return tuple(layer.arrays["weight"].shape)


def net_layers(net: Network) -> Iterator[NetLayer]:
    """Yield the layers of a network that have weights, but for the threshold head.

    Raises:
        UnfitError: The network has layers that no file is read for.
    """
    reparameterised = {id(layer.reparam_conv) for layer in net.sublayers() if isinstance(layer, RepLayer)}
    for name, layer in net.named_sublayers():
        if name.startswith(THRESHOLD):
            continue
        if isinstance(layer, nn.LSTM):
            raise UnfitError
        kind = next((kind for kind, types in _KINDS.items() if isinstance(layer, types)), None)
        if kind is not None:
            weight = layer.scale if isinstance(layer, LearnableAffine) else layer.weight
            shape = list(weight.shape)
            if isinstance(layer, nn.Conv1D):
                shape.insert(2, 1)  # a file has it in two dimensions
            late = isinstance(layer, FusedConv) or id(layer) in reparameterised
            yield NetLayer(kind, tuple(shape), layer, running_number(weight.name) or 0, late)


def _norms_behind(net: Network, size: Sequence[int]) -> dict[int, Any]:
    """Return the BatchNorm that reads what a convolution gives, by the convolution's id."""
    makers: dict[int, Any] = {}
    kept: list[Any] = []  # what layers gave: an id is that of one tensor as long as it lives
    found: dict[int, Any] = {}

    def made(layer: Any, given: Any, output: Any) -> None:
        makers[id(output)] = layer
        kept.append(output)

    def read(layer: Any, given: Any) -> None:
        maker = makers.get(id(given[0]))
        if maker is not None:
            found[id(maker)] = layer

    hooks = []
    for layer in net.sublayers():
        if isinstance(layer, (*_CONVOLUTIONS, nn.Conv2DTranspose)):
            hooks.append(layer.register_forward_post_hook(made))
        elif isinstance(layer, nn.BatchNorm2D | nn.BatchNorm1D):
            hooks.append(layer.register_forward_pre_hook(read))
    with paddle.no_grad():
        net(paddle.zeros(list(size)))
    for hook in hooks:
        hook.remove()
    return found


def _set(layer: Any, norm: Any, theirs: FileLayer) -> bool:
    """Set one layer's weights, and those of BatchNorm behind it; return whether the file has that folded.

    Raises:
        UnfitError: The file's layer has a bias or BatchNorm, and the network's has not.
    """
    arrays = theirs.arrays
    bias = arrays.get("bias")
    if isinstance(layer, LearnableAffine):
        _put(layer.scale, arrays["weight"])
        _put(layer.bias, arrays["bias"])
        return False
    _put(layer.weight, arrays["weight"])
    folded = norm is not None and "scale" not in arrays
    if "scale" in arrays:
        if norm is None:
            raise UnfitError
        _put_norm(norm, theirs, None if layer.bias is not None else bias)
    elif folded:
        set_bias(norm, np.zeros(norm.weight.shape, np.float32) if bias is None else bias.ravel())
        bias = None
    elif bias is not None and layer.bias is None:
        raise UnfitError
    if layer.bias is not None:
        _put(layer.bias, np.zeros(layer.bias.shape, np.float32) if bias is None else bias)
    return folded


def _put_norm(norm: Any, theirs: FileLayer, bias: np.ndarray | None) -> None:
    """Set a BatchNorm; a bias before it, which the network's layer has no place for, is taken off its mean."""
    arrays = theirs.arrays
    _put(norm.weight, arrays["scale"])
    _put(norm.bias, arrays["offset"])
    _put(norm._mean, arrays["mean"] if bias is None else arrays["mean"] - bias.ravel())
    _put(norm._variance, arrays["variance"] + (theirs.epsilon - norm._epsilon))


def _put(tensor: paddle.Tensor, array: np.ndarray) -> None:
    if array.size != tensor.size:
        raise UnfitError
    tensor.set_value(array.reshape(tensor.shape).astype(np.float32))
