"""Drawing lines of text, and what all drawing shares: pure functions of their arguments and the generator's state."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import resources

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
