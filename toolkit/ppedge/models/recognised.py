"""What is known of weights that do not fit a network: whose they are, and the characters that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ppedge.models import known, published


def network_of(state: Mapping[str, np.ndarray]) -> str:
    """Return in words which weights a network's are: published ones by their values, else whose names and shapes.

    Returns:
        Nothing where they are of no network that is known.
    """
    official, fits = known.by_values(state), published.fitting(state)
    return ", ".join([*([f"the official {official.name}"] if official else []), *([fits.name] if fits else [])])


def keys_of_classes(state: Mapping[str, np.ndarray], other_shapes: Iterable[str]) -> str:
    """Return the recipe's keys that give a network as many classes as official weights have.

    Args:
        state: The weights, by structured name.
        other_shapes: Names of the tensors whose shape is not the network's.

    Returns:
        Nothing where anything but classes differs, or nobody knows which characters these are.
    """
    official = known.by_values(state)
    if official is None or official.charset is None or not all(map(published.CLASSES.fullmatch, other_shapes)):
        return ""
    return f"data.charset={official.charset} data.use_space_char={str(official.use_space_char).lower()}"
