"""Writes docs/recipes.md: every key of the recipe, from the JSON schema that ``ppedge recipe schema`` prints."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ppedge.recipe.road import Recipe, Suite
from ppedge.storage import atomic_write

PAGE = Path(__file__).with_name("recipes.md")
HEAD = """# Recipes

<!-- Written by docs/make_recipes.py from the schema: change toolkit/ppedge/recipe/ and run `make docs`. -->

A recipe is a YAML file that says what one run does. Recipes to start from lie in the folder `recipes/`. Reading is
strict: an unknown key, a missing one or a value of the wrong type ends the command with one sentence that names the
file, the line, the key and, for a misspelt key, the nearest known one.

    ppedge recipe show recipes/demo_det.yml                  # check a recipe, print every key with its value
    ppedge recipe schema                                     # the JSON schema, for editors
    ppedge train recipes/demo_det.yml --set train.epochs=2   # change a key for this call

The value after `--set KEY=` is read as YAML: `--set data.eval=[val.txt]`, `--set data.synth=null`. The recipe as
resolved is kept in the run's folder as `recipe.yml`; `slim`, `convert` and `validate` read it there.

A key without a default must be given. A section may be left out if all its keys have defaults.
"""


def page() -> str:
    """Return the text of docs/recipes.md."""
    schema = Recipe.model_json_schema(by_alias=True)
    suite = Suite.model_json_schema(by_alias=True)
    return "\n".join(
        [
            HEAD,
            *_section("", schema, None, schema["$defs"], {}),
            "## A suite\n",
            f"{_one_line(suite['description'])} A file with the key `recipes` is one.\n",
            *_table(suite["properties"], {}),
        ]
    )


Places = dict[str, str]
"""Where each section has been told already, by its name in the schema."""


def _section(
    path: str,
    node: dict[str, Any],
    whole: dict[str, Any] | None,
    known: dict[str, Any],
    told: Places,
    *,
    one_of_several: bool = False,
) -> Iterator[str]:
    """Yield a section's heading, meaning and keys, then the sections within it.

    Args:
        path: Its keys from the top, joined by dots; empty for the recipe itself.
        node: Its schema.
        whole: Its values where it is left out as a whole, which need not be its keys' own defaults; None if it must be
            given, or is absent then.
        known: The schema's definitions.
        told: Sections that have a heading already.
        one_of_several: Another form of the section has a heading of its own.
    """
    meaning, attributes = _split_docstring(node.get("description", ""))
    choices = [value["const"] for value in node["properties"].values() if "const" in value]
    form = f" with name {choices[0]}" if choices else f" with {', '.join(node['properties'])}" if one_of_several else ""
    yield f"## {f'`{path}`' if path else 'The recipe'}{form if path else ''}\n"
    yield f"{meaning}\n"
    inner = {key: _sections_of(value, known) for key, value in node["properties"].items()}
    keys = {
        key: value for key, value in node["properties"].items() if not inner[key] or _plain(value) or _places(value)
    }
    if keys:
        yield from _table(keys, attributes)
        yield from _other_defaults(keys, whole)
    if any(inner.values()):
        yield f"Sections: {', '.join(f'`{key}`' for key, found in inner.items() if found)}.\n"
    for key, value in node["properties"].items():
        defaults = (whole or {}).get(key, value.get("default"))
        for name in inner[key]:
            place = f"{path}.{key}{_places(value)}".lstrip(".")
            if name in told:
                yield f"## `{place}` as `{told[name]}`\n\nThe same keys as there.\n"
                continue
            told[name] = place
            several = len(inner[key]) > 1
            yield from _section(place, known[name], defaults, known, told, one_of_several=several)


def _sections_of(value: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Return the names of the sections that a key may hold: itself, in a list or in a dictionary."""
    found = []
    for option in _options(value):
        if "$ref" in option:
            found.append(option["$ref"].rpartition("/")[2])
        for several in ("items", "additionalProperties"):
            if isinstance(option.get(several), dict):
                found += _sections_of(option[several], known)
    return found


def _options(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas that a value may be of."""
    return [inner for option in value.get("anyOf", [value]) for inner in option.get("oneOf", [option])]


def _plain(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the one option of a key with sections that is a plain value, such as ``same``; None if there is none."""
    plain = [option for option in _options(value) if "const" in option and option.get("type") != "null"]
    return plain[0] if plain else None


def _places(value: dict[str, Any]) -> str:
    """Return what follows a key in the path of its sections: ``[]`` in a list, ``.NAME`` in a dictionary."""
    for option in _options(value):
        if "items" in option and _sections_of(option, {}):
            return "[]"
        if isinstance(option.get("additionalProperties"), dict):
            return ".NAME"
    return ""


def _table(keys: dict[str, Any], attributes: dict[str, str]) -> Iterator[str]:
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    for key, value in keys.items():
        meaning = _one_line(value.get("description") or attributes.get(key) or _meaning_of_const(value))
        default = f"`{json.dumps(value['default'])}`" if "default" in value else "required"
        yield f"| `{key}` | {_type(value)} | {default} | {meaning} |"
    yield ""


def _other_defaults(keys: dict[str, Any], whole: dict[str, Any] | None) -> Iterator[str]:
    """Yield a sentence about the keys that are otherwise where the section is left out as a whole."""
    whole = whole or {}
    if any("const" in value and whole.get(key) not in (None, value["const"]) for key, value in keys.items()):
        return  # left out, the section has another of its forms
    other = {key: whole[key] for key in keys if key in whole and whole[key] != keys[key].get("default")}
    if other:
        told = ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in other.items())
        yield f"Where the whole section is left out: {told}. One that is given starts from the table's defaults.\n"


def _meaning_of_const(value: dict[str, Any]) -> str:
    return "Chooses this form of the section." if "const" in value else ""


def _type(value: dict[str, Any]) -> str:
    """Say in words what a value may be: its type, choices and bounds."""
    if "$ref" in value:
        return "a section"
    if "anyOf" in value or "oneOf" in value:
        return " or ".join(_type(option) for option in _options(value))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "prefixItems" in value:
        return f"{len(value['prefixItems'])} x {_type(value['prefixItems'][0])}"
    if value["type"] == "array":
        sections = all("$ref" in option for option in _options(value["items"]))
        return "list of sections" if sections else f"list of: {_type(value['items'])}"
    if value["type"] == "object":
        return "sections by name"
    words = {"string": value.get("format", "text"), "boolean": "true or false"}
    return ", ".join([words.get(value["type"], value["type"]), *_bounds(value)])


def _bounds(value: dict[str, Any]) -> Iterator[str]:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    yield from (f"{sign} {value[key]:g}" for key, sign in signs.items() if key in value)
    if "multipleOf" in value:
        yield f"multiple of {value['multipleOf']:g}"
    if "pattern" in value:
        yield f"matching `{value['pattern']}`"


def _split_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into its text and what its ``Attributes:`` block says of each attribute."""
    head, _, block = inspect.cleandoc(text).partition("\nAttributes:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", block, flags=re.MULTILINE)
    return _one_line(head), {name: _one_line(meaning) for name, meaning in entries}


def _one_line(text: str) -> str:
    """Join lines, turn reStructuredText's literals into Markdown's, and keep bars out of tables."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    with atomic_write(PAGE) as file:
        file.write(page().encode())
