"""Pictures of results: the boxes in the picture, the texts beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ppedge.ocr.alone import Outline
from ppedge.ocr.pipeline import Line

LATIN_FONT = "NotoSans-Regular.ttf"
PLATE_FONT = "NotoSansCJKsc-Bold.otf"
"""For printable ASCII; for Chinese plates, and every text that is not all ASCII (what it lacks stays blank)."""

_RED, _BLUE = (40, 40, 220), (200, 90, 20)  # BGR for OpenCV
_BLACK, _GREY, _WHITE = (0, 0, 0), (200, 200, 200), (255, 255, 255)  # the same in RGB
_FAINT = (120, 120, 120)
_LINE, _LETTERS, _MARGIN = 48, 20, 110  # pixels: a crop's height, letters under it, room for the reader's name
_QUALITY = 85  # of JPEG
_SMALLEST = 6  # pixels: a smaller font cannot be read anyway


def draw_lines(image: np.ndarray, lines: Sequence[Line | Outline]) -> np.ndarray:
    """Draw the quads of lines into a copy of a picture, and their texts on a white page of the same size to its right.

    Args:
        image: (H, W, 3), uint8, BGR.
        lines: What was found in it, and read.

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
        font = _fitting_font(line.text, right - left, bottom - top)
        pen.text((left, (top + bottom) / 2), line.text, fill=_BLACK, font=font, anchor="lm")
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
    fonts = [(name, text, _font(LATIN_FONT if text.isascii() else PLATE_FONT, _LETTERS)) for name, text in readings]
    text_width = max((_MARGIN + font.getlength(text) for _, text, font in fonts), default=0.0)
    page = np.full(
        (_LINE + 2 * _LETTERS * len(fonts), max(line.shape[1], round(text_width) + _LETTERS), 3), 255, np.uint8
    )
    page[:_LINE, : line.shape[1]] = line
    written = Image.fromarray(page)
    pen = ImageDraw.Draw(written)
    for k, (name, text, font) in enumerate(fonts):
        y = _LINE + 2 * _LETTERS * k + _LETTERS
        pen.text((_LETTERS // 2, y), name, fill=_FAINT, font=_font(LATIN_FONT, _LETTERS * 3 // 4), anchor="lm")
        pen.text((_MARGIN, y), text, fill=_BLACK, font=font, anchor="lm")
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


def _fitting_font(text: str, width: float, height: float) -> ImageFont.FreeTypeFont:
    """Return the largest font in which a text fits into a box of this many pixels."""
    size = max(int(height * 0.8), _SMALLEST)
    name = LATIN_FONT if text.isascii() else PLATE_FONT
    length = _font(name, size).getlength(text)
    return _font(name, max(int(size * min(1.0, width / length)), _SMALLEST)) if length > 0 else _font(name, size)


@lru_cache(maxsize=128)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    with resources.as_file(resources.files("ppedge") / "data" / "fonts" / name) as path:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
