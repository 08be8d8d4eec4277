"""Recipes of older forms, read as the newest.

Schema 1 is what ppedge 0.1 wrote and read; it had no number. A run keeps its recipe with every key; in schema 1 those
of other tasks were among them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from ppedge.errors import PpedgeError, shown
from ppedge.recipe.base import leave_out_foreign
from ppedge.recipe.road import SCHEMA, Recipe

MOVED = {
    "train.shrink_loss": "train.losses: [{name: DB, main: bce}]",
    "train.ignore_case": "train.losses: [{name: CTC, ignore_case: true}]",
}
"""Keys of older forms, and how the newest says it."""
KEPT = ("det_preprocess", "det_postprocess", "rec_preprocess", "metric")
"""A recipe of schema 1 that has all of these was kept by a run: nobody writes another task's keys."""


def upgraded(value: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a recipe's keys in the newest form.

    Args:
        value: The keys, as YAML holds them; left as they are.
        where: The file, for the error.

    Raises:
        PpedgeError: The recipe is of a newer form than this ppedge knows.
    """
    schema = value.get("schema", 1)
    if isinstance(schema, int) and schema > SCHEMA:
        raise PpedgeError(
            f"{where}: the recipe is of schema {shown(schema)}, and this ppedge knows {SCHEMA}.", "Update ppedge."
        )
    if schema != 1:
        return value
    value = {"schema": SCHEMA, **{key: deepcopy(inner) for key, inner in value.items() if key != "schema"}}
    _losses(value)
    if all(key in value for key in KEPT):
        _leave_out_other_tasks(value)
    return value


def _losses(value: dict[str, Any]) -> None:
    """Say by ``train.losses`` what two keys said."""
    train, task = value.get("train"), value.get("task")
    if not isinstance(train, dict) or "losses" in train:
        return
    main, ignore_case = train.get("shrink_loss", "dice"), train.get("ignore_case", False)
    if main in ("dice", "bce"):
        train.pop("shrink_loss", None)
        if task == "det" and main == "bce":
            train["losses"] = [{"name": "DB", "main": main}]
    if isinstance(ignore_case, bool):
        train.pop("ignore_case", None)
        if task == "rec" and ignore_case:
            train["losses"] = [{"name": "CTC", "ignore_case": True}]


def _leave_out_other_tasks(value: dict[str, Any]) -> None:
    try:
        recipe = Recipe.model_validate(value)
    except ValidationError:  # whoever reads it says what is wrong
        return
    leave_out_foreign(value, recipe, recipe.task)
