"""Runs of a network that go on from where the last one began to matter, not from the pictures.

Who changes or disturbs a network layer by layer would compute all that lies before the layer anew each time. A network
that can be paused keeps it, one state a batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import paddle
from paddle import nn

from ppedge.models.imported.network import ImportedNetwork

MOST = 2 << 30
"""Bytes that states may take; where they would take more, runs begin further in front."""


class Resumed:
    """What a network is given: batches of pictures, or its runs of them, paused.

    Args:
        net: The network, in eval mode. One that cannot be paused runs from the pictures.
        pictures: Inputs (N, 3, H, W).
    """

    def __init__(self, net: nn.Layer, pictures: Sequence[paddle.Tensor]) -> None:
        self._net = net
        self._given: list[Any] = list(pictures)

    def before(self, layers: Collection[str]) -> Sequence[Any]:
        """Return what the network is given to run on from before the first of some layers.

        Layers before that one must be as they will be from now on: later calls do not go back.

        Args:
            layers: Structured names.
        """
        if isinstance(self._net, ImportedNetwork) and layers and self._given:
            first = self._net.pause(self._given[0], layers)
            if first.bytes * len(self._given) <= MOST:
                self._given = [first, *(self._net.pause(one, layers) for one in self._given[1:])]
        return self._given


def in_order(net: nn.Layer, layers: Iterable[str]) -> list[str]:
    """Return layers' structured names in the order in which `Resumed` goes on; as they come where it cannot."""
    return sorted(layers, key=net.place) if isinstance(net, ImportedNetwork) else list(layers)
