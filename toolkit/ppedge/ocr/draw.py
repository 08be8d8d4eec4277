"""Pictures of results: the boxes in the picture, the texts beside it.

A character that no font has (`ppedge.ocr.fonts`) is drawn as an empty box: a blank would look as if nothing had been
read there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ppedge.ocr.alone import Outline
from ppedge.ocr.fonts import LATIN_FONT, PLATE_FONT, font, has_glyph
from ppedge.ocr.pipeline import Line

_RED, _BLUE = (40, 40, 220), (200, 90, 20)  # BGR for OpenCV
_BLACK, _GREY, _WHITE = (0, 0, 0), (200, 200, 200), (255, 255, 255)  # the same in RGB
_FAINT = (120, 120, 120)
_LINE, _LETTERS, _MARGIN = 48, 20, 110  # pixels: a crop's height, letters under it, room for the reader's name
_QUALITY = 85  # of JPEG
_SMALLEST = 6  # pixels: a smaller font cannot be read anyway
_BOX_WIDTH, _BOX_HEIGHT = 0.8, 0.7  # of the font's size: the box of a character that no font has, with its margins


def draw_lines(image: np.ndarray, lines: Sequence[Line | Outline], fonts: Sequence[str] = ()) -> np.ndarray:
    """Draw the quads of lines into a copy of a picture, and their texts on a white page of the same size to its right.

    Args:
        image: (H, W, 3), uint8, BGR.
        lines: What was found in it, and read.
        fonts: Paths of fonts for characters that those which ship lack.

    Returns:
        (H, 2 W, 3), uint8, BGR.
    """
    height, width = image.shape[:2]
    marked, page = image.copy(), np.full_like(image, 255)
    thickness = max(1, min(height, width) // 500)
    for line in lines:
        outline = [np.rint(line.quad).astype(np.int32)]
        cv2.polylines(marked, outline, True, _RED, thickness, cv2.LINE_AA)
        cv2.polylines(page, outline, True, _GREY, 1, cv2.LINE_AA)
    written = Image.fromarray(page)
    pen = ImageDraw.Draw(written)
    for line in lines:
        left, top = line.quad.min(axis=0)
        right, bottom = line.quad.max(axis=0)
        size = _fitting_size(line.text, right - left, bottom - top, fonts)
        _write(pen, (left, (top + bottom) / 2), line.text, size, fonts)
    return np.hstack([marked, np.asarray(written)])


def draw_boxes(
    image: np.ndarray, plain: Sequence[np.ndarray], marked: Sequence[np.ndarray], others: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """Draw quads into a copy of a picture, those that matter thick, with a white seam.

    Args:
        image: (H, W, 3), uint8, BGR.
        plain: Quads (4, 2), or polygons, in pixels; thin and grey.
        marked: Likewise; red.
        others: Likewise; blue.

    Returns:
        (H, W, 3), uint8, BGR.
    """
    drawn = image.copy()
    thin = max(1, min(image.shape[:2]) // 400)
    for quads, color, width in ((plain, _GREY, thin), (marked, _RED, 2 * thin), (others, _BLUE, 2 * thin)):
        outlines = [np.rint(quad).astype(np.int32) for quad in quads]
        if width > thin:  # a white seam, so that red is seen on red
            cv2.polylines(drawn, outlines, True, _WHITE, width + 2 * thin, cv2.LINE_AA)
        cv2.polylines(drawn, outlines, True, color, width, cv2.LINE_AA)
    return drawn


def draw_readings(crop: np.ndarray, readings: Sequence[tuple[str, str]]) -> np.ndarray:
    """Write under a text line's crop what was read in it.

    Args:
        crop: (h, w, 3), uint8, BGR; it is scaled to a height of 48 pixels.
        readings: Who read, and what.

    Returns:
        (H, W, 3), uint8, BGR.
    """
    height, width = crop.shape[:2]
    line = cv2.resize(crop, (max(1, round(width * _LINE / height)), _LINE), interpolation=cv2.INTER_AREA)
    text_width = max((_MARGIN + _length(text, _LETTERS) for _, text in readings), default=0.0)
    page = np.full(
        (_LINE + 2 * _LETTERS * len(readings), max(line.shape[1], round(text_width) + _LETTERS), 3), 255, np.uint8
    )
    page[:_LINE, : line.shape[1]] = line
    written = Image.fromarray(page)
    pen = ImageDraw.Draw(written)
    for k, (name, text) in enumerate(readings):
        y = _LINE + 2 * _LETTERS * k + _LETTERS
        pen.text((_LETTERS // 2, y), name, fill=_FAINT, font=font(LATIN_FONT, _LETTERS * 3 // 4), anchor="lm")
        _write(pen, (_MARGIN, y), text, _LETTERS)
    return np.asarray(written)


def jpeg(image: np.ndarray, longest: int, height: int | None = None) -> bytes:
    """Return a picture as a JPEG file, for a page.

    Args:
        image: (H, W, 3), uint8, BGR.
        longest: Of its sides, in pixels; larger ones are scaled down.
        height: In pixels, to which it is scaled first; None leaves it.
    """
    scale = height / image.shape[0] if height else 1.0
    scale = min(scale, longest / max(image.shape[:2]))
    if scale != 1:
        size = [max(1, round(side * scale)) for side in (image.shape[1], image.shape[0])]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())


def _fitting_size(text: str, width: float, height: float, fonts: Sequence[str] = ()) -> int:
    """Return the largest size of a font in which a text fits into a box of this many pixels."""
    size = max(int(height * 0.8), _SMALLEST)
    length = _length(text, size, fonts)
    return max(int(size * min(1.0, width / length)), _SMALLEST) if length > 0 else size


def _length(text: str, size: int, fonts: Sequence[str] = ()) -> float:
    """Return how many pixels wide a text is."""
    return sum(_width(name, part, size) for name, part in _parts(text, fonts))


def _width(name: str | None, part: str, size: int) -> float:
    return len(part) * _BOX_WIDTH * size if name is None else font(name, size).getlength(part)


def _write(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, fonts: Sequence[str] = ()) -> None:
    """Write a text to the right of a point that it is centred on in height."""
    x, y = at
    for name, part in _parts(text, fonts):
        if name is not None:
            pen.text((x, y), part, fill=_BLACK, font=font(name, size), anchor="lm")
        else:
            margin, half = (_BOX_WIDTH - _BOX_HEIGHT) * size / 2, _BOX_HEIGHT * size / 2
            for left in (x + k * _BOX_WIDTH * size for k in range(len(part))):
                pen.rectangle((left + margin, y - half, left + margin + 2 * half, y + half), outline=_BLACK)
        x += _width(name, part, size)


def _parts(text: str, fonts: Sequence[str]) -> list[tuple[str | None, str]]:
    """Take a text apart by the fonts that have its characters, as few as may be; None: no font has them."""
    if not text.isascii():
        for name in (PLATE_FONT, *fonts):
            if all(has_glyph(name, character) for character in text):
                return [(name, text)]
    return [(name, "".join(part)) for name, part in groupby(text, partial(_font_of, fonts))]


def _font_of(fonts: Sequence[str], character: str) -> str | None:
    return next((name for name in (LATIN_FONT, *fonts, PLATE_FONT) if has_glyph(name, character)), None)
