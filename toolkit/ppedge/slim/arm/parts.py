"""The parts of a network that a budget chooses levels for: sites, and a detector's neck and head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ppedge.slim.arm.collapse import HEAD

NECK, HEAD_PART = "neck", "head"
Layers = Mapping[str, tuple[str, ...]]
"""By part, the structured names of its layers, or of what holds them."""
REPLACED: Layers = {NECK: (NECK, f"{HEAD}.conv1"), HEAD_PART: (f"{HEAD}.conv2", f"{HEAD}.conv3")}


def owners(layer: str, parts: Iterable[str], layers: Layers) -> list[str]:
    """Return the parts that a layer is of: two of them where one's channels become another's.

    Args:
        layer: Structured name.
        parts: To choose from.
        layers: Of each part; one that is not named is a single layer, or what holds it.
    """
    return [part for part in parts if any(f"{layer}.".startswith(f"{name}.") for name in layers.get(part, (part,)))]
