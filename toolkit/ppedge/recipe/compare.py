"""What differs between the settings of two recipes, key by key."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ppedge.recipe.io import as_written
from ppedge.recipe.road import Recipe

MISSING = "nothing"
"""Stands for the value of a key that a recipe has not."""


class Difference(NamedTuple):
    """A key with two values.

    Attributes:
        key: With dots, as ``--set`` takes it.
        here: Its value in the one recipe, as YAML holds it.
        there: In the other.
    """

    key: str
    here: Any
    there: Any

    def restored(self) -> str:
        """Return the option of a command line that gives the key its value in the other recipe."""
        return f"--set '{self.key}={written(self.there)}'"


def flat(recipe: Recipe) -> dict[str, Any]:
    """Return every key of the recipe's task, with dots, and its value, as YAML holds it; lists are values."""
    found: dict[str, Any] = {}

    def walk(value: Mapping[str, Any], above: str) -> None:
        for key, inner in value.items():
            if isinstance(inner, dict) and inner:
                walk(inner, f"{above}{key}.")
            else:
                found[f"{above}{key}"] = inner

    walk(as_written(recipe), "")
    return found


def differences(here: Recipe, there: Recipe, without: Collection[str] = ()) -> list[Difference]:
    """Return the keys whose values differ, in the order of the recipe.

    Args:
        here: The one recipe.
        there: The other.
        without: Keys, or sections of keys, that are not compared.
    """
    ours, theirs = flat(here), flat(there)
    return [
        Difference(key, ours.get(key, MISSING), theirs.get(key, MISSING))
        for key in dict.fromkeys((*ours, *theirs))
        if ours.get(key, MISSING) != theirs.get(key, MISSING)
        and not any(key == left or key.startswith(f"{left}.") for left in without)
    ]


def written(value: Any) -> str:
    """Return a value as a person writes it in YAML, without spaces between a list's entries."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
