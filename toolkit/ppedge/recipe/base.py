"""What every section of the recipe is, and which of its keys mean something for a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

Path = tuple[str | int, ...]
"""Keys and places in lists, from the recipe's top down."""


class Section(BaseModel):
    """A part of the recipe: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class For:
    """Marks a key that means something for some tasks only: ``charset: Annotated[str, For("rec")]``.

    Args:
        tasks: ``det``, ``rec``, ``cls``.
    """

    def __init__(self, *tasks: str) -> None:
        self.tasks = tasks


def foreign_keys(section: Section, task: str, *, given: bool) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield the keys that mean nothing for a task, with the tasks that they are for.

    Args:
        section: The recipe, or a part of it.
        task: ``det``, ``rec`` or ``cls``.
        given: Only those that were set, not those that have their defaults.
    """
    for name, field in type(section).model_fields.items():
        if given and name not in section.model_fields_set:
            continue
        key = field.alias or name
        meant = next((mark.tasks for mark in field.metadata if isinstance(mark, For)), (task,))
        if task not in meant:
            yield (key,), meant
            continue
        for place, inner in _sections(getattr(section, name)):
            for path, tasks in foreign_keys(inner, task, given=given):
                yield (key, *place, *path), tasks


def leave_out_foreign(value: dict[str, Any], recipe: Section, task: str) -> None:
    """Take the keys that mean nothing for a task out of a recipe's keys, as YAML holds them.

    Args:
        value: The keys, changed in place; not all need be there.
        recipe: What they make.
        task: Of the recipe.
    """
    for path, _ in foreign_keys(recipe, task, given=False):
        inner: Any = value
        for key in path[:-1]:
            inner = inner.get(key, {}) if isinstance(inner, dict) else inner[key]
        inner.pop(path[-1], None)


def _sections(value: Any) -> Iterator[tuple[Path, Section]]:
    """Yield the sections that a key holds: itself, or those of a list or dictionary."""
    if isinstance(value, Section):
        yield (), value
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in entries:
        if isinstance(inner, Section):
            yield (place,), inner
