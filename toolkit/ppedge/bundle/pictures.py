"""The pictures that golden cases are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ppedge.data.formats import read_all
from ppedge.data.scenes import render_scene
from ppedge.errors import PpedgeError
from ppedge.ocr.geometry import reading_order
from ppedge.ocr.image_file import read_image
from ppedge.recipe.road import Recipe

COUNT = 5
MAX_SIDE = 1280
"""A larger picture is scaled down to this many pixels of the longer side, so that the bundle stays small."""

MAX_LINES = 16
_MAX_LINES_X_CLASSES = 20_000  # of one picture: the recogniser's outputs then stay below some 10 MB
_WARM = (0.9, 0.95, 1.0)  # of blue, green and red
_TRIES = 4  # pictures looked at for one that has a line of text


Find = Callable[[np.ndarray], list[np.ndarray]]
"""From a picture (H, W, 3) to the quads (4, 2) of its lines."""


class Picture(NamedTuple):
    """A golden picture.

    Attributes:
        image: (H, W, 3), uint8, BGR.
        source: Where it comes from: ``given``, ``evaluation`` or ``synthetic``.
        name: For messages.
    """

    image: np.ndarray
    source: str
    name: str


def golden_pictures(
    recipe: Recipe, given: Sequence[Path], find: Find, most: int, say: Callable[[str], None], count: int = COUNT
) -> Iterator[Picture]:
    """Yield the pictures, each no larger than `MAX_SIDE` and in colours.

    A picture with many lines is cut off below the first of them, unless it is given.

    Args:
        recipe: The detector's.
        given: Files; without any, evaluation pictures of the recipe, evenly spread, or drawn ones where those are gone.
        find: Gives the quads of the lines that the detector finds; unless they are given, only pictures that have some
            are taken.
        most: Lines to keep of a picture.
        say: Told when pictures have to be drawn, and at the end how many were left out because nothing was found.
        count: Of the pictures, where none are given.

    Raises:
        PpedgeError: A given file cannot be read.
    """
    if given:
        yield from (Picture(_ready(path), "given", str(path)) for path in given)
        return
    files = _evaluation_files(recipe)
    if not files:
        say("the recipe's evaluation pictures are not here: the golden pictures are drawn")
    looked, without = 0, 0
    for number in range(count):
        if files:
            # Its own stretch of the files, so that the pictures are spread whichever of them has text.
            stretch = files[len(files) * number // count : len(files) * (number + 1) // count]
            looked_at: Iterable[Picture] = filter(None, map(_read, _spread(stretch)))
        else:
            looked_at = (_drawn(recipe, number, attempt) for attempt in range(_TRIES))
        for picture in looked_at:
            looked += 1
            quads = find(picture.image)
            image = cut_off(picture.image, quads, most)
            # Of a part of a picture the detector may think otherwise.
            if quads and (image is picture.image or find(image)):
                yield picture._replace(image=image)
                break
            without += 1
    if without:
        say(
            f"golden pictures: {without} of the {looked} that were looked at are left out, since the detector finds no "
            "text in them"
        )


def most_lines(classes: int) -> int:
    """Return how many lines of a picture to keep, whose every step is as many probabilities as there are classes."""
    return min(max(_MAX_LINES_X_CLASSES // classes, 1), MAX_LINES)


def cut_off(image: np.ndarray, quads: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Return a picture (H, W, 3) down to the end of the ``most``-th of its lines' quads (4, 2) in reading order."""
    if len(quads) <= most:
        return image
    kept = [quads[i] for i in reading_order(quads)[:most]]
    margin = max(float(np.ptp(quad[:, 1])) for quad in kept) / 4
    return image[: math.ceil(max(quad[:, 1].max() for quad in kept) + margin)]


def bounded(image: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3), scaled down if its longer side exceeds `MAX_SIDE`."""
    height, width = image.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def coloured(image: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3), BGR, as under warm light if it is all grey, so that exchanged channels show in it."""
    if (image != image[..., :1]).any():
        return image
    return np.rint(image * _WARM).astype(np.uint8)


def _ready(path: Path) -> np.ndarray:
    return coloured(bounded(read_image(path)))


def _evaluation_files(recipe: Recipe) -> list[Path]:
    """Return the evaluation pictures that are there; none if the labels are not, or are damaged."""
    if not recipe.data.eval or not all((recipe.data.root / file).is_file() for file in recipe.data.eval):
        return []
    samples = read_all(recipe.data.eval, recipe.data.root, recipe.labels).samples
    return [path for path in dict.fromkeys(sample.image for sample in samples) if path.is_file()]


def _spread(files: list[Path]) -> list[Path]:
    """Return at most `_TRIES` files, evenly spread."""
    count = min(len(files), _TRIES)
    return [files[len(files) * k // count] for k in range(count)]


def _read(path: Path) -> Picture | None:
    try:
        return Picture(_ready(path), "evaluation", str(path))
    except PpedgeError:
        return None  # others will do


def _drawn(recipe: Recipe, number: int, attempt: int) -> Picture:
    content = recipe.data.synth.content if recipe.data.synth else "words"
    drawn = render_scene(content, np.random.default_rng((recipe.seed, number, attempt))).image
    return Picture(drawn, "synthetic", f"drawn picture {number + 1}")
