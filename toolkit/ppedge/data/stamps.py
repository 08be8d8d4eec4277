"""What an index is made of: the label file, the pictures, and the rules; and what an earlier one knows of pictures."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import PIL

from ppedge.data.index_file import Index, Stamp, join
from ppedge.errors import PpedgeError

NO_STAMP: Stamp = (0, -1)
"""Of what is no file, or may change unseen."""
_READ = 1 << 20


class State(NamedTuple):
    """The bytes of a label file."""

    size: int
    sum: str
    lines: int


class Known:
    """The good pictures of an earlier index, with their sizes: 16 bytes each."""

    def __init__(self, index: Index, root: Path) -> None:
        pictures = (pair for names, stamps in index.stamps() for pair in zip(names, stamps, strict=True))
        keys = np.fromiter((hash((join(root, name), stamp)) for name, stamp in pictures), np.int64, index.count)
        self._order = np.argsort(keys)
        self._keys = keys[self._order]
        self._rows = index.rows

    def find(self, picture: str, stamp: Stamp) -> tuple[float, float] | None:
        """Return the size of a picture's line if the picture is known; None if it is not."""
        key = hash((picture, stamp))
        place = int(np.searchsorted(self._keys, key))
        if stamp == NO_STAMP or place == len(self._keys) or self._keys[place] != key:
            return None
        row = self._rows[self._order[place]]
        return float(row["width"]), float(row["height"])


def state_of(path: Path) -> State:
    """Read a label file and return what it is.

    Raises:
        PpedgeError: It cannot be read.
    """
    digest, size, lines = hashlib.sha256(), 0, 0
    try:
        with path.open("rb") as file:
            while data := file.read(_READ):
                digest.update(data)
                size += len(data)
                lines += data.count(b"\n")
    except OSError as error:
        raise PpedgeError(f"{path}: the label file cannot be read ({error.strerror}).") from error
    return State(size, digest.hexdigest(), lines)


def stamp_of(picture: str) -> Stamp:
    """Return the stamp of a picture, `NO_STAMP` if there is no such file."""
    try:
        found = os.stat(picture)  # noqa: PTH116 - a million of them are looked at
    except (OSError, ValueError):
        return NO_STAMP
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else NO_STAMP


@cache
def rules() -> str:
    """Return a sum of all that decides what a label line gives: these rooms' source, and the decoders' versions."""
    digest = hashlib.sha256(f"{cv2.__version__} {PIL.__version__}".encode())
    here = Path(__file__).parent
    for source in sorted([*here.rglob("*.py"), *(here.parent / "ocr").rglob("*.py")]):
        digest.update(source.read_bytes())
    return digest.hexdigest()
