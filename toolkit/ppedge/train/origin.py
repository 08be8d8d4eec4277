"""Weights that fit by name and shape, held against the settings they were trained with.

Strides, normalisation or the order of a dictionary leave no trace in names and shapes: with others than their own,
weights load and the network reads nonsense. Who trained them is known for official weights, and for those that a run
left beside its recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.data.source import read_charset
from ppedge.errors import PpedgeError
from ppedge.models import known
from ppedge.ocr.charset import Charset
from ppedge.recipe.compare import Difference, flat, written
from ppedge.recipe.io import load_recipe
from ppedge.recipe.road import Recipe
from ppedge.runs import MANIFEST, RECIPE
from ppedge.storage import read_json, sha256

# Of the sections that a network's input depends on, the keys that weights are trained with.
_LEARNED = ("mean", "std", "height")
# Bends the loss, not the network.
_FREE = ("model.head.k",)


@dataclass(frozen=True)
class Origin:
    """Who trained weights, and with what.

    Attributes:
        name: For messages.
        settings: Keys of a recipe and their values then, as YAML holds them.
        charset: The character set then, if it is known.
        certain: They are these weights; else only their layers are the same.
    """

    name: str
    settings: Mapping[str, Any]
    charset: Charset | None
    certain: bool


def check_origin(
    recipe: Recipe,
    state: Mapping[str, np.ndarray],
    path: Path,
    key: str,
    *,
    charset: Charset | None,
    say: Callable[[str], None],
    of: str = "",
) -> None:
    """Hold a recipe against the settings that weights were trained with, as far as these are known.

    Args:
        recipe: The recipe, into whose network they have been loaded.
        state: The weights, by structured name.
        path: The file they come from.
        key: The key of the recipe, or the option, that names the file.
        charset: The recipe's, where the weights' head is used with it.
        say: Told what differs where that is no error.
        of: Compare only keys that begin so.

    Raises:
        PpedgeError: A setting differs, and ``train.weights_check`` is ``refuse``.
    """
    origin = _origin(state, path)
    if origin is None:
        return
    ours = flat(recipe)
    found = [
        Difference(name, ours[name], value)
        for name, value in origin.settings.items()
        if name.startswith(of) and name in ours and ours[name] != value
    ]
    told = [f"{d.key} {written(d.there)}, and the recipe has {written(d.here)}" for d in found]
    if charset is not None and origin.charset is not None and charset.characters != origin.charset.characters:
        told.append("another data.charset with as many classes")
    if not told:
        return
    who = f"{key} {path}: names and shapes fit, but {origin.name}"
    sentence = f"{who} {'was' if origin.certain else 'has the same layers and was'} trained with {'; '.join(told)}."
    if not origin.certain or recipe.train.weights_check == "warn":
        say(f"note: {sentence}")
        return
    mend = " ".join(d.restored() for d in found) or "the character set it was trained with"
    raise PpedgeError(sentence, f"Use {mend}, or go on nevertheless with --set train.weights_check=warn.")


def _origin(state: Mapping[str, np.ndarray], path: Path) -> Origin | None:
    """Return who trained weights: by their values, by the run they lie in, or at least by their layers."""
    official = known.by_values(state)
    if official is not None:
        return _official(official, certain=True)
    folder = path.resolve().parent
    if _belongs(folder, path.name):
        return _of_run(folder.parent)
    similar = known.by_form(state)
    return None if similar is None else _official(similar, certain=False)


def _official(official: known.Known, *, certain: bool) -> Origin:
    charset = None
    if official.charset and certain:  # the classes of a descendant are its own
        characters = Charset.from_name_or_file(official.charset).characters
        charset = Charset((*characters, " ") if official.use_space_char else characters)
    return Origin(official.name, official.settings, charset, certain)


def _belongs(folder: Path, name: str) -> bool:
    """Whether a file is one that the stage in its folder left, by the manifest there."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return False
    try:
        outputs = {entry["path"]: entry["sha256"] for entry in read_json(manifest)["outputs"]}
    except (PpedgeError, KeyError, TypeError):
        return False
    return name in outputs and outputs[name] == sha256(folder / name)


def _of_run(folder: Path) -> Origin | None:
    """Return what a run says; None if its recipe is gone or cannot be read."""
    try:
        recipe = load_recipe(folder / RECIPE)
    except PpedgeError:
        return None
    settings = {
        key: value
        for key, value in flat(recipe).items()
        if key not in _FREE
        and (
            key.startswith("model.") or (key.startswith(f"{recipe.task}_preprocess.") and key.split(".")[1] in _LEARNED)
        )
    }
    try:
        charset = read_charset(recipe, exists=True) if recipe.task == "rec" else None
    except PpedgeError:
        charset = None  # its file lies elsewhere now
    return Origin(f"the network of {folder}", settings, charset, certain=True)
