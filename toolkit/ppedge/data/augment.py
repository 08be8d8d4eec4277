"""Random changes to training pictures; every function takes the generator that it draws from.

A detector's flip, zoom, turn and crop are one affine map, so that the picture is resampled once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.data.formats import Polygon
from ppedge.recipe.train import DetAugment, RecAugment

Picture = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

_CANDIDATES = 10  # windows that are compared before one is cut out
_SLACK = 2.0  # pixels that a whole word may stick out of the window: labels are no more exact than that


def augment_det(
    image: Picture, polygons: Sequence[Polygon], ignore: Sequence[bool], settings: DetAugment, ratio: float,
    rng: np.random.Generator,
) -> tuple[Picture, list[Polygon], list[bool]]:  # fmt: skip
    """Flip, zoom, turn, crop and colour a picture together with its text regions.

    Args:
        image: The picture.
        polygons: Its regions, in its pixels.
        ignore: For each region, whether it is neither text nor background.
        settings: How much of each.
        ratio: The zoom that the picture is evaluated with; ``settings.scale`` multiplies it.
        rng: Source of the choices.

    Returns:
        A picture (crop, crop, 3), black where the original has ended, and the regions that lie in it, whole. A
        region that the crop cuts is kept as an ignored one: half a word is neither a word nor background.
    """
    height, width = image.shape[:2]
    matrix = random_view((height, width), settings, ratio, rng)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = [transform(polygon, matrix) for polygon in polygons]
    x, y, side = random_window(moved, ignore, transform(corners, matrix), settings.crop, rng)
    zoom = settings.crop / side
    matrix = np.array([[zoom, 0, -zoom * x], [0, zoom, -zoom * y], [0, 0, 1]]) @ matrix
    view = warp(image, matrix, settings.crop)
    if settings.color:
        view = jitter_color(view, rng, settings.color)
    regions = [transform(polygon, matrix) for polygon in polygons]
    return view, *_inside(regions, ignore, settings.crop)


def random_view(size: tuple[int, int], settings: DetAugment, ratio: float, rng: np.random.Generator) -> Matrix:
    """Return a 3x3 affine map: perhaps a left-right flip, then a zoom (log-uniform) and a turn about the centre.

    Args:
        size: Height and width of the picture.
        settings: Probability of the flip, range of the zoom, largest turn in degrees.
        ratio: Multiplies the zoom.
        rng: Source of the choices.
    """
    height, width = size
    zoom = ratio * math.exp(rng.uniform(*np.log(settings.scale)))
    angle = rng.uniform(-settings.rotate, settings.rotate)
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
    boxes = np.array([[*p.min(axis=0), *p.max(axis=0)] for p in polygons]).reshape(-1, 4)
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


def _cuts(boxes: Matrix, tops: Matrix, side: float) -> npt.NDArray[np.int64]:
    """Number of boxes (N, 4) that each square, given by its top left corner (K, 2), cuts; (K,)."""
    low, high = tops[:, None], tops[:, None] + side
    overlaps = ((boxes[None, :, 2:] > low) & (boxes[None, :, :2] < high)).all(axis=2)
    whole = ((boxes[None, :, :2] >= low - _SLACK) & (boxes[None, :, 2:] <= high + _SLACK)).all(axis=2)
    return np.count_nonzero(overlaps & ~whole, axis=1)


def _inside(polygons: Sequence[Polygon], ignore: Sequence[bool], side: int) -> tuple[list[Polygon], list[bool]]:
    """Leave out the regions outside the square and mark those that it cuts as ignored."""
    kept, ignored = [], []
    for polygon, was_ignored in zip(polygons, ignore, strict=True):
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        if (high <= 0).any() or (low >= side).any():
            continue
        kept.append(polygon)
        ignored.append(was_ignored or bool((low < -_SLACK).any() or (high > side + _SLACK).any()))
    return kept, ignored


def transform(polygon: Polygon, matrix: Matrix) -> Polygon:
    """Map points (N, 2) by a 3x3 affine matrix."""
    return (polygon @ matrix[:2, :2].T + matrix[:2, 2]).astype(np.float32)


def warp(image: Picture, matrix: Matrix, side: int) -> Picture:
    """Resample a picture by a 3x3 affine matrix to (side, side, 3), black outside it."""
    zoom = math.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if zoom < 0.6:  # bilinear sampling alone would skip pixels
        height, width = image.shape[:2]
        small = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.diag([width / small[0], height / small[1], 1.0])
    # Points count from a pixel's corner, as labels and cv2.resize do; warpAffine counts from its centre.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    centred = np.linalg.inv(half) @ matrix @ half
    return cv2.warpAffine(image, centred[:2], (side, side), flags=cv2.INTER_LINEAR)


def jitter_color(image: Picture, rng: np.random.Generator, strength: float) -> Picture:
    """Change brightness, contrast, saturation and (half as much) colour balance by factors within 1 +- ``strength``."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    balance = rng.uniform(1 - strength / 2, 1 + strength / 2, 3)
    mean = float(image.mean())
    levels = (np.arange(256, dtype=np.float64) - mean) * contrast + mean
    table = np.clip(levels[:, None] * (brightness * balance), 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, saturation, gray, 1 - saturation, 0)


def augment_rec(image: Picture, settings: RecAugment, rng: np.random.Generator) -> Picture:
    """Change the crop of a text line, each way with its own probability; the size stays."""
    chosen = rng.random(4) < (settings.perspective, settings.blur, settings.noise, settings.color)
    if chosen[0]:
        image = shift_corners(image, rng)
    if chosen[1]:
        image = blur(image, rng)
    if chosen[2]:
        image = add_noise(image, rng)
    if chosen[3]:
        image = jitter_color(image, rng, 0.4)
    return image


def shift_corners(image: Picture, rng: np.random.Generator, strength: float = 0.1) -> Picture:
    """Move the four corners by up to ``strength`` of the height; the border is continued outwards."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-strength, strength, (4, 2)).astype(np.float32) * min(height, width)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def blur(image: Picture, rng: np.random.Generator, strength: float = 0.04) -> Picture:
    """Blur a line by a Gaussian whose standard deviation is up to ``strength`` times the height."""
    sigma = rng.uniform(0.3, 1.0) * strength * min(image.shape[:2])
    return cv2.GaussianBlur(image, (0, 0), max(sigma, 0.1))


def add_noise(image: Picture, rng: np.random.Generator, strength: float = 16.0) -> Picture:
    """Add Gaussian noise with a standard deviation of up to ``strength`` grey levels."""
    noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(0.1, 1.0) * strength
    return np.clip(image + noise, 0, 255).astype(np.uint8)
