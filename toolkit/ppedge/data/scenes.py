"""Drawing whole pictures with text in them, and where the text is: training data for a detector."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ImageFont

from ppedge.data.plates import USUAL, PlateStyle, abrade, draw_plate, drawn_condition, moved, photograph, soil
from ppedge.data.render import (
    LATIN_FONTS,
    Color,
    Mask,
    Matrix,
    Picture,
    lay,
    load_font,
    perspective,
    text_mask,
    texture,
    two_colors,
    wear,
)
from ppedge.data.texts import line_text, plate_text

Content = Literal["plates", "words"]
Quad = npt.NDArray[np.float32]

_GAP = 4.0  # pixels free between any two texts
_BLUR = 0.002  # of the picture's height, about a twentieth of a line's


class Scene(NamedTuple):
    """A picture, the quads (4, 2) of its texts, clockwise from their own top-left corner, and what they say."""

    image: Picture
    quads: list[Quad]
    texts: list[str]


def render_scene(content: Content, rng: np.random.Generator, style: PlateStyle = USUAL) -> Scene:
    """Draw a picture with one to three plates, or with lines of text: on a page, or scattered over a street."""
    if content == "plates":
        return _plates(rng, style)
    return _page(rng) if rng.random() < 0.5 else _signs(rng)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    height, width = rng.integers(400, 721, 2).tolist()
    return height, width


def _street_color(rng: np.random.Generator) -> Color:
    """Mostly a shade of grey, as streets are."""
    if rng.random() < 0.3:
        return rng.uniform(0, 255, 3)
    return np.clip(rng.uniform(20, 240) + rng.normal(0, 15, 3), 0, 255)


def _street(height: int, width: int, rng: np.random.Generator) -> Picture:
    """A background with sky-like patches, boxes and lines, nothing of which is text."""
    image = texture(height, width, _street_color(rng), rng, strength=50.0)
    for _ in range(int(rng.integers(4, 14))):
        color = _street_color(rng).tolist()
        start = (rng.random(2) * (width, height)).astype(int).tolist()
        end = (rng.random(2) * (width, height)).astype(int).tolist()
        shape = rng.random()
        if shape < 0.5:
            cv2.rectangle(image, start, end, color, -1 if rng.random() < 0.6 else int(rng.integers(1, 5)), cv2.LINE_AA)
        elif shape < 0.8:
            cv2.line(image, start, end, color, int(rng.integers(1, 8)), cv2.LINE_AA)
        else:
            cv2.circle(image, start, int(rng.integers(5, 80)), color, -1 if rng.random() < 0.5 else 2, cv2.LINE_AA)
    return cv2.add(image, texture(height, width, (0, 0, 0), rng, strength=20.0))


def _place(
    image: Picture, quad: Quad, taken: list[npt.NDArray[np.float64]], rng: np.random.Generator
) -> tuple[float, float] | None:
    """Find room for a quad that starts at the origin and add its bounding box to ``taken``; None if there is none."""
    extent = quad.max(axis=0).astype(np.float64)
    room = np.array(image.shape[1::-1]) - extent - 2 * _GAP
    if (room <= 0).any():
        return None
    for _ in range(12):
        low = rng.random(2) * room + _GAP
        box = np.array([*low, *(low + extent)])
        if all((box[:2] > other[2:] + _GAP).any() or (box[2:] + _GAP < other[:2]).any() for other in taken):
            taken.append(box)
            return float(low[0]), float(low[1])
    return None


def _shifted(matrix: Matrix, x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) @ matrix


def _plates(rng: np.random.Generator, style: PlateStyle) -> Scene:
    scene = Scene(_street(*_size(rng), rng), [], [])
    taken: list[npt.NDArray[np.float64]] = []
    condition = drawn_condition(style.hard, rng)
    for _ in range(int(rng.integers(1, 4))):
        plate = draw_plate(*plate_text(rng, style.layouts))
        image = soil(plate.image, rng)
        if condition == "worn":
            image = abrade(image, rng)
        width = rng.uniform(0.18, 0.5) * scene.image.shape[1]
        zoom = width / image.shape[1]
        method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=method)
        strength, turn = (0.3, 25.0) if condition == "tilted" else (0.15, 12.0)
        matrix, quad = perspective(image.shape[:2], rng, strength, turn=turn)
        place = _place(scene.image, quad, taken, rng)
        if place is None:
            continue
        matrix = _shifted(matrix, *place)
        lay(scene.image, image, matrix)
        if len(plate.lines) == 1:
            scene.quads.append(quad + np.array(place, np.float32))
        else:
            scene.quads.extend(line.quad for line in moved(plate.lines, matrix @ np.diag([zoom, zoom, 1.0])))
        scene.texts.extend(line.text for line in plate.lines)
    if condition is not None:  # as cars carry: a detector of plates is to leave it
        for _ in range(int(rng.integers(1, 4))):
            _sign(scene._replace(quads=[], texts=[]), taken, rng)
    height = min(scene.image.shape[:2])
    return scene._replace(image=wear(photograph(scene.image, condition, height / 60, rng), rng, _BLUR))


def _write(scene: Scene, mask: Mask, matrix: Matrix, quad: Quad, text: str, color: Color) -> None:
    """Put a line's ink into the scene, and the line into its labels."""
    ink = np.empty((*mask.shape, 3), np.uint8)
    ink[:] = color.astype(np.uint8)
    lay(scene.image, ink, matrix, mask)
    scene.quads.append(quad)
    scene.texts.append(text)


def _signs(rng: np.random.Generator) -> Scene:
    """Lines of text, each with its own font, colour, size and slant, most of them on a board of their own."""
    scene = Scene(_street(*_size(rng), rng), [], [])
    taken: list[npt.NDArray[np.float64]] = []
    for _ in range(int(rng.integers(3, 11))):
        _sign(scene, taken, rng)
    return scene._replace(image=wear(scene.image, rng, _BLUR))


def _sign(scene: Scene, taken: list[npt.NDArray[np.float64]], rng: np.random.Generator) -> None:
    """Put a line of text on a board somewhere, unless there is no room."""
    text = line_text(rng, longest=24)
    font = load_font(LATIN_FONTS[rng.integers(len(LATIN_FONTS))], int(rng.integers(16, 57)))
    mask = text_mask(text, font, margin=max(2, int(font.size) // 8))
    matrix, quad = perspective(mask.shape, rng, 0.1, turn=15.0)
    place = _place(scene.image, quad, taken, rng)
    if place is None:
        return
    matrix, quad = _shifted(matrix, *place), quad + np.array(place, np.float32)
    paper, ink = two_colors(rng)
    lay(scene.image, texture(mask.shape[0], mask.shape[1], paper, rng), matrix)
    _write(scene, mask, matrix, quad, text, ink)


def _page(rng: np.random.Generator) -> Scene:
    """A receipt or form: rows of text on paper, one to three to a row, all turned by the same small angle."""
    height, width = _size(rng)
    paper, ink = two_colors(rng, contrast=90.0)
    scene = Scene(texture(height, width, paper, rng), [], [])
    angle = float(rng.uniform(-3, 3)) if rng.random() < 0.5 else 0.0
    turn = np.eye(3)
    turn[:2] = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.92)
    font_name, base = LATIN_FONTS[rng.integers(len(LATIN_FONTS))], int(rng.integers(13, 27))
    y = float(rng.uniform(8, 40))
    while y < height - 2 * base:
        columns = int(rng.integers(1, 4))
        size = base if rng.random() < 0.85 else round(base * 1.4)
        edges = np.linspace(8, width - 8, columns + 1)
        for left, right in pairwise(edges.tolist()):
            _cell(scene, load_font(font_name, size), (left, right - 2 * _GAP), y, turn, ink, rng)
        y += size * float(rng.uniform(1.45, 2.2))
    return scene._replace(image=wear(scene.image, rng, _BLUR))


def _cell(
    scene: Scene,
    font: ImageFont.FreeTypeFont,
    span: tuple[float, float],
    y: float,
    turn: Matrix,
    ink: Color,
    rng: np.random.Generator,
) -> None:
    """Write one text of a row somewhere between two columns, or nothing."""
    text = line_text(rng)
    mask = text_mask(text, font, margin=2)
    room = span[1] - span[0] - mask.shape[1]
    if room < 0 or rng.random() < 0.15:
        return
    matrix = turn @ np.array([[1, 0, span[0] + rng.random() * room], [0, 1, y], [0, 0, 1]])
    height, width = mask.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    _write(scene, mask, matrix, (corners @ matrix[:2, :2].T + matrix[:2, 2]).astype(np.float32), text, ink)
