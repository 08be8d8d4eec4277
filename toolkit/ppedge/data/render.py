"""Drawing lines of text and licence plates: pure functions of their arguments and the generator's state."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ppedge.data.augment.color import add_noise, blur, jitter_color

Picture = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]
Color = npt.NDArray[np.float64]
Mask = npt.NDArray[np.float32]

LATIN_FONTS = (
    "NotoSans-Regular.ttf", "NotoSans-Bold.ttf", "NotoSans-Italic.ttf", "NotoSans-CondensedMedium.ttf",
    "NotoSerif-Regular.ttf", "NotoSerif-Bold.ttf", "NotoSerif-Italic.ttf", "NotoSansMono-Regular.ttf",
    "NotoSansMono-Bold.ttf",
)  # fmt: skip
"""Fonts with the printable ASCII characters."""
PLATE_FONT = "NotoSansCJKsc-Bold.otf"
"""Font with the characters of Chinese licence plates."""

_MM = 0.5  # pixels a millimetre of a drawn plate: as large as it is ever seen
PLATE_HEIGHT = round(140 * _MM)


class _PlateForm(NamedTuple):
    """Measures in millimetres, after the standard for Chinese plates."""

    width: int
    cells: tuple[tuple[float, int], ...]  # left edge and width of each character
    dot: float | None  # centre of the dot after the second character


_BLUE = _PlateForm(440, tuple((15.5 + 57 * i + (22 if i > 1 else 0), 45) for i in range(7)), 134.5)
_GREEN = _PlateForm(480, ((15.5, 45), (69.5, 43), *((161.5 + 52 * i, 43) for i in range(6))), None)


@lru_cache(maxsize=256)
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return one of the package's fonts at a size in pixels.

    The simple layout engine is asked for, so that pictures do not depend on which others Pillow was built with.
    """
    with resources.as_file(resources.files("ppedge.data") / "fonts" / name) as path:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def text_mask(text: str, font: ImageFont.FreeTypeFont, margin: int = 0) -> Mask:
    """Draw a text's ink.

    Args:
        text: One line with at least one visible character.
        font: Any Pillow font.
        margin: Pixels left free on every side of the ink.

    Returns:
        (h, w) in [0, 1], cut to the ink and the margin.
    """
    size = math.ceil(font.size)
    canvas = Image.new("L", (math.ceil(font.getlength(text)) + 2 * size, 3 * size))
    ImageDraw.Draw(canvas).text((size, size), text, fill=255, font=font)
    left, top, right, bottom = canvas.getbbox() or (0, 0, 1, 1)
    ink = np.asarray(canvas.crop((left - margin, top - margin, right + margin, bottom + margin)), np.float32)
    return ink / 255


def texture(height: int, width: int, color: npt.ArrayLike, rng: np.random.Generator, strength: float = 18.0) -> Picture:
    """Return a background (height, width, 3): a colour with soft patches, a gradient and some grain.

    Args:
        height: In pixels.
        width: In pixels.
        color: BGR.
        rng: Source of the pattern.
        strength: Size of the patches' and the gradient's changes, in grey levels.
    """
    coarse = rng.standard_normal((int(rng.integers(2, 6)), int(rng.integers(2, 10)), 1), np.float32)
    coarse *= np.float32(strength * rng.uniform(0.2, 1.0))
    patches = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    slope = rng.uniform(-strength, strength, 2)
    patches += np.linspace(-slope[0], slope[0], width, dtype=np.float32)
    patches += np.linspace(-slope[1], slope[1], height, dtype=np.float32)[:, None]
    patches += rng.standard_normal((height, width), np.float32) * np.float32(rng.uniform(0, 5))
    return np.clip(patches[..., None] + np.asarray(color, np.float32), 0, 255).astype(np.uint8)


def two_colors(rng: np.random.Generator, contrast: float = 70.0) -> tuple[Color, Color]:
    """Return the colours (BGR) of a background and of ink on it, whose means differ by at least ``contrast``."""
    while True:
        paper, ink = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
        if rng.random() < 0.5:  # dark on light and greyish, as print is
            paper = np.clip(rng.uniform(120, 255) + rng.uniform(-20, 20, 3), 0, 255)
            ink = np.clip(rng.uniform(0, 110) + rng.uniform(-20, 20, 3), 0, 255)
        if abs(float(paper.mean() - ink.mean())) >= contrast:
            return paper, ink


def paint(image: Picture, mask: Mask, color: npt.ArrayLike) -> Picture:
    """Lay a colour (BGR, or a picture of colours) over a picture where the mask (h, w) says so."""
    weight = mask[..., None]
    return (image + (np.asarray(color, np.float32) - image) * weight).astype(np.uint8)


def perspective(
    size: tuple[int, ...], rng: np.random.Generator, strength: float, turn: float = 0.0
) -> tuple[Matrix, npt.NDArray[np.float32]]:
    """Return a random perspective map (3, 3) of a rectangle, and the quad (4, 2) that it becomes.

    Args:
        size: Height and width of the rectangle.
        rng: Source of the choices.
        strength: Largest move of a corner, as a share of the height.
        turn: Largest turn, in degrees.
    """
    height, width = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle = math.radians(rng.uniform(-turn, turn))
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    quad = corners @ rotation.T + rng.uniform(-strength, strength, (4, 2)) * height
    quad = (quad - quad.min(axis=0)).astype(np.float32)
    return cv2.getPerspectiveTransform(corners, quad), quad


def wear(image: Picture, rng: np.random.Generator, blurred: float = 0.04) -> Picture:
    """Make a picture look photographed: light, blur, noise, each sometimes and to a random degree.

    Args:
        image: The picture.
        rng: Source of the choices.
        blurred: Largest standard deviation of the blur, as a share of the height.
    """
    chosen = rng.random(3)
    if chosen[0] < 0.5:
        image = jitter_color(image, rng, 0.25)
    if chosen[1] < 0.4:
        image = blur(image, rng, blurred)
    if chosen[2] < 0.4:
        image = add_noise(image, rng, 10.0)
    return image


def render_word(text: str, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> Picture:
    """Draw a line of text as a crop: on a textured background, a little out of square, worn.

    Returns:
        (h, w, 3), uint8, BGR; h is the ink's height and some margin.
    """
    mask = text_mask(text, font, margin=int(rng.integers(1, max(3, int(font.size) // 4))))
    height, width = mask.shape
    if rng.random() < 0.5:
        matrix, _ = perspective((height, width), rng, 0.08)
        mask = cv2.warpPerspective(mask, matrix, (width, height), flags=cv2.INTER_LINEAR)
    paper, ink = two_colors(rng)
    return wear(paint(texture(height, width, paper, rng), mask, ink), rng)


def lay(image: Picture, sticker: Picture, matrix: Matrix, alpha: Mask | None = None) -> None:
    """Lay a picture onto another, in place, through a perspective map.

    Args:
        image: The lower picture (H, W, 3); changed.
        sticker: The upper one (h, w, 3).
        matrix: (3, 3), from the sticker's pixels to the image's.
        alpha: (h, w) in [0, 1]: how much the sticker hides; all of it by default.
    """
    height, width = sticker.shape[:2]
    if alpha is None:
        alpha = np.ones((height, width), np.float32)
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    quad = cv2.perspectiveTransform(corners, matrix)[0]
    x0, y0 = np.maximum(np.floor(quad.min(axis=0)).astype(int), 0).tolist()
    x1, y1 = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + 1, image.shape[1::-1]).tolist()
    if x0 >= x1 or y0 >= y1:
        return
    moved = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]]) @ matrix
    size = (x1 - x0, y1 - y0)
    upper = cv2.warpPerspective(sticker, moved, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpPerspective(alpha, moved, size, flags=cv2.INTER_LINEAR)
    image[y0:y1, x0:x1] = paint(image[y0:y1, x0:x1], weight, upper)


@lru_cache(maxsize=512)
def _plate_glyph(character: str, width: int) -> Mask:
    """A character stretched to a plate's cell of that width in millimetres."""
    font = load_font(PLATE_FONT, 96)
    # A figure one or a letter I fills its cell upwards, but not sideways.
    narrow = 0.45 if character in "1I" else 1.0
    size = (round(width * narrow * _MM), round(90 * _MM))
    glyph = cv2.resize(text_mask(character, font), size, interpolation=cv2.INTER_AREA)
    side = round(width * _MM) - glyph.shape[1]
    return cv2.copyMakeBorder(glyph, 0, 0, side // 2, side - side // 2, cv2.BORDER_CONSTANT, value=0)


@lru_cache(maxsize=2)
def _plate_blank(form: _PlateForm) -> tuple[Picture, Mask]:
    """A plate without characters: its ground, and the ink of frame and dot."""
    size = (PLATE_HEIGHT, round(form.width * _MM))
    mask = np.zeros(size, np.float32)
    cv2.rectangle(mask, (2, 2), (size[1] - 3, size[0] - 3), 1.0, 1)
    ground = np.empty((*size, 3), np.uint8)
    if form.dot is None:
        fall = np.clip(np.linspace(-0.3, 1.0, PLATE_HEIGHT), 0, 1)[:, None, None]
        ground[:] = np.array((235, 245, 235)) * (1 - fall) + np.array((110, 200, 70)) * fall
    else:
        cv2.circle(mask, (round(form.dot * _MM), PLATE_HEIGHT // 2), 2, 1.0, cv2.FILLED)
        ground[:] = (165, 70, 15)
    return ground, mask


def draw_plate(text: str) -> Picture:
    """Draw a clean plate, half a pixel a millimetre: white on blue for seven characters, black on green for eight.

    Returns:
        (70, 220, 3) or (70, 240, 3), uint8, BGR.
    """
    form, ink = (_BLUE, (245, 245, 245)) if len(text) == len(_BLUE.cells) else (_GREEN, (20, 20, 20))
    ground, blank = _plate_blank(form)
    mask = blank.copy()
    for character, (left, width) in zip(text, form.cells, strict=True):
        glyph = _plate_glyph(character, width)
        x, y = round(left * _MM), round(25 * _MM)
        mask[y : y + glyph.shape[0], x : x + glyph.shape[1]] = glyph
    return paint(ground, mask, ink)


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


def render_plate(text: str, rng: np.random.Generator) -> Picture:
    """Draw a plate as a detector would cut it out: lit, dirty, out of square, blurred, 20 to 64 pixels high.

    Returns:
        (h, w, 3), uint8, BGR.
    """
    plate = soil(draw_plate(text), rng)
    matrix, quad = perspective(plate.shape[:2], rng, 0.12, turn=4.0)
    margin = rng.uniform(0, 6, 4)
    frame = quad.max(axis=0) + margin[:2] + margin[2:]
    height = int(rng.integers(20, 65))
    zoom = height / float(frame[1])
    width = max(1, round(float(frame[0]) * zoom))
    crop = texture(height, width, rng.uniform(10, 160, 3), rng)
    if zoom < 1:  # bilinear sampling alone would skip pixels
        plate = cv2.GaussianBlur(plate, (0, 0), 0.4 / zoom)
    lay(crop, plate, np.diag([zoom, zoom, 1.0]) @ np.array([[1, 0, margin[0]], [0, 1, margin[1]], [0, 0, 1]]) @ matrix)
    if rng.random() < 0.25:  # moved while the shutter was open
        crop = cv2.blur(crop, (1 + max(1, height // 16), 1))
    return wear(crop, rng, 0.03)
