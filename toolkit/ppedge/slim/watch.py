"""What named layers of a network are given and give, on one batch of pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import paddle
from paddle import nn

from ppedge.train.recorder import INPUT


class _EnoughError(Exception):
    """All that is wanted has been seen."""


def watch(net: nn.Layer, places: Collection[str], picture: paddle.Tensor) -> dict[str, paddle.Tensor]:
    """Run a network until layers have run, and return what passed.

    Args:
        net: The network, in eval mode.
        places: Structured names of layers, whose outputs are wanted, or with ``:input`` behind them, whose first
            inputs.
        picture: Its input.

    Returns:
        By place; a layer that does not run is absent, and of one that runs twice it is the first time.
    """
    layers = dict(net.named_sublayers())
    seen: dict[str, paddle.Tensor] = {}

    def noting(place: str) -> Any:
        def hook(layer: nn.Layer, inputs: tuple[paddle.Tensor, ...], *output: Any) -> None:
            seen.setdefault(place, output[0] if output else inputs[0])
            if len(seen) == len(set(places)):
                raise _EnoughError

        return hook

    handles = [_register(layers[place.removesuffix(INPUT)], place, noting(place)) for place in set(places)]
    try:
        with paddle.no_grad():
            net(picture)
    except _EnoughError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return seen


def arrays(net: nn.Layer, places: Collection[str], picture: paddle.Tensor) -> Mapping[str, Any]:
    """Return the same as NumPy arrays."""
    return {place: value.numpy() for place, value in watch(net, places, picture).items()}


def _register(layer: nn.Layer, place: str, hook: Any) -> Any:
    if place.endswith(INPUT):
        return layer.register_forward_pre_hook(hook)
    return layer.register_forward_post_hook(hook)
