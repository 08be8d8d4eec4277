"""What a user can meet: every error that ppedge raises on purpose.

The command line prints ``message`` and ``hint`` and ends with ``exit_code``; a traceback is shown only under
``--debug``. A message says what is wrong and where (file, line, key); a hint says what to do.
"""

from __future__ import annotations

import errno
import os
import re
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

# Control characters, line and paragraph separators, what turns the direction of text, halves of a surrogate pair.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SHOWN = 80
"""Characters of a value that a message shows."""
_BITS = 256
AGAIN = "Repeat the command."
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LITTLE = 1 << 20
"""Bytes: a file system with less is taken for the one that is full; the last write has used up most of the rest."""
WITH_PADDLE = "Install ppedge with the extra `cpu` or `gpu`."
"""The hint where Paddle or one of its companions is missing."""


def printable(text: str) -> str:
    """Return a text on one line, for a terminal: what is not to be printed stands as in a Python string.

    Names and values come from files that somebody else wrote; ``ESC`` and its like would be carried out by a terminal.
    Texts in any script stay as they are.
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Shown(reprlib.Repr):
    def repr_int(self, value: int, level: int) -> str:
        """Decimal digits take quadratic time, and Python refuses more than 4300 of them."""
        return str(value) if value.bit_length() <= _BITS else f"a number of {value.bit_length()} bits"


_SHOWN = _Shown()
_SHOWN.maxlevel = 3
_SHOWN.maxstring = _SHOWN.maxother = SHOWN


def shown(value: object) -> str:
    """Return a value as messages show it: as Python writes it, cut to `SHOWN` characters, however large it is."""
    return cut(_SHOWN.repr(value))


def cut(text: str, limit: int = SHOWN) -> str:
    """Return a text, cut to ``limit`` characters."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def meant(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the question whether the nearest of the names that there are was meant; empty if none is like it.

    Args:
        name: That there is not; however long it is, its beginning is compared.
        known: The names that there are.
        cutoff: Of likeness, 0 to 1, below which nothing is asked.
    """
    near = get_close_matches(cut(name), list(known), n=1, cutoff=cutoff)
    return f"Did you mean {near[0]}?" if near else ""


class PpedgeError(Exception):
    """Bad input or usage (exit code 2), and the parent of the other errors.

    Args:
        message: One sentence: what is wrong, and where. It is kept as `printable`.
        hint: One sentence: what to do about it, likewise.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = printable(message)
        self.hint = printable(hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[type[PpedgeError], tuple[str, str]]:
        """Errors cross process borders whole (loader workers raise them)."""
        return type(self), (self.message, self.hint)


class GateError(PpedgeError):
    """A limit that the recipe sets was not met."""

    exit_code = 1


class Interrupted(PpedgeError):  # noqa: N818 - what happened is no error
    """Ctrl-C or SIGTERM; the checkpoint is written."""

    exit_code = 130


class MissingError(PpedgeError):
    """Something on the machine is missing: a library, a device, a tool, space on a disk."""

    exit_code = 3


def require_utf8(name: str) -> None:
    """Refuse a name that is not UTF-8: neither JSON nor YAML can hold it.

    Raises:
        PpedgeError: It is not.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise PpedgeError(f"{shown}: a name that is not UTF-8.", "Rename the file or folder.") from error


@contextmanager
def named_if_full(place: Path, *, below: bool = False) -> Iterator[None]:
    """Give an error for lack of room the name of what was written: where a write fails, Python leaves it out.

    Args:
        place: The file or folder; an error that has a name keeps it.
        below: The block works in a folder, and may write elsewhere too: it is named only where its file system is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM and error.filename is None and not (below and _has_room(place)):
            error.filename = str(place)
        raise


def first_full(folders: Iterable[Path]) -> Path | None:
    """Return the first of the folders, or of those that they are to be made in, whose file system is full."""
    return next((folder for folder in folders if not _has_room(folder)), None)


def _has_room(folder: Path) -> bool:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    state = os.statvfs(there)
    return state.f_bavail * state.f_frsize > _LITTLE
