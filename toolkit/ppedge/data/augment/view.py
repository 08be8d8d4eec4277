"""What of a picture a detector is shown: flip, zoom, turn and crop.

They are one affine map, so that the picture is resampled once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.data.augment.base import Augmentation, Picture, Scene
from ppedge.data.regions import Polygon
from ppedge.recipe.train import DetAugment

Matrix = npt.NDArray[np.float64]

_CANDIDATES = 10  # windows that are compared before one is cut out
_SLACK = 2.0  # pixels that a whole word may stick out of the window: labels are no more exact than that


def cut_view(scene: Scene, settings: DetAugment, rng: np.random.Generator, draw_other: Callable[[], Scene]) -> Scene:
    """Flip, zoom, turn and crop a picture together with its text regions.

    Args:
        scene: The picture and its regions; ``settings.scale`` multiplies its zoom.
        settings: How much of each.
        rng: Source of the choices.
        draw_other: Not called.

    Returns:
        A picture (crop, crop, 3) as the network sees it (zoom 1), black where the original has ended, and the regions
        that lie in it, whole. A region that the crop cuts is kept as an ignored one: half a word is neither a word nor
        background.
    """
    height, width = scene.image.shape[:2]
    matrix = random_view((height, width), settings, scene.zoom, rng)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = transform_all(scene.polygons, matrix)
    x, y, side = random_window(moved, scene.ignore, transform(corners, matrix), settings.crop, rng)
    zoom = settings.crop / side
    matrix = np.array([[zoom, 0, -zoom * x], [0, zoom, -zoom * y], [0, 0, 1]]) @ matrix
    polygons = transform_all(scene.polygons, matrix)
    view = Scene(warp(scene.image, matrix, settings.crop), polygons, scene.ignore, scene.texts, 1.0)
    return _inside(view, settings.crop)


def random_view(size: tuple[int, int], settings: DetAugment, ratio: float, rng: np.random.Generator) -> Matrix:
    """Return a 3x3 affine map: perhaps a left-right flip, then a zoom (log-uniform) and a turn about the centre.

    Args:
        size: Height and width of the picture.
        settings: Probability of the flip, range of the zoom, largest turn in degrees and its probability.
        ratio: Multiplies the zoom.
        rng: Source of the choices.
    """
    height, width = size
    zoom = ratio * math.exp(rng.uniform(*np.log(settings.scale)))
    angle = rng.uniform(-settings.rotate, settings.rotate)
    # What is always turned draws no number for it: older recipes see the pictures that they saw.
    if settings.rotate_probability < 1 and rng.random() >= settings.rotate_probability:
        angle = 0.0
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D((width / 2, height / 2), angle, zoom)
    if rng.random() < settings.flip:
        matrix = matrix @ np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])
    return matrix


def random_window(
    polygons: Sequence[Polygon], ignore: Sequence[bool], corners: Polygon, side: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Choose a square that holds at least one word whole and cuts as few others as possible.

    Args:
        polygons: Regions.
        ignore: For each region, whether it is ignored; such a one is never the word that the square must hold.
        corners: The picture's, (4, 2): the square stays in their bounding box where it fits.
        side: Of the square; a larger one is returned where the chosen word is longer.
        rng: Source of the choices.

    Returns:
        Left, top and side.
    """
    low, high = corners.min(axis=0).astype(np.float64), corners.max(axis=0).astype(np.float64)
    boxes = boxes_of(polygons)
    readable = [i for i, ignored in enumerate(ignore) if not ignored]
    length = float(side)
    first, last = low, np.maximum(low, high - length)
    if readable:
        word = boxes[readable[rng.integers(len(readable))]]
        length = max(length, 1.05 * float((word[2:] - word[:2]).max()))
        last = np.maximum(low, high - length)
        first = np.clip(word[2:] - length, low, last)
        last = np.clip(word[:2], first, last)
    tops = rng.uniform(first, last, (_CANDIDATES, 2))
    x, y = tops[np.argmin(_cuts(boxes, tops, length))]
    return float(x), float(y), length


def _cuts(boxes: npt.NDArray[np.float32], tops: Matrix, side: float) -> npt.NDArray[np.int64]:
    """Number of boxes (N, 4) that each square, given by its top left corner (K, 2), cuts; (K,)."""
    low, high = tops[:, None], tops[:, None] + side
    overlaps = ((boxes[None, :, 2:] > low) & (boxes[None, :, :2] < high)).all(axis=2)
    whole = ((boxes[None, :, :2] >= low - _SLACK) & (boxes[None, :, 2:] <= high + _SLACK)).all(axis=2)
    return np.count_nonzero(overlaps & ~whole, axis=1)


def _inside(scene: Scene, side: int) -> Scene:
    """Leave out the regions outside the square and mark those that it cuts as ignored."""
    boxes = boxes_of(scene.polygons)
    low, high = boxes[:, :2], boxes[:, 2:]
    outside = (high <= 0).any(axis=1) | (low >= side).any(axis=1)
    cut = (low < -_SLACK).any(axis=1) | (high > side + _SLACK).any(axis=1)
    kept = np.flatnonzero(~outside).tolist()
    polygons, texts = [scene.polygons[k] for k in kept], [scene.texts[k] for k in kept]
    return Scene(scene.image, polygons, [scene.ignore[k] or bool(cut[k]) for k in kept], texts, scene.zoom)


def boxes_of(polygons: Sequence[Polygon]) -> npt.NDArray[np.float32]:
    """Return the bounding boxes of polygons: left, top, right, bottom, (N, 4)."""
    if not polygons:
        return np.zeros((0, 4), np.float32)
    points, starts = np.concatenate(polygons), np.cumsum([0, *map(len, polygons[:-1])])
    return np.hstack([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)])


def transform_all(polygons: Sequence[Polygon], matrix: Matrix) -> list[Polygon]:
    """Map each of several polygons, as `transform` does, at once."""
    if not polygons:
        return []
    points, ends = transform(np.concatenate(polygons), matrix), accumulate(map(len, polygons), initial=0)
    return [points[begin:end] for begin, end in pairwise(ends)]


def transform(polygon: Polygon, matrix: Matrix) -> Polygon:
    """Map points (N, 2) by a 3x3 affine matrix."""
    return (polygon @ matrix[:2, :2].T + matrix[:2, 2]).astype(np.float32)


def warp(image: Picture, matrix: Matrix, side: int) -> Picture:
    """Resample a picture by a 3x3 affine matrix to (side, side, 3), black outside it."""
    # Neither this determinant nor the inverse below by LAPACK, whose threads wait for each other in a busy loop.
    zoom = math.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    if zoom < 0.6:  # bilinear sampling alone would skip pixels
        height, width = image.shape[:2]
        small = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.diag([width / small[0], height / small[1], 1.0])
    # Points count from a pixel's corner, as labels and cv2.resize do; warpAffine counts from its centre.
    half, back = (np.array([[1, 0, way], [0, 1, way], [0, 0, 1]]) for way in (0.5, -0.5))
    centred = back @ matrix @ half
    return cv2.warpAffine(image, centred[:2], (side, side), flags=cv2.INTER_LINEAR)


SCENES: Mapping[str, Augmentation[DetAugment, Scene]] = {
    "view": Augmentation(lambda settings: 1.0, cut_view),
}
