"""What a network's layers give or are given, noted while it runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from paddle import Tensor, nn

from ppedge.errors import PpedgeError

INPUT = ":input"
"""Ends the name of a place that means what a layer is given. That outlasts a layer before it being replaced, as by
quantizers."""


class Recorder:
    """Notes what passes through named layers of a network.

    Args:
        net: The network.
        places: Structured names of layers whose outputs are noted, or with `INPUT` behind them, whose first inputs.

    Raises:
        PpedgeError: There is no layer of such a name.
    """

    def __init__(self, net: nn.Layer, places: Collection[str]) -> None:
        self._seen: dict[str, Any] = {}
        self._handles: list[Any] = []
        layers = dict(net.named_sublayers())
        for place in places:
            name = place.removesuffix(INPUT)
            if name not in layers:
                known = ", ".join(name for name in layers if "." not in name)
                raise PpedgeError(f"train.losses: {name} is no layer of the network.", f"At its top are {known}.")
            add = layers[name].register_forward_post_hook if name == place else layers[name].register_forward_pre_hook
            self._handles.append(add(self._noting(place)))

    def take(self) -> dict[str, Any]:
        """Return what was noted since the last call, by place: tensors, or lists of them for a pyramid."""
        seen, self._seen = self._seen, {}
        return seen

    def remove(self) -> None:
        """Leave the network as it was."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _noting(self, place: str) -> Any:
        def hook(layer: nn.Layer, inputs: tuple[Tensor, ...], *output: Any) -> None:
            self._seen[place] = output[0] if output else inputs[0]

        return hook
