"""The form of an index: the good samples of a label file, so that any of them can be read by itself.

A file is ``blocks | rows | stats | header | tail``, numbers little-endian. A block holds some thousand samples: their
pictures' names and their texts, a line each, and their shapes. A row is a sample's place in its block; a stat is its
picture's size and time. The header is JSON; the tail holds its length and the CRC-32 of all before the tail.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from ppedge.data.labelled import DetSample, RecSample
from ppedge.data.samples import Samples, label_of
from ppedge.errors import PpedgeError

_MAGIC = b"ppedgeix"
_TAIL = struct.Struct("<QI8s")
_ROW_BYTES, _STAT_BYTES = struct.Struct("<7I2f"), struct.Struct("<2q")
_ROW = np.dtype([(name, "<u4") for name in ("name", "names", "text", "texts", "shape", "shapes", "line")]
                + [("width", "<f4"), ("height", "<f4")])  # fmt: skip
"""Of names, texts and shapes: where the sample's own begins in its block, and how many bytes it has."""
_STAT = np.dtype([("size", "<i8"), ("time", "<i8")])
_BLOCK_ROWS = 4096
_BLOCK_BYTES = 1 << 24
_READ = 1 << 20

Stamp = tuple[int, int]
"""A picture's bytes and the time of its last change, in nanoseconds; a time of -1 is that of no file."""


class Block(NamedTuple):
    """Where a block's parts begin in the file, and how many bytes they have."""

    first: int
    """The number of its first sample."""
    names: int
    names_size: int
    texts: int
    texts_size: int
    shapes: int
    shapes_size: int


class Writer:
    """Writes an index, sample by sample; memory grows by 52 bytes a sample.

    Args:
        file: To write to, empty.

    Every method raises OSError where the file cannot be written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = self._sum = 0
        self._blocks: list[Block] = []
        self._rows, self._stats = bytearray(), bytearray()
        self._clear()

    def __len__(self) -> int:
        return len(self._rows) // _ROW.itemsize

    def add(
        self, name: str, line: int, stamp: Stamp, sample: DetSample | RecSample | None, size: tuple[float, float]
    ) -> None:
        """Add a sample.

        Args:
            name: Its picture's, below the root.
            line: Its line in the label file.
            stamp: Of its picture, from before that was looked at.
            sample: None where a good line of labels gives no sample: its picture counts nevertheless.
            size: Of a line: see `ppedge.data.pictures.line_size`.
        """
        label = "" if sample is None else label_of(sample)
        parts = (
            name.encode(),
            (label if isinstance(label, str) else json.dumps(label, ensure_ascii=False)).encode(),
            b"" if sample is None else _packed(sample),
        )
        places = []
        for kept, part, end in zip((self._names, self._texts, self._shapes), parts, (b"\n", b"\n", b""), strict=True):
            places += [len(kept), len(part)]
            kept += part + end
        self._rows += _ROW_BYTES.pack(*places, line, *size)
        self._stats += _STAT_BYTES.pack(*stamp)
        full = len(self._names) + len(self._texts) + len(self._shapes) >= _BLOCK_BYTES
        if full or len(self) - self._first >= _BLOCK_ROWS:
            self._flush()

    def finish(self, about: dict[str, Any]) -> None:
        """Write what is left, and the header with ``about``, plain JSON values."""
        self._flush()
        rows = self._write(self._rows)
        stats = self._write(self._stats)
        header = json.dumps({**about, "count": len(self), "rows": rows, "stats": stats, "blocks": self._blocks})
        self._write(header.encode())
        self._file.write(_TAIL.pack(len(header.encode()), self._sum, _MAGIC))

    def _clear(self) -> None:
        self._first = len(self)
        self._names, self._texts, self._shapes = bytearray(), bytearray(), bytearray()

    def _flush(self) -> None:
        parts = [(self._write(part), len(part)) for part in (self._names, self._texts, self._shapes)]
        if len(self) > self._first:
            self._blocks.append(Block(self._first, *(number for part in parts for number in part)))
        self._clear()

    def _write(self, data: bytes | bytearray) -> int:
        """Write bytes and return where they begin."""
        begin = self._at
        self._file.write(data)
        self._at += len(data)
        self._sum = zlib.crc32(data, self._sum)
        return begin


class Index:
    """An index that has been opened; what is read stays the same, whatever takes its place in the folder.

    Attributes:
        path: The file.
        about: What the writer said.
        count: Of the samples.
        rows: (count,), of `_ROW`.
    """

    def __init__(self, path: Path, file: BinaryIO, header: dict[str, Any]) -> None:
        self.path = path
        self.about = header
        self.count = int(header["count"])
        self._file = file
        self._blocks = [Block(*map(int, block)) for block in header["blocks"]]
        self._firsts = [block.first for block in self._blocks]
        self._stats_at = int(header["stats"])
        self.rows = np.frombuffer(self.read(int(header["rows"]), self.count * _ROW.itemsize), _ROW)

    @classmethod
    def open(cls, path: Path) -> Index | None:
        """Open an index; None if there is none that can be read, or it is damaged."""
        with suppress(OSError, ValueError, KeyError, TypeError, PpedgeError, RecursionError):
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            file = os.fdopen(handle, "rb", buffering=0)
            end = os.fstat(handle).st_size - _TAIL.size
            if not stat.S_ISREG(os.fstat(handle).st_mode) or end < 0:
                return None
            length, total, magic = _TAIL.unpack(os.pread(handle, _TAIL.size, end))
            if magic != _MAGIC or length > end or _sum(handle, end) != total:
                return None
            return cls(path, file, json.loads(os.pread(handle, length, end - length)))
        return None

    def read(self, begin: int, size: int) -> bytes:
        """Return bytes of the file.

        Raises:
            PpedgeError: It cannot be read, or ends before.
        """
        try:
            data = os.pread(self._file.fileno(), size, begin)
            while data and len(data) < size:
                more = os.pread(self._file.fileno(), size - len(data), begin + len(data))
                data = data + more if more else b""
        except OSError as error:
            raise PpedgeError(f"{self.path}: cannot be read ({error.strerror}).", "Delete it.") from error
        if len(data) < size:
            raise PpedgeError(f"{self.path}: was cut off while it was in use.", "Delete it, and start again.")
        return data

    def part(self, index: int, what: str) -> bytes:
        """Return a sample's ``name``, ``text`` or ``shape``."""
        block = self._blocks[bisect_right(self._firsts, index) - 1]
        row = self.rows[index]
        return self.read(getattr(block, f"{what}s") + int(row[what]), int(row[f"{what}s"]))

    def columns(self, what: str) -> Iterator[list[str]]:
        """Yield the ``name`` or ``text`` of all samples, block by block."""
        for block in self._blocks:
            data = self.read(getattr(block, f"{what}s"), getattr(block, f"{what}s_size"))
            yield data.decode().split("\n")[:-1]

    def stamps(self) -> Iterator[tuple[list[str], list[Stamp]]]:
        """Yield the names and the stamps of the samples' pictures, block by block."""
        begin = 0
        for names in self.columns("name"):
            data = self.read(self._stats_at + begin * _STAT.itemsize, len(names) * _STAT.itemsize)
            yield names, np.frombuffer(data, _STAT).tolist()
            begin += len(names)


class Indexed(Samples[Any]):
    """The samples of an index.

    Args:
        index: The index.
        root: The folder that pictures are named relative to.
        file: The label file.
        whole: Samples are pictures with their regions, not lines.
        ratio: Of all samples.
    """

    def __init__(self, index: Index, root: Path, file: Path, *, whole: bool, ratio: float) -> None:
        self._index, self._root, self._file = index, root, file
        self._whole, self._ratio = whole, ratio

    def __len__(self) -> int:
        return self._index.count

    def at(self, index: int) -> DetSample | RecSample:
        """See `Samples.at`."""
        name, text, shape = (self._index.part(index, what) for what in ("name", "text", "shape"))
        image, where = self._root / name.decode(), f"{self._file}:{self._index.rows[index]['line']}"
        if self._whole:
            polygons, ignore = _regions(shape)
            return DetSample(image, polygons, json.loads(text), ignore, where, ratio=self._ratio)
        quad = np.frombuffer(shape, "<f4").reshape(4, 2).astype(np.float32) if shape else None
        return RecSample(image, text.decode(), where, quad, ratio=self._ratio)

    def texts(self) -> Iterator[str | list[str]]:
        """See `Samples.texts`."""
        texts = chain.from_iterable(self._index.columns("text"))
        return map(json.loads, texts) if self._whole else texts

    def places(self) -> Iterator[str]:
        """See `Samples.places`."""
        lines = self._index.rows["line"]
        for begin in range(0, len(lines), _BLOCK_ROWS):
            yield from (f"{self._file}:{line}" for line in lines[begin : begin + _BLOCK_ROWS].tolist())

    def pictures(self) -> Iterator[str]:
        """See `Samples.pictures`."""
        return (join(self._root, name) for name in chain.from_iterable(self._index.columns("name")))

    def sizes(self) -> npt.NDArray[np.float64]:
        """See `Samples.sizes`."""
        rows = self._index.rows
        return np.stack([rows["width"], rows["height"]], axis=1).astype(np.float64)

    def ratios(self) -> npt.NDArray[np.float64]:
        """See `Samples.ratios`."""
        return np.full(len(self), self._ratio)

    def given(self) -> npt.NDArray[np.bool_]:
        """Return which entries are lines cut out of a picture, and not pictures that give none: (samples,)."""
        return self._index.rows["shapes"] > 0


def join(root: Path, name: str) -> str:
    """Return a picture's path by its name in an index."""
    return name if name.startswith("/") else f"{root}/{name}"


def _packed(sample: DetSample | RecSample) -> bytes:
    """Return a sample's outlines, and which of a picture's regions are ignored."""
    if isinstance(sample, RecSample):
        return b"" if sample.quad is None else sample.quad.astype("<f4").tobytes()
    counts = [len(polygon) for polygon in sample.polygons]
    points = b"".join(polygon.astype("<f4").tobytes() for polygon in sample.polygons)
    return np.array([len(counts), *counts], "<u4").tobytes() + bytes(sample.ignore) + points


def _regions(shape: bytes) -> tuple[list[npt.NDArray[np.float32]], list[bool]]:
    """Return the polygons and ignore flags that `_packed` packed."""
    number = int(np.frombuffer(shape, "<u4", 1)[0])
    counts = np.frombuffer(shape, "<u4", number, 4)
    begin = 4 + 5 * number
    points = np.frombuffer(shape[begin:], "<f4").reshape(-1, 2).astype(np.float32)
    ends = np.cumsum(counts)[:-1]
    polygons = [polygon.copy() for polygon in np.split(points, ends)] if number else []
    return polygons, [bool(flag) for flag in shape[4 + 4 * number : begin]]


def _sum(handle: int, end: int) -> int:
    """Return the CRC-32 of a file's first bytes."""
    total = begin = 0
    while begin < end:
        data = os.pread(handle, min(_READ, end - begin), begin)
        if not data:
            raise ValueError("the file became shorter")
        total = zlib.crc32(data, total)
        begin += len(data)
    return total
