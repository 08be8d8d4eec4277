"""What a network costs on ARM, as those predict it who hand it to the search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SIZE = "nb"
"""Stands beside the cores for the bytes of the ``.nb`` file."""


@dataclass(frozen=True)
class Prices:
    """What a float network is predicted to cost: instructions of one inference on ``a53`` and ``a76``, bytes as ``nb``.

    Attributes:
        cost: By core and layer; ``after LAYER`` for what belongs to no layer. Bytes are those of the ``.nb`` file.
        gain: What a layer alone saves in int8, by layer and core, below 0 where it is dearer; layers of which that is
            not known are absent.
        warning: One sentence where the instructions are a lower bound, since operators have no price; else empty.
    """

    cost: dict[str, dict[str, float]]
    gain: dict[str, dict[str, float]]
    warning: str = ""

    @property
    def total(self) -> dict[str, float]:
        """Of the whole network by core."""
        return {core: sum(layers.values()) for core, layers in self.cost.items()}

    def saved(self, layers: Iterable[str]) -> dict[str, float]:
        """Return by core what layers save in int8, those of which that is not known nothing."""
        known = [self.gain[layer] for layer in layers if layer in self.gain]
        return {core: sum(gain[core] for gain in known) for core in self.cost}
