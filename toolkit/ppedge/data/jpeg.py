"""Ordinary JPEG files, decoded by OpenCV: for a small picture Pillow takes several times as long.

Both use libjpeg and give the same pixels of a file that is whole. `ppedge.ocr.image_file.read_image` keeps Pillow all
the same, since OpenCV says nothing of a file that is not; this is for pictures that it has read before.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.ocr.geometry import MAX_SIDE

_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"
_SCAN, _APP_1 = 0xDA, 0xE1  # markers
_FRAMES = (0xC0, 0xC1, 0xC2)  # Huffman-coded: baseline, extended, progressive
_PASSED_OVER = (0xC4, 0xDB, 0xDD, 0xE0, 0xE2, 0xED, 0xFE)
"""Markers that do not change how pixels are read: tables, JFIF, colour profiles, captions, comments."""


def read_ordinary(path: Path) -> npt.NDArray[np.uint8] | None:
    """Return an ordinary JPEG's pixels as `read_image` does: (H, W, 3), uint8, BGR.

    That is a file that is grey or has three channels, without EXIF data, and not cut off. None for any other, and for
    one that cannot be read or decoded: what is wrong with it is `read_image`'s to say.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(len(_BEGIN))
            if begin != _BEGIN:
                return None
            data = begin + file.read()
        if not _is_ordinary(data):
            return None
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image: npt.NDArray[np.uint8] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        return image
    except (OSError, ValueError, MemoryError, cv2.error):  # ValueError: a NUL character in the path
        return None


def _is_ordinary(data: bytes) -> bool:
    """Whether a JPEG file is one that `read_ordinary` decodes.

    The bytes of the end cannot occur among those of pixels, so that a file that is cut off there does not end in them.
    """
    if not data.endswith(_END):
        return False
    framed, place = False, 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _SCAN:
            return framed
        if marker in _FRAMES:
            sides = [int.from_bytes(data[place + k : place + k + 2], "big") for k in (5, 7)]
            bits, channels = data[place + 4], data[place + 9]
            if framed or bits != 8 or channels not in (1, 3) or not 0 < min(sides) <= max(sides) <= MAX_SIDE:
                return False
            framed = True
        elif marker not in _PASSED_OVER and (marker != _APP_1 or data[place + 4 : place + 8] == b"Exif"):
            return False
        place += 2 + length
    return False
