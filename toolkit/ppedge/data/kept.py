"""The recipe that a run keeps, with the files that lie in the run itself.

Bringing a network in leaves its labels, and of an ONNX file the model and its characters, in the run, and the recipe
names them by where the run lay then. A run that has been renamed or moved has them all the same; and where it lay,
another run may lie by now, whose labels are other ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ppedge.recipe.io import load_recipe
from ppedge.recipe.networks import Imported
from ppedge.recipe.road import Recipe
from ppedge.runs import Run

LABELS = {"train": "train.txt", "eval": "eval.txt"}
"""By split, the label files that are made of the pictures of a network that is brought in."""
IMPORTED, CHARACTERS = "imported", "characters.txt"
"""The folder of what an ONNX file became, and in it the characters of a recogniser."""


def kept_recipe(run: Run, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe kept in a run.

    Args:
        run: The run.
        overrides: ``a.b=value`` each, as `ppedge.recipe.io.load` takes them; what they name stays as they say.

    Raises:
        PpedgeError: It is damaged, or a value is none that it may have.
    """
    recipe = load_recipe(run.recipe_path, overrides)
    own = load_recipe(run.recipe_path) if overrides else recipe
    data: dict[str, Any] = {}
    for split, name in LABELS.items() if recipe.brought_in else ():
        made, kept = run.stage("train") / name, getattr(own.data, split)
        if getattr(recipe.data, split) == kept and made.is_file():
            data[split] = [made]
    characters = run.path / IMPORTED / CHARACTERS
    named = Path(recipe.data.charset)
    if recipe.data.charset == own.data.charset and _ends_alike(named, characters) and characters.is_file():
        data["charset"] = str(characters)
    changed: dict[str, Any] = {"data": recipe.data.model_copy(update=data)} if data else {}
    model, folder = recipe.model, run.path / IMPORTED
    if isinstance(model, Imported) and model == own.model and model.inference.name == IMPORTED and folder.is_dir():
        changed["model"] = model.model_copy(update={"inference": folder})
    return recipe.model_copy(update=changed) if changed else recipe


def _ends_alike(one: Path, other: Path) -> bool:
    """Whether two files have the same name, and lie in folders of the same name."""
    return one.parts[-2:] == other.parts[-2:]
