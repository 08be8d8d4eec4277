"""A section of a configuration of PaddleOCR as it is read: each key is answered once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ppedge.errors import SHOWN, PpedgeError, cut, shown
from ppedge.migrate.config import Config, Keys, Verdict

_EMPTY = "it is empty"
_SCALAR = (str, int, float, bool, type(None))


class Source:
    """A section of a configuration.

    Reading a key does not answer it: ``taken``, ``changed``, ``not_needed`` or ``left_out`` does, and ``close`` names
    whatever was not. A key without a value counts as one that is not there.

    Args:
        config: The configuration.
        at: The section's own keys.
        value: What it holds.

    Raises:
        PpedgeError: It holds something else than keys.
    """

    def __init__(self, config: Config, at: Keys, value: Any) -> None:
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise config.error(at, f"must hold keys, not {shown(value)}", "Compare it with PaddleOCR's own configs/.")
        self._config = config
        self._at = at
        self._value = value
        self._answered: set[Any] = set()

    def __contains__(self, key: str) -> bool:
        return self._value.get(key) is not None

    def value(self, key: str, default: Any = None) -> Any:
        """Return a plain value: a scalar, or lists of scalars.

        Raises:
            PpedgeError: It is something else.
        """
        value = self._value.get(key)
        if not _plain(value, depth=2):
            raise self.error(key, f"must be a value, not {shown(value)}")
        return default if value is None else value

    def text(self, key: str, default: str = "") -> str:
        """Return a string.

        Raises:
            PpedgeError: It is something else.
        """
        value = self.value(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"must be a text, not {shown(value)}")
        return value

    def number(self, key: str, default: float) -> float:
        """Return a number; ``1e-6``, which YAML reads as a text, is one to PaddleOCR too.

        Raises:
            PpedgeError: It is something else.
        """
        value = self.value(key, default)
        try:
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise self.error(key, f"must be a number, not {shown(value)}")
        return number

    def values(self, key: str) -> list[Any]:
        """Return a list of plain values; one value alone counts as a list of it.

        Raises:
            PpedgeError: It is something else.
        """
        value = self.value(key, [])
        return value if isinstance(value, list) else [value]

    def numbers(self, key: str) -> list[float]:
        """Return a list of numbers.

        Raises:
            PpedgeError: It is something else.
        """
        values = self.values(key)
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            raise self.error(key, f"must list numbers, not {shown(values)}")
        return values

    def is_section(self, key: str) -> bool:
        """Whether a key holds keys."""
        return isinstance(self._value.get(key), Mapping)

    def section(self, key: str) -> Source:
        """Return the section under a key, an empty one if it is not there.

        Raises:
            PpedgeError: There is something else.
        """
        return Source(self._config, (*self._at, key), self._opened(key))

    def named(self, key: str) -> Iterator[tuple[str, Source]]:
        """Yield names and sections of a list whose entries are ``NAME: {...}``, or ``NAME`` alone.

        Raises:
            PpedgeError: There is something else.
        """
        entries = self._opened(key) or []
        if not isinstance(entries, list):
            raise self.error(key, f"must be a list, not {shown(entries)}")
        for place, entry in enumerate(entries):
            named = {entry: None} if isinstance(entry, str) else entry
            if not isinstance(named, dict) or len(named) != 1:
                raise self.error(key, f"must list one NAME: {{...}} each, not {shown(entry)}")
            ((name, inner),) = named.items()
            yield str(name), Source(self._config, (*self._at, key, place, str(name)), inner)

    def members(self, key: str) -> Iterator[tuple[str, Source]]:
        """Yield names and sections of a section of sections.

        Raises:
            PpedgeError: There is something else.
        """
        for name in list(self.section(key)._value):
            yield str(name), Source(self._config, (*self._at, key, str(name)), self._value[key][name])

    def entries(self, key: str) -> Iterator[Source]:
        """Yield the sections of a list of sections.

        Raises:
            PpedgeError: There is something else.
        """
        entries = self._opened(key) or []
        if not isinstance(entries, list):
            raise self.error(key, f"must be a list, not {shown(entries)}")
        for place, entry in enumerate(entries):
            yield Source(self._config, (*self._at, key, place), entry)

    def error(self, key: str, reason: str, hint: str = "Compare it with PaddleOCR's own configs/.") -> PpedgeError:
        """Return an error about one of the section's keys; of the section itself with an empty one."""
        return self._config.error((*self._at, key) if key else self._at, reason, hint)

    def taken(self, key: str, sentence: str) -> None:
        """Answer a key: the recipe says the same."""
        self._answer(key, "taken", sentence)

    def changed(self, key: str, sentence: str) -> None:
        """Answer a key: the recipe says something else, or the recipe says what PaddleOCR takes for granted."""
        self._answer(key, "changed", sentence)

    def not_needed(self, key: str, sentence: str) -> None:
        """Answer a key that decides nothing about the network."""
        self._answer(key, "not needed", sentence)

    def left_out(self, key: str, sentence: str) -> None:
        """Answer a key that the recipe cannot say; an empty one stands for the section itself."""
        self._answer(key, "left out", sentence)

    def close(self, without_effect: Mapping[str, str] = {}) -> None:
        """Answer all keys that are left.

        Args:
            without_effect: Keys that decide nothing about the network, and why.
        """
        for key in self._value:
            if key in self._answered:
                continue
            if self._value[key] is None:
                self.not_needed(key, _EMPTY)
            elif key in without_effect:
                self.not_needed(key, without_effect[key])
            else:
                self.left_out(key, "ppedge does not know this key; whatever it does in PaddleOCR is not done here")

    def _opened(self, key: str) -> Any:
        """Return what a key holds, for what is in it to be answered."""
        self._answered.add(key)
        if key in self._value and self._value[key] is None:
            self.not_needed(key, _EMPTY)
        return self._value.get(key)

    def _answer(self, key: Any, verdict: Verdict, sentence: str) -> None:
        """Answer a key; of one that is not there only what the recipe does otherwise is said, at its section."""
        self._answered.add(key)
        if key not in self._value:
            if key != "" and verdict in ("taken", "not needed"):
                return
            key = ""
        self._config.find((*self._at, key) if key != "" else self._at, verdict, sentence)


def written(value: object) -> str:
    """Return a value as a recipe would write it on one line, cut to what a message shows of it."""
    if isinstance(value, Mapping):
        return cut("{" + ", ".join(f"{key}: {written(inner)}" for key, inner in value.items()) + "}", 2 * SHOWN)
    if isinstance(value, list):
        return cut(f"[{', '.join(map(written, value))}]")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else cut(str(value))


def _plain(value: Any, depth: int) -> bool:
    if isinstance(value, list) and depth:
        return all(_plain(one, depth - 1) for one in value)
    return isinstance(value, _SCALAR)
