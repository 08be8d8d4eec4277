"""What a file of weights holds: networks, their parts, which known network they fit, what is missing to train on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ppedge.models import known, published
from ppedge.models.lstm_names import short_name
from ppedge.models.weight_parts import GUIDES, PLACES, THRESHOLD, parts
from ppedge.models.weights import FORMS


def summary(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Describe a file of weights as JSON holds it.

    Args:
        state: Arrays by structured name.

    Returns:
        ``arrays``, ``values`` and ``types`` of the whole file, and ``networks``: one entry a network, whose ``name`` is
        None where the file holds one. ``others`` are arrays that belong to no network. Values of an LSTM that stand
        there under both its names count once.
    """
    found = parts(state)
    owned = sum(map(len, found.values())) if found else len(state)
    networks = [_network(name, own) for name, own in found.items()] or [_network(None, state)]
    return {**_amount(state), "networks": networks, "others": len(state) - owned}


def _network(name: str | None, state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    fits = published.fitting(state)
    official, similar = known.by_values(state), known.by_form(state)
    classes, own_recipe = _classes(state), None if official is None else official.recipe
    return {
        "name": name,
        **_amount(state),
        "parts": {part: _amount(own) for part, own in _by_part(state).items()},
        "form": _form(state),
        "classes": classes,
        "fits": None if fits is None else _fits(fits, classes) | ({"recipe": own_recipe} if own_recipe else {}),
        "official": None if official is None else {"name": official.name, "settings": _settings(official)},
        "layers_of": None if similar is None else similar.name,
        "guides": sorted({guide for start, (guide, _) in GUIDES.items() if _has(state, start)}),
        "threshold": _has(state, THRESHOLD) if fits and fits.task == "det" else None,
        "tensors": {key: {"shape": list(array.shape), "type": str(array.dtype)} for key, array in state.items()},
    }


def _fits(network: published.Published, classes: int | None) -> dict[str, Any]:
    recipe = network.recipe_for(classes)
    return {"network": network.name, "task": network.task, "model": dict(network.model), "recipe": recipe}


def _settings(official: known.Known) -> dict[str, Any]:
    """Return the recipe's keys that official weights were trained with, as far as they are known."""
    dictionary = {"data.charset": official.charset, "data.use_space_char": official.use_space_char}
    return {**official.settings, **(dictionary if official.charset else {})}


def _amount(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {
        "arrays": len(state),
        "values": sum({short_name(name): array.size for name, array in state.items()}.values()),
        "types": sorted({str(array.dtype) for array in state.values()}),
    }


def _by_part(state: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return a network's arrays by part: backbone, neck, and each layer of the head; what has no place comes last."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in state.items():
        place, _, rest = name.partition(".")
        part = place if place in PLACES else "other"
        if place == "head":
            part = f"head.{rest.partition('.')[0]}"
        found.setdefault(part, {})[name] = array
    return found


def _form(state: Mapping[str, np.ndarray]) -> str | None:
    """Return the form of layers that have one for training and one that ships; None where there are none."""
    if any(branches in name for branches, _, _ in FORMS for name in state):
        return "training"
    return "re-parameterised" if any(one in name for _, one, _ in FORMS for name in state) else None


def _classes(state: Mapping[str, np.ndarray]) -> int | None:
    """Return the number of classes of a recogniser's or classifier's head, the blank included."""
    biases = [array for name, array in state.items() if published.CLASSES.fullmatch(name) and array.ndim == 1]
    return int(biases[0].size) if biases else None


def _has(state: Mapping[str, np.ndarray], start: str) -> bool:
    return any(name.startswith(start) for name in state)
