"""Which exact rewrites a network has a place for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn

from ppedge.models.backbones.mobilenet_v1_enhance import ConvBNHardswish
from ppedge.models.layers import ConvBNLayer
from ppedge.models.network import Network
from ppedge.slim.arm.collapse import HEAD
from ppedge.slim.arm.understood import understood
from ppedge.slim.rewrites import Rewrite, is_row_stride


def exact_rewrites(net: Network, kinds: Sequence[str], picture: paddle.Tensor) -> list[Rewrite]:
    """Return the rewrites of some kinds that a network has a place for.

    Args:
        net: The network, in eval mode.
        kinds: Names of exact rewrites.
        picture: An input (N, 3, H, W), as high as those to come.

    Returns:
        In the order of ``kinds``, and of the network's layers.
    """
    shapes = _input_shapes(net, picture)
    heads = [HEAD] if understood(net).head else []
    found = []
    for kind in kinds:
        if kind == "skip_rows":
            places = [name for name, layer, (_, _, height, _) in shapes if is_row_stride(layer) and height % 2 == 0]
        elif kind == "fold_pool":
            places = [
                name
                for name, layer, (_, channels, height, _) in shapes
                if isinstance(layer, nn.MaxPool2D) and height == 2 and channels % 2 == 0
            ]
        else:
            places = heads
        found += [Rewrite(kind, place) for place in places]
    return found


def _input_shapes(net: Network, picture: paddle.Tensor) -> list[tuple[str, nn.Layer, list[int]]]:
    """Return name, layer and input shape of the layers that may be rewritten, in the order in which they run."""
    found: list[tuple[str, nn.Layer, list[int]]] = []

    def watch(name: str) -> Any:
        def hook(layer: nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> None:
            found.append((name, layer, inputs[0].shape))

        return hook

    handles = [
        layer.register_forward_pre_hook(watch(name))
        for name, layer in net.named_sublayers()
        if isinstance(layer, ConvBNLayer | ConvBNHardswish | nn.MaxPool2D)
    ]
    with paddle.no_grad():
        net(picture)
    for handle in handles:
        handle.remove()
    return found
