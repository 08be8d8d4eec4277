"""The parts of a network that a budget chooses levels for: blocks, by their names, and a detector's neck and head."""

from __future__ import annotations

from ppedge.slim.arm.collapse import HEAD

NECK, HEAD_PART = "neck", "head"
_STARTS = {NECK: (f"{NECK}.", f"{HEAD}.conv1"), HEAD_PART: (f"{HEAD}.conv2", f"{HEAD}.conv3")}


def belongs(layer: str, part: str) -> bool:
    """Return whether a layer, by its structured name, is of a part; a part may also be a single layer."""
    return layer == part or layer.startswith(_STARTS.get(part, (f"{part}.",)))
