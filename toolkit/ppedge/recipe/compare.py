"""What differs between the settings of two recipes, key by key."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ppedge.errors import PpedgeError
from ppedge.recipe.io import as_written
from ppedge.recipe.road import Recipe

MISSING = "nothing"
"""Stands for the value of a key that a recipe has not."""
LISTED = 4


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


def require_same(
    now: Recipe, then: Recipe, where: str, what: str, other_way: str, without: Collection[str] = ()
) -> None:
    """Check that results which are there were made by the recipe that is to go on with them.

    Args:
        now: The recipe.
        then: The one by which the results were made.
        where: They lie.
        what: Was done with the other recipe, in the past tense: ``was written``.
        other_way: What a user can do instead of restoring the settings.
        without: Keys, or sections of keys, on which the results do not depend.

    Raises:
        PpedgeError: Names each key that differs, its value then and now.
    """
    found = differences(now, then, without)
    if not found:
        return
    told = "; ".join(f"{d.key} was {written(d.there)} and is {written(d.here)}" for d in found[:LISTED])
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    can_be_set = len(found) <= LISTED and all(d.there is not MISSING for d in found)
    restore = " ".join(d.restored() for d in found) if can_be_set else "the recipe of then"
    raise PpedgeError(f"{where}: {what} with other settings: {told}{more}.", f"Go on with {restore}, or {other_way}.")


def written(value: Any) -> str:
    """Return a value as a person writes it in YAML, without spaces between a list's entries."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
