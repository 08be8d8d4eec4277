"""The recognisers of a bundle: one without a name, or several that are chosen by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ppedge.errors import PpedgeError, shown

ONE, SEVERAL = 1, 2
"""Schemas of manifests. What knows bundles with one recogniser alone must refuse others, and so needs a new number."""

MOST = 32
"""Recognisers that a bundle may hold."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,23}")
_NAMES = "A name is 1 to 24 letters of English, digits, - and _, of which the first is a letter or a digit."


def is_name(name: str) -> bool:
    """Whether a recogniser may be called so."""
    return _NAME.fullmatch(name) is not None


def require_names(names: Iterable[str]) -> None:
    """Check the names of a bundle's recognisers, which are parts of file names, too.

    Raises:
        PpedgeError: One is no name, there are two that differ in capitals at most, or there are none or too many.
    """
    seen: set[str] = set()
    for name in names:
        if not is_name(name):
            raise PpedgeError(f"{shown(name)} is no name for a recogniser.", _NAMES)
        if name.lower() in seen:
            raise PpedgeError(f"Two recognisers are called {shown(name)}.", "Capitals do not tell names apart.")
        seen.add(name.lower())
    if not seen:
        raise PpedgeError("There is no recogniser.")
    if len(seen) > MOST:
        raise PpedgeError(f"{len(seen)} recognisers are more than a bundle may hold, {MOST}.")


def file_stem(stem: str, recognizer: str) -> str:
    """Return a recogniser's part of the names of its files: ``rec``, or ``rec_NAME`` where there are several."""
    return f"{stem}_{recognizer}" if recognizer else stem


def recognizers(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a manifest's recognisers, the default first: ``name`` (empty of a single one), ``model``, ``charset``."""
    if value["schema"] == SEVERAL:
        return list(value["recognizers"])
    return [{"name": "", "model": value["models"]["rec"], "charset": value["charset"]}]


def choose(value: Mapping[str, Any], name: str | None, where: object) -> dict[str, Any]:
    """Return one of a manifest's recognisers.

    Args:
        value: The manifest.
        name: The recogniser's; by default the first.
        where: The bundle, for the error.

    Raises:
        PpedgeError: There is none of that name.
    """
    all_ = recognizers(value)
    if name is None:
        return all_[0]
    for one in all_:
        if one["name"] == name:
            return one
    if len(all_) == 1 and not all_[0]["name"]:
        raise PpedgeError(f"{where}: has one recogniser, which has no name.", "Leave --recognizer out.")
    names = ", ".join(one["name"] for one in all_)
    raise PpedgeError(f"{where}: has no recogniser {shown(name)}, only {names}.", "Name one of them.")


def networks(value: Mapping[str, Any], recognizer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the models that read a picture with one of the recognisers, by task: ``det``, ``rec``, perhaps ``cls``."""
    models = value["models"]
    found = {"det": models["det"], "rec": recognizer["model"]}
    return {**found, "cls": models["cls"]} if "cls" in models else found
