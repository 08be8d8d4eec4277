"""A configuration of PaddleOCR as a file: its keys, the line of each, and what has been found of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from ppedge.errors import PpedgeError, cut
from ppedge.recipe.text import MistakeError, parse, read_file

Keys = tuple[str | int, ...]
"""Keys and places in lists, from the configuration's top down."""
Verdict = Literal["taken", "changed", "not needed", "left out"]


@dataclass(frozen=True)
class Finding:
    """What became of a key.

    Attributes:
        line: Where it stands, from 1; None of a key that came by ``-o``.
        key: Its path, with dots.
        verdict: ``taken``: the recipe says the same; ``changed``: it says something else, or more; ``not needed``: it
            decides nothing about the network; ``left out``: it does, and the recipe cannot say it.
        sentence: What it became, or why not, and what that means.
    """

    line: int | None
    key: str
    verdict: Verdict
    sentence: str


@dataclass
class Config:
    """A configuration, and what has been found of it so far.

    Attributes:
        path: The file, for messages.
        value: Its keys.
        lines: Where each key, and each place in a list, stands.
        changed: Keys that came by ``-o``.
        findings: One for each key that has been answered.
    """

    path: Path
    value: dict[str, Any]
    lines: dict[Keys, int]
    changed: set[Keys] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def line(self, keys: Keys) -> int | None:
        """Return the line of a key, or of the nearest section around it; None of one that came by ``-o``."""
        around = [keys[:length] for length in range(len(keys), 0, -1)]
        if any(one in self.changed for one in around):
            return None
        return next((self.lines[one] for one in around if one in self.lines), None)

    def error(self, keys: Keys, reason: str, hint: str) -> PpedgeError:
        """Return an error about a key."""
        line = self.line(keys)
        place = f"{self.path}:{line}" if line else str(self.path)
        return PpedgeError(f"{place}: {dotted(keys)}: {reason}.", hint)

    def find(self, keys: Keys, verdict: Verdict, sentence: str) -> None:
        """Note what became of a key."""
        self.findings.append(Finding(self.line(keys), dotted(keys), verdict, sentence))


def dotted(keys: Sequence[object]) -> str:
    """Return a path of keys as messages show it."""
    return ".".join(cut(str(key)) for key in keys)


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration.

    Args:
        path: The file.
        overrides: ``Section.key=value`` each, as PaddleOCR's ``-o`` takes them; the value is YAML.

    Raises:
        PpedgeError: It is missing, not YAML, or holds no keys; an override is not of that form.
    """
    value, node = read_file(path, "configuration", "Name a configuration of PaddleOCR, such as one of its configs/.")
    if not isinstance(value, dict):
        raise PpedgeError(f"{path}: not a configuration: it holds no keys.", "Name one of PaddleOCR's configs/.")
    config = Config(path, value, {})
    if node is not None:
        _walk(node, (), config)
    for override in overrides:
        _override(config, override)
    return config


def _walk(node: yaml.Node, at: Keys, config: Config) -> None:
    """Note where each key stands; of a key that is there twice, the last counts, as in PaddleOCR."""
    if isinstance(node, yaml.SequenceNode):
        # An alias in a list stands for what came before it: it has no line of its own.
        children = [
            ((*at, place), child.start_mark, child)
            for place, child in enumerate(node.value)
            if child.start_mark.index > node.start_mark.index
        ]
    elif isinstance(node, yaml.MappingNode):
        children = [((*at, str(key.value)), key.start_mark, child) for key, child in node.value]
    else:
        return
    for keys, mark, child in children:
        twice = keys in config.lines
        config.lines[keys] = mark.line + 1
        if twice:
            config.find(keys, "changed", "the key is there more than once; the last counts, as in PaddleOCR")
        if child.start_mark.index >= mark.index:
            _walk(child, keys, config)


def _override(config: Config, override: str) -> None:
    """Change one key, as PaddleOCR does: sections around it must be there."""
    key, equals, text = override.strip().partition("=")
    where, keys = f"-o {cut(override)}", tuple(key.split("."))
    if not equals or not all(keys):
        raise PpedgeError(f"{where}: not of the form Section.key=value.", "For example: -o Global.epoch_num=20")
    inner: Any = config.value
    for depth, name in enumerate(keys[:-1]):
        inner = inner.get(name) if isinstance(inner, dict) else None
        if not isinstance(inner, dict):
            raise PpedgeError(
                f"{where}: {config.path} has no section {cut('.'.join(keys[: depth + 1]))}.", "Name one that it has."
            )
    try:
        inner[keys[-1]], _ = parse(text)
    except MistakeError as error:
        raise PpedgeError(f"{where}: the value is not YAML ({error.reason}).", "Quote it.") from error
    config.changed.add(keys)
