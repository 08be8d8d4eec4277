"""The networks within one file of weights: PaddleOCR keeps all that a distillation trains in one, under prefixes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ppedge.errors import PpedgeError, cut

State = dict[str, np.ndarray]

STUDENT = "Student"
"""PaddleOCR's name of the network that a distillation is run for."""

PLACES = ("backbone", "neck", "head")
"""What the names of a network's own tensors begin with."""

THRESHOLD = "head.thresh."
"""What the names of a detector's threshold head begin with, which serves the loss alone."""

GUIDES = {
    "head.sar_head.": ("SARHead", ""),
    "head.before_gtc.": ("NRTRHead", "before_gtc."),
    "head.gtc_head.": ("NRTRHead", "gtc_head."),
    "head.aux_": ("AuxDBHead", "aux_"),
}
"""What names of guides begin with in PaddleOCR's checkpoints: the guide, and what the names of its own begin with."""

_LISTED = 8


def parts(state: Mapping[str, np.ndarray]) -> dict[str, State]:
    """Return the networks of a distillation's checkpoint.

    Args:
        state: Arrays by structured name.

    Returns:
        Arrays by each network's own names, by the network's name (``Student``, ``Student2``, ``Teacher``), in the
        file's order; nothing if the file holds one network, whose names begin with ``backbone.`` and the like. What
        belongs to no network is left out.
    """
    found: dict[str, State] = {}
    for name, array in state.items():
        part, _, own = name.partition(".")
        if part in PLACES:
            return {}
        if own.partition(".")[0] in PLACES:
            found.setdefault(part, {})[own] = array
    return found


def pick(state: Mapping[str, np.ndarray], where: str | Path, part: str | None = None) -> tuple[State, str | None]:
    """Return one network of a file of weights, and which one it is.

    Args:
        state: Arrays by structured name.
        where: The file they come from, for the error.
        part: The network's name; None for ``Student``, or for the only one.

    Returns:
        Arrays by the network's own names, and its name; the file's arrays as they are, and None, if they are those of
        one network and no name is asked for.

    Raises:
        PpedgeError: The file has no such network, or several and none is the student.
    """
    found = parts(state)
    if not found:
        if part is None:
            return dict(state), None
        raise PpedgeError(
            f"{where}: holds one network and no part {cut(part)}.", "Use the file as it is: nothing is to be taken out."
        )
    wanted = part or (STUDENT if len(found) > 1 else next(iter(found)))
    if wanted in found:
        return found[wanted], wanted
    listed = ", ".join(cut(name) for name in list(found)[:_LISTED]) + (", ..." if len(found) > _LISTED else "")
    raise PpedgeError(f"{where}: has no part {cut(wanted)}; its parts are {listed}.", "Name one of these.")


def without_guides(state: Mapping[str, np.ndarray]) -> State:
    """Return a network's arrays without those of guides, which PaddleOCR keeps within its head."""
    return {name: array for name, array in state.items() if not name.startswith(tuple(GUIDES))}


def of_guide(state: Mapping[str, np.ndarray], guide: str) -> State:
    """Return a guide's arrays by its own names; none if there are none.

    Args:
        state: A network's arrays by structured name.
        guide: Its name in recipes.
    """
    return {
        own + name.removeprefix(prefix): array
        for name, array in state.items()
        for prefix, (whose, own) in GUIDES.items()
        if whose == guide and name.startswith(prefix)
    }
