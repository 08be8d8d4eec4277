"""Finding label files and the pictures that they name, and what was meant where there is none."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath

from ppedge.errors import PpedgeError

SPLITS = {"train": "train.txt", "eval": "val.txt", "test": "test.txt"}
"""The parts of a data set, and the names of their label files where ppedge writes them."""

_MARKS = re.compile(rb"^(?:\xef\xbb\xbf)+")
"""Byte-order marks: files that are put together have them at the beginning of a line within."""

_ABOVE = 2
"""How many folders above the root are looked through: labelling tools name pictures relative to the folder above."""


def label_path(file: Path, root: Path) -> Path:
    """Return where a label file lies: below ``root``; where there is none, below the current folder."""
    path = root / file
    return file if not path.is_file() and file.is_file() else path


def find_label_file(file: Path, root: Path) -> Path:
    """Return where a label file lies.

    Raises:
        PpedgeError: The root folder or the file is not there or cannot be read.
    """
    if not root.is_dir():
        raise PpedgeError(f"{root}: no such folder.", "Set data.root (or --root) to the folder of the pictures.")
    path = label_path(file, root)
    with _telling(path, root):
        path.stat()
        if path.is_char_device():  # which need not end
            raise PpedgeError(f"{path}: a device, not a label file.", "Name a label file.")
    return path


@contextmanager
def opened_label_file(file: Path, root: Path) -> Iterator[tuple[BufferedReader, Path]]:
    """Open a label file and yield it and where it lies; the block reads it, and meets no other file.

    Raises:
        PpedgeError: The root folder or the file is not there or cannot be read.
    """
    path = find_label_file(file, root)
    with _telling(path, root), path.open("rb") as opened:
        yield opened, path


@contextmanager
def _telling(path: Path, root: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PpedgeError(
            f"{path}: no such label file.",
            f"Label files are named relative to data.root (or --root), which is {root.absolute()} here.",
        ) from error
    except OSError as error:
        raise PpedgeError(f"{path}: the label file cannot be read ({error.strerror}).") from error


def label_lines(file: Path, root: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the `numbered_lines` of a label file.

    Raises:
        PpedgeError: See `opened_label_file`.
    """
    with opened_label_file(file, root) as (opened, _):
        yield from numbered_lines(opened)


def numbered_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield those lines of a label file that are not empty and their numbers, from 1, without marks and line ends."""
    for number, whole in enumerate(lines, start=1):
        line = _MARKS.sub(b"", whole.removesuffix(b"\n")).removesuffix(b"\r")
        if line:
            yield number, line


class Lookup:
    """Pictures by their names in a label file.

    Args:
        root: The folder that they are named relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[Path, dict[str, str]] = {}

    def find(self, name: str) -> Path | None:
        """Return a picture's path; None if it is not there."""
        path = self.root / name
        return path if os.path.isfile(path) else None  # noqa: PTH113 - it is asked for every line, and takes half of it

    def hint(self, name: str) -> str:
        """Say what may have been meant by a name that `find` does not find; empty if nothing is like it.

        That is a path with other slashes, letter cases, blanks at its ends or forms of accents, below the root or a
        folder above it.
        """
        for base in (self.root, *self.root.absolute().parents[:_ABOVE]):
            twin = self._twin(base, name)
            if twin is not None and base == self.root:
                return f", but there is {twin}"
            if twin is not None:
                return f", but there is {twin} below {base}: name that folder by --root, or data.root of a recipe"
        return ""

    def _twin(self, base: Path, name: str) -> PurePosixPath | None:
        found = PurePosixPath()
        for part in name.replace("\\", "/").split("/"):
            if part in ("", "."):
                continue
            twin = self._names(base / found).get(_key(part))
            if twin is None:
                return None
            found /= twin
        return found if (base / found).is_file() else None

    def _names(self, folder: Path) -> dict[str, str]:
        """Return the names in a folder by what they are alike in; empty if it cannot be listed."""
        if folder not in self._listed:
            try:
                names = sorted(path.name for path in folder.iterdir())
            except (OSError, ValueError):  # ValueError: a NUL character
                names = []
            self._listed[folder] = {_key(name): name for name in names}
        return self._listed[folder]


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip().strip("\ufeff")).casefold()
