"""Configurations of PaddleOCR, and changes of them by ``-o``: through ``ppedge recipe from-paddleocr``."""

from __future__ import annotations

import json
from contextlib import redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from fuzz.contract import Files, Target, WrongResultError, command
from fuzz.mutations import damaged
from fuzz.trees import altered_yaml, places, yaml_value
from paddleocr_configs import published
from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe

_FILE = "config.yml"
_CHANGES = "changes.json"


@cache
def _originals() -> list[dict[str, Any]]:
    # Written out and read again: an altered section must not be another's too.
    return [json.loads(json.dumps(value)) for value in published().values()]


def _whole() -> Files:
    return {_FILE: yaml.safe_dump(_originals()[0]).encode()}


def _configs() -> st.SearchStrategy[Files]:
    texts = [yaml.safe_dump(value).encode() for value in _originals()]
    contents = st.one_of(st.sampled_from(_originals()).flatmap(altered_yaml), damaged(texts))
    return st.fixed_dictionaries({_FILE: contents})


@st.composite
def _changes(draw: st.DrawFn) -> Files:
    """Draw a configuration, and changes of keys it has and has not."""
    value = draw(st.sampled_from(_originals()))
    keys = st.sampled_from([".".join(map(str, path)) for path in places(value)[1:]])
    odd = st.sampled_from(
        ["", ".", "a..b", "Global", "Global.epoch_num.x", "Loss", "No.such.key", "=", "Train.dataset.0"]
    )
    changes = st.builds("{}{}{}".format, keys | odd, st.sampled_from(["=", "=", "=", ""]), yaml_value())
    return {
        _FILE: yaml.safe_dump(value).encode(),
        _CHANGES: json.dumps(draw(st.lists(changes, min_size=1, max_size=3))).encode(),
    }


def _migrate(folder: Path) -> None:
    """Migrate; what is written must be a recipe, or the command must have said that it is none."""
    changes = json.loads((folder / _CHANGES).read_text()) if (folder / _CHANGES).exists() else []
    options = [f"--opt={change}" for change in changes]
    with redirect_stderr(StringIO()):
        command("recipe", "from-paddleocr", _FILE, "--out", "ours.yml", "--force", *options)
    try:
        load_recipe(folder / "ours.yml")
    except PpedgeError as error:
        raise WrongResultError(f"the recipe does not load: {error}") from error


TARGETS = [
    Target("file", _whole, _configs, _migrate, told=(_FILE, "ours.yml")),
    Target("change", lambda: {**_whole(), _CHANGES: b'["Global.epoch_num=3"]'}, _changes, _migrate,
           told=("-o", _FILE, "ours.yml")),
]  # fmt: skip
