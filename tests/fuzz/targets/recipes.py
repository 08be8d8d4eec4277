"""Recipes, suites, and changes by ``--set``: through ``ppedge recipe show``, which reads as every command does."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from fuzz.contract import Files, Target, WrongResultError, command
from fuzz.mutations import damaged
from fuzz.trees import altered_yaml, places, yaml_value
from ppedge.recipe.io import load, save
from ppedge.recipe.road import Recipe
from small import recipe_dict

_FILE = "recipe.yml"
_OVERRIDES = "set.json"
_PROJECT = Path(__file__).resolve().parents[3]


@cache
def _originals() -> list[dict[str, Any]]:
    """Return tiny recipes and those that the project ships."""
    shipped = [yaml.safe_load(path.read_text()) for path in sorted((_PROJECT / "recipes").glob("*.yml"))]
    return [*(recipe_dict(task, Path("data")) for task in ("det", "rec", "cls")), *shipped]


def _whole() -> Files:
    return {_FILE: yaml.safe_dump(_originals()[0]).encode()}


def _recipes() -> st.SearchStrategy[Files]:
    texts = [yaml.safe_dump(value).encode() for value in _originals()]
    contents = st.one_of(st.sampled_from(_originals()).flatmap(altered_yaml), damaged(texts))
    return st.fixed_dictionaries({_FILE: contents})


@st.composite
def _overrides(draw: st.DrawFn) -> Files:
    """Draw a recipe, and changes of keys it has and has not."""
    value = draw(st.sampled_from(_originals()))
    keys = st.sampled_from([".".join(map(str, path)) for path in places(value)[1:]])
    odd = st.sampled_from(
        ["", ".", "a..b", "train", "train.epochs.x", "model", "no.such.key", "recipes", "=", "data.train.0"]
    )
    good = st.sampled_from(["seed=3", "name=x", "train.epochs=2", "data.eval=[a.txt, b.txt]", "train={epochs: 1}"])
    changes = good | st.builds("{}{}{}".format, keys | odd, st.sampled_from(["=", "=", "=", ""]), yaml_value())
    return {
        _FILE: yaml.safe_dump(value).encode(),
        _OVERRIDES: json.dumps(draw(st.lists(changes, min_size=1, max_size=3))).encode(),
    }


def _show(folder: Path) -> None:
    path = folder / _FILE
    changes = json.loads((folder / _OVERRIDES).read_text()) if (folder / _OVERRIDES).exists() else []
    command("recipe", "show", _FILE, *(f"--set={change}" for change in changes))
    loaded = load(path, changes)
    if isinstance(loaded, Recipe):
        save(loaded, folder / "again.yml")
        again = load(folder / "again.yml")
        if repr(again) != repr(loaded):  # not ==: a NaN differs from itself
            raise WrongResultError("the recipe as resolved is another once written and read")


TARGETS = [
    Target("file", _whole, _recipes, _show),
    Target("set", lambda: {**_whole(), _OVERRIDES: b'["seed=3"]'}, _overrides, _show, told=("--set", _FILE)),
]
