"""Reading recipes: YAML with line numbers, ``--set`` overrides, and a sentence for every mistake."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from ppedge.errors import PpedgeError, cut, meant, shown
from ppedge.recipe.base import foreign_keys, leave_out_foreign
from ppedge.recipe.road import Recipe, Suite
from ppedge.recipe.text import MistakeError, parse, read_file
from ppedge.recipe.upgrade import MOVED, upgraded
from ppedge.storage import atomic_write

Model = TypeVar("Model", bound=BaseModel)
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""Types of pydantic's errors about keys that are not known."""
PADDLEOCR = frozenset({"Architecture", "Optimizer", "Loss", "PreProcess", "PostProcess", "Train", "Eval"})
"""Sections of which a configuration of PaddleOCR has some beside Global."""


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe | Suite:
    """Read a recipe, or a suite of recipes (a file with the key ``recipes``).

    Args:
        path: The YAML file.
        overrides: ``a.b=value`` each; the value is YAML. A suite takes them for each of its recipes.

    Raises:
        PpedgeError: The file is missing or not YAML, a key is unknown or means nothing for the task, a value has the
            wrong type.
    """
    value, lines = _parse(path)
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
    """Write the recipe as resolved, every key of its task with its value, atomically."""
    text = yaml.safe_dump(as_written(recipe), sort_keys=False, allow_unicode=True)
    with atomic_write(path) as file:
        file.write(text.encode())


def as_written(recipe: Recipe) -> dict[str, Any]:
    """Return every key of the recipe's task with its value, as YAML holds them."""
    value = recipe.model_dump(mode="json", by_alias=True)
    leave_out_foreign(value, recipe, recipe.task)
    return value


def _parse(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Return the YAML's value and, for each key's path, where it stands."""
    value, node = read_file(path, "recipe", "`ppedge recipe list` names recipes to start from.")
    if not isinstance(value, dict):
        raise PpedgeError(f"{path}: not a recipe: it holds no keys.", "Start from one that `ppedge recipe list` names.")
    if "Global" in value and PADDLEOCR & value.keys():
        raise PpedgeError(
            f"{path}: a configuration of PaddleOCR, not a recipe of ppedge.",
            f"`ppedge recipe from-paddleocr {path} --out recipe.yml` makes one of it.",
        )
    lines: dict[tuple[str, ...], str] = {}

    def walk(node: yaml.Node, at: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                name, place = (*at, key.value), f"{path}:{key.start_mark.line + 1}"
                if name in lines:
                    raise PpedgeError(
                        f"{place}: the key {cut('.'.join(name))} is there already ({lines[name]}).", "Keep one."
                    )
                lines[name] = place
                if child.start_mark.index >= key.start_mark.index:  # an alias stands for what came before
                    walk(child, name)

    if node is not None:
        walk(node, ())
    return value, lines


def _resolve(path: Path, value: dict[str, Any], lines: dict[tuple[str, ...], str], overrides: Sequence[str]) -> Recipe:
    value = upgraded(value, str(path))
    for override in overrides:
        _override(value, override)
        keys = tuple(override.partition("=")[0].split("."))
        for length in range(1, len(keys)):  # sections that the file has not
            lines.setdefault(keys[:length], f"--set {cut(override)}")
        lines[keys] = f"--set {cut(override)}"
    recipe = _validate(Recipe, path, value, lines)
    for foreign, tasks in foreign_keys(recipe, recipe.task, given=True):
        keys = tuple(map(str, foreign))
        raise PpedgeError(
            f"{_place(path, keys, lines)}: {'.'.join(keys)} means nothing for the task {recipe.task}: it is for "
            f"{' and '.join(tasks)}.",
            "Leave it out.",
        )
    return recipe


def _override(value: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    where = f"--set {cut(override)}"
    if not equals or not all(key.split(".")):
        raise PpedgeError(f"{where}: not of the form key=value.", "For example: --set train.epochs=2")
    *parents, last = key.split(".")
    for parent in parents:
        inner = value.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise PpedgeError(f"{where}: {cut(parent)} holds a value, not keys.", "See `ppedge recipe schema`.")
        value = inner
    try:
        value[last], _ = parse(text)
    except MistakeError as error:
        raise PpedgeError(
            f"{where}: the value is not YAML.", f"Quote it, or write it in the recipe ({error.reason})."
        ) from error


def _validate(model: type[Model], path: Path, value: dict[str, Any], lines: dict[tuple[str, ...], str]) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors()
        # A key that is missing is often one that is misspelt, and that says more.
        first = next((one for one in errors if one["type"] in UNKNOWN), errors[0])
        keys = _keys_of(first["loc"], value, named=first["type"] in (*UNKNOWN, "missing"))
        place = _place(path, keys, lines)
        name = cut(".".join(keys))
        more = f" ({len(errors) - 1} more after it)" if len(errors) > 1 else ""
        raise PpedgeError(*_sentence(model, first, place, name, keys, more)) from error


def _place(path: Path, keys: tuple[str, ...], lines: dict[tuple[str, ...], str]) -> str:
    """Return the line of a key, or of the nearest section around it that the file has."""
    return next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), str(path))


def _sentence(
    model: type[BaseModel], error: Any, place: str, name: str, keys: tuple[str, ...], more: str
) -> tuple[str, str]:
    if error["type"] in UNKNOWN:
        known = known_keys(model, error["loc"][:-1])
        hint = meant(keys[-1], known, cutoff=0.4) or f"Known here: {', '.join(known)}."
        hint = f"Write {MOVED[name]}." if name in MOVED else hint
        return f"{place}: unknown key {name}{more}.", hint
    if error["type"] == "missing":
        return f"{place}: the key {name} is missing{more}.", "See `ppedge recipe schema`."
    tag = str(error.get("ctx", {}).get("tag", ""))
    message = error["msg"].replace(tag, cut(tag)).removeprefix("Value error, ")
    got = "" if isinstance(error["input"], dict) else f", not {shown(error['input'])}"
    return f"{place}: {name + ': ' if name else ''}{message}{got}{more}.", "See `ppedge recipe schema`."


def _keys_of(loc: tuple[int | str, ...], value: Any, *, named: bool) -> tuple[str, ...]:
    """Turn pydantic's location into the user's key path: tags of discriminated unions are left out.

    Args:
        loc: The location.
        value: The recipe's keys.
        named: The location ends in a key, which need not be there; else it may end in a tag.
    """
    keys: list[str] = []
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if part in (range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()):
            value = value[part]
        elif not (last and named):
            continue
        keys.append(str(part))
    return tuple(keys)


def known_keys(model: Any, loc: Sequence[int | str]) -> list[str]:
    """Return the keys that a section may have.

    Args:
        model: The section's class, or that of one around it.
        loc: Where it stands below that, as pydantic locates it: keys, places in lists and dictionaries, tags of unions.
    """
    for part in loc:
        model = _step(_bare(model), part)
    found: list[str] = []
    for member in _members(_bare(model)):
        if dataclasses.is_dataclass(member):
            found += [field.name for field in dataclasses.fields(member)]
        elif isinstance(member, type) and issubclass(member, BaseModel):
            found += [field.alias or name for name, field in member.model_fields.items()]
    return list(dict.fromkeys(found))


def _step(model: Any, part: int | str) -> Any:
    """Return what one part of a location leads to; a tag of a union leads to its member."""
    if get_origin(model) in (list, tuple, dict):
        return get_args(model)[-1 if get_origin(model) is dict else 0]
    if isinstance(model, type) and issubclass(model, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        return fields.get(str(part), model)
    members = _members(model)
    tagged = [member for member in members if part in _tags(member)]
    if tagged:
        return tagged[0]
    only_beside_none = len(members) == 1 and members[0] is not model
    return _step(members[0], part) if only_beside_none else model


def _bare(model: Any) -> Any:
    """Return a type without what it is annotated with."""
    while get_origin(model) is Annotated:
        model = get_args(model)[0]
    return model


def _members(model: Any) -> list[Any]:
    """Return the members of a union, None left out, those of unions within it too; of another type itself."""
    if get_origin(model) not in (Union, UnionType):
        return [model]
    return [inner for member in get_args(model) if member is not type(None) for inner in _members(_bare(member))]


def _tags(member: Any) -> tuple[str, ...]:
    """Return what a member of a union may be called: its class, or the value of its key ``name``."""
    name = getattr(member, "model_fields", {}).get("name")
    return (getattr(member, "__name__", ""), *(map(str, get_args(name.annotation)) if name else ()))
