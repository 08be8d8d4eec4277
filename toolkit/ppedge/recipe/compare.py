"""What differs between the settings of two recipes, key by key."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ppedge.errors import PpedgeError
from ppedge.recipe.io import as_written
from ppedge.recipe.road import Recipe

MISSING = "nothing"
"""Stands for the value of a key that a recipe has not."""
LISTED = 4
SHIPS = (
    "task", "model", "data.charset", "data.use_space_char", "det_preprocess", "det_postprocess", "rec_preprocess",
    "cls_preprocess", "cls_postprocess",
)  # fmt: skip
"""Keys, and sections of keys, that say what ships: the network, and how it sees pictures and is read."""


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
        if ours.get(key, MISSING) != theirs.get(key, MISSING) and not _among(key, without)
    ]


def _among(key: str, keys: Collection[str]) -> bool:
    """Whether a key is one of some keys, or in a section that is."""
    return any(key == one or key.startswith(f"{one}.") for one in keys)


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
    _refuse(differences(now, then, without), where, what, other_way)


def require_same_network(now: Recipe, then: Recipe, where: str) -> None:
    """Check that a recipe with which a stage goes on after training says of what ships the same as the run's own.

    The stages behind it read the run's own: what it was slimmed or converted by would not be what is shipped.

    Args:
        now: The recipe, with what a command line has changed in it.
        then: The run's own.
        where: The run.

    Raises:
        PpedgeError: Names each of the keys `SHIPS` that differs.
    """
    found = [difference for difference in differences(now, then) if _among(difference.key, SHIPS)]
    _refuse(found, where, "was trained", "train it anew")


def _refuse(found: Sequence[Difference], where: str, what: str, other_way: str) -> None:
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
