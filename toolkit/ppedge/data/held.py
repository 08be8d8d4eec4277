"""Decoded text lines, held in memory that all processes of a training share: each line is decoded once.

Nothing is dropped to make room: an epoch draws each line once, in an order of its own, so that what was used last is no
more likely to be drawn next than anything else.
"""

from __future__ import annotations

import mmap
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

_STORES_IN_ORDER = ("x86_64", "AMD64")
"""Processors on which whoever sees a line's entry in the table sees its pixels too."""
_ALIGNMENT = 64
_PIECE = 1 << 20
_TOKEN = 4
_MOST_PIECES = 4096 // _TOKEN  # what every pipe takes at once
_SIDE_BITS = 15  # a side has at most `ppedge.ocr.geometry.MAX_SIDE` pixels
_SIDE = (1 << _SIDE_BITS) - 1


class Held:
    """The lines of a data set that have been decoded, as far as there is room, by their index.

    Make it before processes are forked that are to share it. Each takes the memory that it writes to in pieces, whose
    numbers lie in a pipe: no two processes are given the same one, and a process that dies holds nobody up.

    Args:
        count: How many lines the data set has.
        limit: How many bytes are held at most. The machine gives them as they are written to, and not before.
    """

    def __init__(self, count: int, limit: int) -> None:
        self._count, self._limit = count, limit
        self._pieces, writing = os.pipe()
        # Of each line 0, or where it lies and its sides: one number, so that it is there as a whole or not at all.
        self._table = np.frombuffer(mmap.mmap(-1, max(count, 1) * 8), np.int64)
        self._bytes = _shared(min(limit // _PIECE, _MOST_PIECES) * _PIECE)
        with os.fdopen(writing, "wb") as numbers:
            numbers.write(np.arange(len(self._bytes) // _PIECE, dtype=np.uint32).tobytes())
        self._writer = os.getpid()
        self._free = self._end = 0
        self._full = False

    def line(self, index: int, decode: Callable[[], Picture]) -> Picture:
        """Return a line (h, w, 3), read-only.

        Args:
            index: Which.
            decode: Makes it; not called for one that is held.
        """
        if entry := int(self._table[index]):
            height, width = entry >> _SIDE_BITS & _SIDE, entry & _SIDE
            begin = ((entry >> 2 * _SIDE_BITS) - 1) * _ALIGNMENT
            line = self._bytes[begin : begin + 3 * height * width].reshape(height, width, 3)
        else:
            line = decode()
            self._hold(index, line)
        line.flags.writeable = False
        return line

    def _hold(self, index: int, line: Picture) -> None:
        begin = self._place(line.size)
        if begin is not None:
            self._bytes[begin : begin + line.size].reshape(line.shape)[...] = line
            height, width = line.shape[:2]
            self._table[index] = begin // _ALIGNMENT + 1 << 2 * _SIDE_BITS | height << _SIDE_BITS | width

    def _place(self, size: int) -> int | None:
        """Return where so many bytes may be written, or None."""
        if size > _PIECE or self._full:
            return None
        if self._writer != os.getpid():  # what is left of a piece is for the process that took it
            self._writer, self._free = os.getpid(), self._end
        if self._free + size > self._end:
            token = os.read(self._pieces, _TOKEN)
            if not token:
                self._full = True
                return None
            self._free = int.from_bytes(token, sys.byteorder) * _PIECE
            self._end = self._free + _PIECE
        begin = self._free
        self._free = -(-(begin + size) // _ALIGNMENT) * _ALIGNMENT
        return begin

    def __del__(self) -> None:
        os.close(self._pieces)

    def __getstate__(self) -> dict[str, Any]:
        """A process that is not forked starts with nothing held."""
        return {"count": self._count, "limit": self._limit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _shared(size: int) -> Picture:
    """Return memory that forked processes share, or none where it cannot be had: lines are then decoded each time."""
    if not size or platform.machine() not in _STORES_IN_ORDER:
        return np.empty(0, np.uint8)
    try:
        return np.frombuffer(mmap.mmap(-1, size), np.uint8)
    except OSError:
        return np.empty(0, np.uint8)
