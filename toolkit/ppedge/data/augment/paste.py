"""Words of one picture pasted into another.

Source: Du et al., PP-OCRv2: Bag of Tricks for Ultra Lightweight OCR System, 2021 (CopyPaste); the numbers are those of
PaddleOCR 2.10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.data.augment.base import Augmentation, Picture, Scene
from ppedge.data.regions import Polygon, can_be_cut_out, quad_of
from ppedge.ocr.geometry import perspective
from ppedge.recipe.train import DetAugment

_SHARE, _MOST = 0.2, 30  # of the other picture's regions, and at most so many
_TRIES = 50  # places that are tried for one word
_SHIFT = 4  # binary places of the corners that a mask is filled between

Boxes = npt.NDArray[np.float64]


def paste_words(scene: Scene, settings: DetAugment, rng: np.random.Generator, draw_other: Callable[[], Scene]) -> Scene:
    """Paste some words of one other picture, each turned by any angle, where they touch no region.

    A word keeps its size in pixels and lies wholly inside the picture. One that is larger than the picture, or for
    which `_TRIES` places in a row are taken, is left out.

    Args:
        scene: The picture and its regions.
        settings: Not read.
        rng: Source of the choices.
        draw_other: Draws the picture that words are taken of: a fifth of its regions in number, at least one and at
            most `_MOST`, of those that can be read.

    Returns:
        The picture with the words, their regions and texts behind its own; as it came if none is pasted.
    """
    other = draw_other()
    readable = [index for index, ignored in enumerate(other.ignore) if not ignored]
    count = max(1, min(int(_SHARE * len(other.ignore)), _MOST))
    height, width = scene.image.shape[:2]
    taken = np.array([[*p.min(axis=0), *p.max(axis=0)] for p in scene.polygons], np.float64).reshape(-1, 4)
    image, polygons, texts = scene.image, list(scene.polygons), list(scene.texts)
    for index in rng.permutation(readable)[:count]:
        quad = quad_of(other.polygons[index])
        place = _free_place(_turned(quad, rng.uniform(0, 360)), (width, height), taken, rng)
        if place is None or not can_be_cut_out(quad):
            continue
        image = image.copy() if image is scene.image else image
        _paste(image, other.image, quad, place)
        taken = np.vstack([taken, [*place.min(axis=0), *place.max(axis=0)]])
        polygons.append(place)
        texts.append(other.texts[index])
    ignore = [*scene.ignore, *[False] * (len(polygons) - len(scene.polygons))]
    return Scene(image, polygons, ignore, texts, scene.zoom)


def _turned(quad: Polygon, angle: float) -> Polygon:
    """Return the corners (4, 2) of the upright word of a quad, turned by an angle in degrees; its box begins at 0."""
    top, right, bottom, left = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)
    width, height = max(top, bottom), max(left, right)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    corners = upright @ np.array([[cosine, sine], [-sine, cosine]])
    moved: Polygon = (corners - corners.min(axis=0)).astype(np.float32)
    return moved


def _free_place(word: Polygon, size: tuple[int, int], taken: Boxes, rng: np.random.Generator) -> Polygon | None:
    """Return a word (4, 2), moved to where it lies inside a picture and its box touches no other; None if it cannot.

    Args:
        word: Its corners; its box begins at 0.
        size: Width and height of the picture.
        taken: (N, 4), the boxes that are there: left, top, right, bottom.
        rng: Source of the places.
    """
    extent = word.max(axis=0)
    room = np.array(size) - extent
    if (room < 0).any():
        return None
    places = np.floor(rng.uniform(0, room + 1, (_TRIES, 2)).clip(0, room))
    apart = (taken[None, :, 2:] < places[:, None]) | (taken[None, :, :2] > (places + extent)[:, None])
    free = np.flatnonzero(apart.any(axis=2).all(axis=1))
    return word + places[free[0]].astype(np.float32) if len(free) else None


def _paste(image: Picture, other: Picture, quad: Polygon, place: Polygon) -> None:
    """Draw what lies in a quad (4, 2) of another picture into a quad of this one, blended in at its edge."""
    low = np.floor(place.min(axis=0)).astype(int)
    width, height = np.minimum(np.ceil(place.max(axis=0)).astype(int), image.shape[1::-1]) - low
    target = (place - low).astype(np.float32)
    # Labels count from a pixel's corner, warpPerspective counts from its centre.
    matrix = perspective(quad - np.float32(0.5), target - np.float32(0.5))
    patch = cv2.warpPerspective(
        other, matrix, (int(width), int(height)), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros((height, width), np.uint8)
    corners = np.rint((target - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_AA, _SHIFT)
    share = mask[..., None].astype(np.float32) / 255
    region = image[low[1] : low[1] + height, low[0] : low[0] + width]
    region[:] = np.rint(region + (patch - region.astype(np.float32)) * share)


SCENES: Mapping[str, Augmentation[DetAugment, Scene]] = {
    "copy_paste": Augmentation(lambda settings: settings.copy_paste, paste_words),
}
