"""Reading recipes: YAML with line numbers, ``--set`` overrides, and a sentence for every mistake."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from ppedge.errors import PpedgeError
from ppedge.recipe import Recipe, Suite
from ppedge.runs import atomic_write

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe | Suite:
    """Read a recipe, or a suite of recipes (a file with the key ``recipes``).

    Args:
        path: The YAML file.
        overrides: ``a.b=value`` each; the value is YAML. A suite takes them for each of its recipes.

    Raises:
        PpedgeError: The file is missing or not YAML, a key is unknown, a value has the wrong type.
    """
    text = _read(path)
    value, lines = _parse(path, text)
    if "recipes" in value:
        suite = _validate(Suite, path, value, lines)
        return suite.model_copy(update={"recipes": [path.parent / recipe for recipe in suite.recipes]})
    return _resolve(path, value, lines, overrides)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a file that must be a single recipe.

    Raises:
        PpedgeError: As `load`, or it is a suite.
    """
    recipe = load(path, overrides)
    if isinstance(recipe, Suite):
        raise PpedgeError(
            f"{path}: a suite of recipes; this command takes one.", "Use `ppedge run`, or name one of them."
        )
    return recipe


def make_recipe(value: dict[str, Any], where: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Make a recipe of keys that come from elsewhere than a file.

    Args:
        value: The keys, as YAML would hold them.
        where: What to name in errors.
        overrides: As in `load`.

    Raises:
        PpedgeError: As `load`.
    """
    return _resolve(where, value, {}, overrides)


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe as resolved, every key with its value, atomically."""
    text = yaml.safe_dump(recipe.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)
    with atomic_write(path) as file:
        file.write(text.encode())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PpedgeError(f"{path}: no such recipe.", "Recipes to start from lie in recipes/.") from error
    except IsADirectoryError as error:
        raise PpedgeError(f"{path}: a folder, not a recipe.", "Name a .yml file.") from error
    except UnicodeDecodeError as error:
        raise PpedgeError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).", "Save it as UTF-8."
        ) from error


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Return the YAML's value and, for each key's path, where it stands."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise PpedgeError(
            f"{path}{line}: not YAML: {getattr(error, 'problem', None) or error}.", "Mend that line."
        ) from error
    if not isinstance(value, dict):
        raise PpedgeError(f"{path}: not a recipe: it holds no keys.", "Start from one of recipes/.")
    lines: dict[tuple[str, ...], str] = {}

    def walk(node: yaml.Node, at: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                name, place = (*at, key.value), f"{path}:{key.start_mark.line + 1}"
                if name in lines:
                    raise PpedgeError(
                        f"{place}: the key {'.'.join(name)} is there already ({lines[name]}).", "Keep one."
                    )
                lines[name] = place
                if child.start_mark.index >= key.start_mark.index:  # an alias stands for what came before
                    walk(child, name)

    if node is not None:
        walk(node, ())
    return value, lines


def _resolve(path: Path, value: dict[str, Any], lines: dict[tuple[str, ...], str], overrides: Sequence[str]) -> Recipe:
    for override in overrides:
        _override(value, override)
        keys = tuple(override.partition("=")[0].split("."))
        for length in range(1, len(keys)):  # sections that the file has not
            lines.setdefault(keys[:length], f"--set {override}")
        lines[keys] = f"--set {override}"
    return _validate(Recipe, path, value, lines)


def _override(value: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise PpedgeError(f"--set {override}: not of the form key=value.", "For example: --set train.epochs=2")
    *parents, last = key.split(".")
    for parent in parents:
        inner = value.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise PpedgeError(f"--set {override}: {parent} holds a value, not keys.", "See `ppedge recipe schema`.")
        value = inner
    try:
        value[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PpedgeError(
            f"--set {override}: the value is not YAML.", "Quote it, or write it in the recipe."
        ) from error


def _validate(model: type[Model], path: Path, value: dict[str, Any], lines: dict[tuple[str, ...], str]) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors()
        first = errors[0]
        keys = _keys_of(first["loc"], value)
        place = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), str(path))
        name = ".".join(keys)
        more = f" ({len(errors) - 1} more after it)" if len(errors) > 1 else ""
        raise PpedgeError(*_sentence(model, first, place, name, keys, more)) from error


def _sentence(
    model: type[BaseModel], error: Any, place: str, name: str, keys: tuple[str, ...], more: str
) -> tuple[str, str]:
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(model, error["loc"][:-1])
        near = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
        return f"{place}: unknown key {name}{more}.", hint
    if error["type"] == "missing":
        return f"{place}: the key {name} is missing{more}.", "See `ppedge recipe schema`."
    message = error["msg"].removeprefix("Value error, ")
    got = "" if isinstance(error["input"], dict) else f", not {error['input']!r}"
    return f"{place}: {name + ': ' if name else ''}{message}{got}{more}.", "See `ppedge recipe schema`."


def _keys_of(loc: tuple[int | str, ...], value: Any) -> tuple[str, ...]:
    """Turn pydantic's location into the user's key path: tags of discriminated unions are left out."""
    keys: list[str] = []
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if part in (range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()):
            value = value[part]
        elif not last:
            continue
        keys.append(str(part))
    return tuple(keys)


def _known_keys(model: Any, loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the section at ``loc`` may have."""
    for part in loc:
        if isinstance(model, type) and issubclass(model, BaseModel):
            fields = {f.alias or name: f.annotation for name, f in model.model_fields.items()}
            model = fields.get(str(part), model)
        else:  # a union: the location names the member by its tag
            members = [get_args(m)[0] if get_origin(m) is Annotated else m for m in get_args(model)]
            model = next((m for m in members if getattr(m, "__name__", "") == part), model)
        members = [m for m in get_args(model) if m is not type(None)]
        if len(members) == 1:
            model = members[0]
    if dataclasses.is_dataclass(model):
        return [f.name for f in dataclasses.fields(model)]
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [f.alias or name for name, f in model.model_fields.items()]
    return []
