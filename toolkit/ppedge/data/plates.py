"""Drawing Chinese licence plates: pure functions of their arguments and the generator's state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.data.augment.color import add_noise
from ppedge.data.render import Mask, Matrix, Picture, lay, load_font, paint, perspective, text_mask, texture, wear
from ppedge.recipe.data import PlateLayout

PLATE_FONT = "NotoSansCJKsc-Bold.otf"
"""Font with the characters of Chinese licence plates."""

Layout = PlateLayout
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
Condition = Literal["worn", "tilted", "blurred", "night"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)

_MM = 0.5  # pixels a millimetre of a drawn plate: as large as it is ever seen
_BLACK, _WHITE = (20, 20, 20), (245, 245, 245)  # BGR, as all colours here
_BLUE, _YELLOW, _GREEN, _PALE = (165, 70, 15), (25, 175, 240), (110, 200, 70), (235, 245, 235)


class _Row(NamedTuple):
    """A row of characters, in millimetres."""

    cells: tuple[tuple[float, int], ...]  # left edge and width of each character
    top: float
    height: int
    box: tuple[float, float, float, float] | None  # left, top, right, bottom of its text line; None for all the plate


class _Form(NamedTuple):
    """Measures in millimetres, after the standard for Chinese plates (GA 36)."""

    width: int
    height: int
    rows: tuple[_Row, ...]
    dot: tuple[float, float, int] | None  # centre of the dot after the second character, and its radius in pixels
    ink: tuple[int, int, int]


def _one_row(*cells: tuple[float, int]) -> tuple[_Row, ...]:
    return (_Row(cells, 25, 90, None),)


_SEVEN = _one_row(*((15.5 + 57 * i + (22 if i > 1 else 0), 45) for i in range(7)))
_EIGHT = _one_row((15.5, 45), (69.5, 43), *((161.5 + 52 * i, 43) for i in range(6)))
_TWO_ROWS = (
    _Row(((110, 80), (250, 80)), 15, 60, (96, 6, 344, 82)),
    _Row(tuple((27.5 + 80 * i, 65) for i in range(5)), 90, 110, (13, 82, 427, 212)),
)
_FORMS: dict[Layout, _Form] = {
    "blue": _Form(440, 140, _SEVEN, (134.5, 70, 2), _WHITE),
    "green": _Form(480, 140, _EIGHT, None, _BLACK),
    "yellow": _Form(440, 140, _SEVEN, (134.5, 70, 2), _BLACK),
    "large_green": _Form(480, 140, _EIGHT, None, _BLACK),
    "double": _Form(440, 220, _TWO_ROWS, (220, 45, 3), _BLACK),
}


class PlateStyle(NamedTuple):
    """Which plates are drawn, and how hard they are to read; the keys of a recipe's ``data.synth``."""

    layouts: Sequence[Layout] = ("blue", "green")
    hard: float = 0.0


USUAL = PlateStyle()


class PlateLine(NamedTuple):
    """A line of text on a drawn plate, and its place there: (4, 2), float32, pixels, clockwise from top-left."""

    text: str
    quad: npt.NDArray[np.float32]


class Plate(NamedTuple):
    """A clean plate, (h, w, 3), uint8, BGR, and its lines: one, which is all of it, or of a double row two."""

    image: Picture
    lines: list[PlateLine]


@lru_cache(maxsize=512)
def _glyph(character: str, width: int, height: int) -> Mask:
    """A character stretched to a plate's cell of that size in millimetres."""
    font = load_font(PLATE_FONT, 96)
    # A figure one or a letter I fills its cell upwards, but not sideways.
    narrow = 0.45 if character in "1I" else 1.0
    size = (round(width * narrow * _MM), round(height * _MM))
    glyph = cv2.resize(text_mask(character, font), size, interpolation=cv2.INTER_AREA)
    side = round(width * _MM) - glyph.shape[1]
    return cv2.copyMakeBorder(glyph, 0, 0, side // 2, side - side // 2, cv2.BORDER_CONSTANT, value=0)


@lru_cache(maxsize=len(LAYOUTS))
def _blank(layout: Layout) -> tuple[Picture, Mask]:
    """A plate without characters: its ground, and the ink of frame and dot."""
    form = _FORMS[layout]
    size = (round(form.height * _MM), round(form.width * _MM))
    mask = np.zeros(size, np.float32)
    cv2.rectangle(mask, (2, 2), (size[1] - 3, size[0] - 3), 1.0, 1)
    if form.dot is not None:
        x, y, radius = form.dot
        cv2.circle(mask, (round(x * _MM), round(y * _MM)), radius, 1.0, cv2.FILLED)
    ground = np.empty((*size, 3), np.uint8)
    if layout == "green":
        fall = np.clip(np.linspace(-0.3, 1.0, size[0]), 0, 1)[:, None, None]
        ground[:] = np.array(_PALE) * (1 - fall) + np.array(_GREEN) * fall
    elif layout == "large_green":
        ground[:] = _GREEN
        ground[:, : round(135 * _MM)] = _YELLOW
    else:
        ground[:] = _BLUE if layout == "blue" else _YELLOW
    return ground, mask


def draw_plate(text: str, layout: Layout) -> Plate:
    """Draw a clean plate, half a pixel a millimetre.

    Args:
        text: As many characters as the layout has: eight of ``green`` and ``large_green``, else seven.
        layout: ``blue`` and ``yellow`` have one row of 440 x 140 mm, ``green`` and ``large_green`` (new energy) of
            480 x 140 mm; ``double`` has two rows, of two and five characters, on 440 x 220 mm.
    """
    form = _FORMS[layout]
    ground, blank = _blank(layout)
    mask = blank.copy()
    lines, rest = [], text
    for row in form.rows:
        written, rest = rest[: len(row.cells)], rest[len(row.cells) :]
        y = round(row.top * _MM)
        for character, (left, width) in zip(written, row.cells, strict=True):
            glyph = _glyph(character, width, row.height)
            x = round(left * _MM)
            mask[y : y + glyph.shape[0], x : x + glyph.shape[1]] = glyph
        left, top, right, bottom = np.array(row.box or (0, 0, form.width, form.height)) * _MM
        quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        lines.append(PlateLine(written, quad))
    return Plate(paint(ground, mask, form.ink), lines)


def soil(image: Picture, rng: np.random.Generator) -> Picture:
    """Put light, shadow and dirt on a plate."""
    height, width = image.shape[:2]
    if rng.random() < 0.4:
        patches = cv2.resize(rng.random((5, 12), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        image = paint(image, np.clip((patches - 0.6) * 1.5, 0, 0.5), rng.uniform(40, 130, 3))
    left, right = rng.uniform(0.6, 1.3, 2).tolist()
    light = np.linspace(left, right, width, dtype=np.float32)[None, :, None]
    light = light * np.float32(np.exp(rng.uniform(-0.8, 0.3)))
    tint = rng.uniform(0.85, 1.15, 3).astype(np.float32)
    return np.clip(image * (light * tint) + np.float32(rng.uniform(0, 35)), 0, 255).astype(np.uint8)


def abrade(image: Picture, rng: np.random.Generator) -> Picture:
    """Wear a plate off: paint that has faded in patches, scratches, and mud that has dried on it."""
    height, width = image.shape[:2]
    patches = cv2.resize(rng.random((6, 14), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    faded = cv2.GaussianBlur(image, (0, 0), height / 8)
    image = paint(image, np.clip((patches - 0.45) * 2, 0, rng.uniform(0.4, 0.8)).astype(np.float32), faded)
    for _ in range(int(rng.integers(1, 6))):
        ends = (rng.random((2, 2)) * (width, height)).astype(int).tolist()
        cv2.line(image, ends[0], ends[1], rng.uniform(60, 220, 3).tolist(), 1, cv2.LINE_AA)
    mud = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        centre = (int(rng.random() * width), int(height * rng.uniform(0.7, 1.1)))
        axes = (rng.uniform(0.05, 0.3, 2) * height).astype(int).tolist()
        cv2.ellipse(mud, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0.4, 0.8), cv2.FILLED)
    return paint(image, cv2.GaussianBlur(mud, (0, 0), 1.5), rng.uniform((30, 50, 60), (90, 120, 140)))


def smear(image: Picture, rng: np.random.Generator, longest: float) -> Picture:
    """Move a picture while the shutter is open: along a line of half to all of ``longest`` pixels, at any angle."""
    length = max(2.0, rng.uniform(0.5, 1.0) * longest)
    half = math.ceil(length / 2)
    step = length / 2 * np.array([math.cos(angle := rng.uniform(0, math.pi)), math.sin(angle)])
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    low, high = (half - step).round().astype(int).tolist(), (half + step).round().astype(int).tolist()
    cv2.line(kernel, low, high, 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def darken(image: Picture, rng: np.random.Generator) -> Picture:
    """Make it night: little light, of a lamp's colour, sometimes a headlight's glare, and a sensor's noise."""
    height, width = image.shape[:2]
    brightest = max(float(np.percentile(image, 98)), 1.0)  # what was dark already does not vanish
    lamp = min(1.0, rng.uniform(50, 130) / brightest) * rng.uniform((0.6, 0.8, 0.95), (1.1, 1.05, 1.15))
    dark = image * lamp
    if rng.random() < 0.5:
        x, y = rng.random(2) * (width, height)
        reach = rng.uniform(0.3, 1.2) * height
        far = ((np.arange(width) - x)[None] ** 2 + (np.arange(height) - y)[:, None] ** 2) / reach**2
        dark = dark + (np.exp(-far) * rng.uniform(30, 120))[..., None]
    return add_noise(np.clip(dark, 0, 255).astype(np.uint8), rng, 12.0)


def photograph(image: Picture, condition: Condition | None, longest: float, rng: np.random.Generator) -> Picture:
    """Take a picture under a condition that is the photograph's and not the plate's; others leave it as it is."""
    if condition == "blurred":
        return smear(image, rng, longest)
    return darken(image, rng) if condition == "night" else image


def drawn_condition(hard: float, rng: np.random.Generator) -> Condition | None:
    """Return None, or with the probability ``hard`` one of `CONDITIONS`; with 0 nothing is drawn from the generator."""
    if not hard or rng.random() >= hard:
        return None
    return CONDITIONS[int(rng.integers(len(CONDITIONS)))]


def moved(lines: Sequence[PlateLine], matrix: Matrix) -> list[PlateLine]:
    """Return lines where a perspective map (3, 3) puts them."""
    return [PlateLine(text, cv2.perspectiveTransform(quad[None], matrix)[0]) for text, quad in lines]


def render_plate(plate: Plate, line: int, rng: np.random.Generator, condition: Condition | None = None) -> Picture:
    """Draw a line of a plate as a detector would cut it out, 20 to 64 pixels high: lit, dirty, out of square, blurred.

    Args:
        plate: The clean plate.
        line: Which of its lines; around one of two rows, parts of the other are seen.
        rng: Source of the choices.
        condition: What makes it hard to read beyond that.

    Returns:
        (h, w, 3), uint8, BGR.
    """
    image = soil(plate.image, rng)
    if condition == "worn":
        image = abrade(image, rng)
    strength, turn = (0.25, 12.0) if condition == "tilted" else (0.12, 4.0)
    matrix, quad = perspective(image.shape[:2], rng, strength, turn)
    if len(plate.lines) > 1:
        quad = moved(plate.lines, matrix)[line].quad
    low = quad.min(axis=0)
    margin = rng.uniform(0, 6, 4)
    frame = quad.max(axis=0) - low + margin[:2] + margin[2:]
    height = int(rng.integers(20, 65))
    zoom = height / float(frame[1])
    width = max(1, round(float(frame[0]) * zoom))
    crop = texture(height, width, rng.uniform(10, 160, 3), rng)
    if zoom < 1:  # bilinear sampling alone would skip pixels
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / zoom)
    x, y = margin[:2] - low
    lay(crop, image, np.diag([zoom, zoom, 1.0]) @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) @ matrix)
    if rng.random() < 0.25:  # moved while the shutter was open
        crop = cv2.blur(crop, (1 + max(1, height // 16), 1))
    return wear(photograph(crop, condition, height / 7, rng), rng, 0.03)
