"""Pictures that a network both learns from and is measured on: by their names, and by their bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ppedge.data.samples import pictures_of
from ppedge.data.source import Split
from ppedge.errors import PpedgeError
from ppedge.storage import sha256

MOST_PICTURES = 100_000
"""Of those that are learned from, whose sizes are asked for: on a network drive a hundred thousand take a minute."""
MOST_BYTES = 1 << 30
"""That are read of pictures whose sizes are alike: only those of formats without compression are so in numbers."""


def say_shared(say: Callable[[str], None], split: Split, measured: Sequence[Any], learned: Iterable[str]) -> None:
    """Say how many pictures a network is measured on that it has learned from, if there are any.

    A picture is the same by its path, or under another one by its bytes. Copies are looked for among the first
    `MOST_PICTURES` that are learned from, and until `MOST_BYTES` have been read.

    Args:
        say: Told.
        split: Of the pictures that measure.
        measured: Its samples.
        learned: The paths of the pictures that it learns from, of which there may be too many to be held at once.
    """
    pictures = set(map(os.path.abspath, pictures_of(measured)))
    if not pictures:
        return
    copies = _Copies(pictures)
    named, last = set(), {path.rpartition("/")[2] for path in pictures}
    for path in learned:  # of a million, few are called as one of those is, and only they are spelt out
        if path.rpartition("/")[2] in last and (whole := os.path.abspath(path)) in pictures:  # noqa: PTH100
            named.add(whole)
        else:
            copies.look_at(path)
    copied = copies.found - named
    if shared := len(named) + len(copied):
        renamed = f" ({len(copied)} under another name)" if copied else ""
        say(
            f"note: {shared} of {len(pictures)} pictures of data.{split} are among those that the network learns from"
            f"{renamed}: what is measured on them looks better than it is"
        )
    if copies.gave_up:
        say(f"note: whether pictures of data.{split} have copies among those that the network learns from was asked of "
            f"{copies.looked_at:,} of these alone")  # fmt: skip


class _Copies:
    """Those of some pictures that have the bytes of others.

    Args:
        pictures: Their paths.

    Attributes:
        found: Those that have a copy.
        looked_at: How many others were compared.
        gave_up: There were more than are looked at.
    """

    def __init__(self, pictures: Iterable[str]) -> None:
        self.found: set[str] = set()
        self.looked_at = 0
        self.gave_up = False
        self._read = 0
        self._of_size: dict[int, list[str]] = {}
        self._of_bytes: dict[int, dict[str, list[str]]] = {}
        for path in pictures:
            if size := _size(path):
                self._of_size.setdefault(size, []).append(path)

    def look_at(self, path: str) -> None:
        """Compare a picture with all of them, unless the limits are reached."""
        if self.looked_at == MOST_PICTURES or self._read > MOST_BYTES:
            self.gave_up = True
            return
        self.looked_at += 1
        size = _size(path)
        if size in self._of_size:
            sums = self._of_bytes.get(size)
            if sums is None:
                sums = self._of_bytes[size] = {}
                for one in self._of_size[size]:
                    sums.setdefault(self._sum(one, size), []).append(one)
            self.found.update(sums.get(self._sum(path, size), ()))

    def _sum(self, path: str, size: int) -> str:
        """Return a sum of a file's bytes; of one that cannot be read its name, which is like no other's."""
        self._read += size
        try:
            return sha256(Path(path))
        except (OSError, PpedgeError):
            return path


def _size(path: str) -> int:
    """Return a file's length in bytes, 0 for one that is not there."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - of a hundred thousand, a Path takes most of the time
    except OSError:
        return 0
