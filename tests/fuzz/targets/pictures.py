"""Pictures of every format that is read: cuts, flipped bits, headers that lie about sizes."""

from __future__ import annotations

import io
import re
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from fuzz.contract import Files, Target, WrongResultError
from fuzz.mutations import damaged
from ppedge.data.check import check
from ppedge.data.labelled import RecSample
from ppedge.data.pictures import Pictures, line_size
from ppedge.errors import PpedgeError

_PICTURE, _LABELS = "picture.img", "labels.txt"
_SIDES = [0, 1, 2, 40, 65500, 65535, 100_000, 1 << 20, (1 << 31) - 1, (1 << 32) - 1]
_FORMATS = [
    ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "L", {}), ("PNG", "LA", {}), ("PNG", "P", {}), ("PNG", "1", {}),
    ("PNG", "I;16", {}), ("JPEG", "RGB", {}), ("JPEG", "L", {}), ("JPEG", "CMYK", {}),
    ("JPEG", "RGB", {"progressive": True}), ("BMP", "RGB", {}), ("BMP", "P", {}), ("TIFF", "RGB", {}),
    ("TIFF", "L", {"compression": "tiff_lzw"}), ("TIFF", "I;16", {}), ("TIFF", "1", {"compression": "group4"}),
    ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}), ("GIF", "P", {}), ("PPM", "RGB", {}),
    ("JPEG2000", "RGB", {}),
]  # fmt: skip


@cache
def _originals() -> list[bytes]:
    noise = np.random.default_rng(4).integers(0, 256, (24, 40, 3), np.uint8)
    smooth = np.repeat(np.repeat(noise[:6, :10], 4, axis=0), 4, axis=1)
    written = []
    for form, mode, options in _FORMATS:
        picture = Image.fromarray(smooth)
        picture = Image.fromarray(smooth[..., 0].astype(np.uint16) * 256) if mode == "I;16" else picture.convert(mode)
        orientations = (1, 3, 6, 8) if form == "JPEG" else (1,)
        for orientation in orientations:
            exif = Image.Exif()
            exif[0x0112] = orientation
            more = {"exif": exif.tobytes()} if orientation > 1 else {}
            file = io.BytesIO()
            picture.save(file, form, **options, **more)
            written.append(file.getvalue())
    return written


@st.composite
def _lying(draw: st.DrawFn) -> bytes:
    """Draw a picture whose header gives another size, with the checksum that belongs to it."""
    data = draw(st.sampled_from(_originals()))
    width, height = draw(st.sampled_from(_SIDES)), draw(st.sampled_from(_SIDES))
    if data.startswith(b"\x89PNG"):
        header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<II", width, height) + data[26:]
    if data.startswith(b"GIF"):
        return data[:6] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + data[10:]
    if data.startswith(b"P6"):
        return re.sub(rb"\d+ \d+", b"%d %d" % (width, height), data, count=1)
    frame = re.search(rb"\xff[\xc0\xc2]\x00.\x08", data, re.DOTALL)
    if frame:
        return data[: frame.end()] + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + data[frame.end() + 4 :]
    return data.replace(struct.pack("<H", 40), struct.pack("<H", width & 0xFFFF), 1)


def _bomb(side: int, bits: int) -> bytes:
    """Return a PNG of one colour, a few bytes for a great many pixels."""
    row = bytes(1 + side * bits // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, 0, 0, 0, 0)), (b"IDAT", pixels), (b"IEND", b"")]
    parts = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _files(data: bytes) -> Files:
    return {_PICTURE: data, _LABELS: f"{_PICTURE}\tx\n".encode()}


def _inputs() -> st.SearchStrategy[Files]:
    bombs = st.builds(_bomb, st.sampled_from([20_000, 30_000]), st.sampled_from([1, 1, 8]))
    rarely = st.integers(0, 199).flatmap(lambda number: bombs if number == 0 else damaged(_originals()))
    content = st.one_of(st.sampled_from(_originals()), damaged(_originals()), _lying(), rarely)
    return content.map(_files)


def _read(folder: Path) -> None:
    """Check a picture and read it: what the check accepts must be read, in the size that the check sees."""
    path = folder / _PICTURE
    problems = check([folder / _LABELS], folder, "recognition").problems
    if problems:
        raise PpedgeError(f"{problems[0]}.")
    try:
        height, width = Pictures(limit=0).read(path).shape[:2]
    except PpedgeError as error:
        raise WrongResultError(f"`data check` finds nothing wrong, and it cannot be read: {error}") from error
    seen = line_size(RecSample(path, "x", "x"))
    with Image.open(path) as picture:
        size = picture.size
    if (width, height) not in (size, size[::-1]) or sorted(seen) != sorted(size):
        raise WrongResultError(f"{width}x{height} pixels are read, {size} and {seen} are seen")


TARGETS = [Target("file", lambda: _files(_originals()[0]), _inputs, _read)]
