"""Damage to JSON and YAML that keeps the rest of the document as it is: wrong types, keys too many and too few, depth.

Some values cannot be written by a library (``1e999``, a thousand brackets): they stand as marks in the tree until it is
text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import yaml
from hypothesis import strategies as st

from fuzz.mutations import NAMES

_MARK = "@raw {}@"
_RAW_JSON = [
    "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 5000, "1" * 30, "1.0", "1e3", "-0", "0.1e-400",
    "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "0" + "}" * 3000, '"\\ud800"', '"\\u0000"',
]  # fmt: skip
_TAGGED = [
    "!!int x", "!!int 0x", "!!bool maybe", "!!float x", "!!timestamp x", "!!binary é", "!!null x", "!!str", "! x",
    "!!set {a, b}", "!!omap [a]", "!!pairs [[a]]", "!unknown x", "!!python/object/apply:os.system [ls]",
]  # fmt: skip
_NUMBERS_AND_DATES = [
    "2024-13-01", "2024-02-30 25:61:61", "2001-01-01", "2001-01-01 00:00:00", "0x_", "0b", "1:99:99", "-1:60", "1_000",
    "0o17", "0779", ".inf", "-.inf", ".nan", "1e999", "9" * 5000,
]  # fmt: skip
_STRUCTURE = [
    "&a [*a]", "*nowhere", "&x &y z", "{a: &b [1], c: *b}", "{<<: [1, 2]}", "{<<: 3}", "<<", "{? [a]: b}", "{[a]: b}",
    "{1: 2, null: 3}", "{a: {a: {a: 1}, a: 2}}", "[" * 1000 + "]" * 1000, "- " * 500 + "a",
]  # fmt: skip
_CHARACTERS = [
    "~", "yes", "=", "'", '"', "[", "{", "}", "%x", "@x", "`x`", "|", ">-", "? ", ": ", "\t", "#", "---\n", "...\n",
    "'\0'", '"\\ud800"', '"\\x9b"', '"\\e[2J"', "\u2028", "\ufeff",
]  # fmt: skip
_ALIASES = (f"&{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
BOMB = f"[&a [x, x, x, x, x, x, x, x, x], {', '.join(_ALIASES)}]"
"""YAML of some 500 bytes that stands for 9^9 values."""
_RAW_YAML = [*_TAGGED, *_NUMBERS_AND_DATES, *_STRUCTURE, *_CHARACTERS, BOMB]

ODD = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 1, 0.5, -0.0, 2**31, 2**63, -(2**63), 2**64, 10**40, 1e308, 5e-324]),
    st.sampled_from(["", " ", "0", "x", "true", [], {}, [[]], [None], {"": None}, [1, "a", None], {"a": {"b": []}}]),
    st.sampled_from(NAMES),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
)
"""A value of any type."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything within a tree of dictionaries and lists, the tree's own first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in inner for found in places(child, (*path, key)))]


@st.composite
def altered(draw: st.DrawFn, original: Any, raw: Sequence[str] = ()) -> Any:
    """Draw a tree with one to three changes: a value of another type, a key too many or too few, values swapped.

    Args:
        draw: Of hypothesis.
        original: A tree of dictionaries and lists; it stays as it is.
        raw: Texts of values that are put in as they are when the tree is written; see `json_text`, `yaml_text`.
    """
    value = {"": deepcopy(original)}
    odd = ODD | st.integers(0, len(raw) - 1).map(_MARK.format) if raw else ODD
    odd = odd.map(deepcopy)  # a later change may be one of what is put in here, which the next input is given too
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(places(value, ())[1:]))
        inner: Any = value
        for part in path:
            inner = inner[part]
        kind = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "take"]))
        if kind == "remove" and path:
            del inner[key]
        elif kind == "add" and isinstance(inner[key], dict):
            inner[key][draw(st.sampled_from([*NAMES, "x", "name", "schema"]))] = draw(odd)
        elif kind == "add" and isinstance(inner[key], list):
            inner[key].append(draw(odd))
        elif kind == "take":
            inner[key] = deepcopy(_at(value, draw(st.sampled_from(places(value, ())[1:]))))
        else:
            inner[key] = draw(odd)
        if "" not in value or len(places(value)) < 2:
            break
    return value.get("")


def _at(value: Any, path: Sequence[Any]) -> Any:
    for part in path:
        value = value[part]
    return value


def json_text(value: Any) -> bytes:
    """Write a tree of `altered` as JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return _put_in(text, _RAW_JSON, '"').encode(errors="surrogatepass")


def yaml_text(value: Any) -> bytes:
    """Write a tree of `altered` as YAML."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return _put_in(text, _RAW_YAML, "['\"]?").encode(errors="surrogatepass")


def _put_in(text: str, raw: Sequence[str], quote: str) -> str:
    mark = quote + _MARK.format(r"(\d+)") + quote
    return re.sub(mark, lambda found: raw[int(found[1])], text)


def altered_json(original: Any) -> st.SearchStrategy[bytes]:
    """Draw JSON that is a tree but for one to three changes."""
    return altered(original, _RAW_JSON).map(json_text)


def altered_yaml(original: Any) -> st.SearchStrategy[bytes]:
    """Draw YAML that is a tree but for one to three changes."""
    return altered(original, _RAW_YAML).map(yaml_text)


def yaml_value() -> st.SearchStrategy[str]:
    """Draw a value as YAML text, for a command line, which cannot hold NUL."""
    plain = ODD.map(lambda value: yaml.safe_dump(value, allow_unicode=True, default_flow_style=True))
    return (st.sampled_from(_RAW_YAML) | plain).filter(lambda value: "\0" not in value)
