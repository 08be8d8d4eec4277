"""DB's post-processing: from a probability map to boxes.

After Liao et al. 2020, "Real-time Scene Text Detection with Differentiable Binarization", with PaddleOCR's rectangles:
threshold, contours, minimum-area rectangle of each, its mean probability, and growth ("unclip") by
D = area x ratio / perimeter.

Two things are done more exactly than in PaddleOCR. A rectangle is grown in closed form, each side by 2 D: that is what
offsetting it with round joins and taking the minimum-area rectangle again gives, but PaddleOCR's offsetting cuts the
corners' coordinates to whole pixels first. And corners are not rounded to whole pixels of the picture, which matters
where the picture was enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ppedge.errors import PpedgeError
from ppedge.ocr.geometry import order_quads
from ppedge.ocr.spec import DbPostprocess

GROWN_SIDE = 2
"""After growing, a box's shorter side must exceed ``min_side`` by this many pixels of the map."""


@dataclass(frozen=True)
class Box:
    """A detected text line.

    Attributes:
        quad: (4, 2), float32, pixels of the original picture, clockwise from top-left.
        score: Mean probability inside it, 0 to 1.
    """

    quad: np.ndarray
    score: float


def boxes_from_map(probability: np.ndarray, size: tuple[int, int], spec: DbPostprocess) -> list[Box]:
    """Find the boxes in a probability map.

    Args:
        probability: (H, W), float, 0 to 1: the network's output for one picture.
        size: Height and width in pixels of the original picture, which the map stands for.
        spec: The thresholds.

    Returns:
        Boxes in the order of their contours, at most ``spec.max_candidates``, each at least a pixel wide and high.

    Raises:
        PpedgeError: The map is not two-dimensional.
    """
    if probability.ndim != 2 or 0 in probability.shape:
        raise PpedgeError(f"A probability map has the shape {probability.shape}; needed is (height, width).")
    probability = np.ascontiguousarray(probability, np.float32)
    rectangles, scores = _candidates(probability, spec)
    if not rectangles:
        return []
    quads = order_quads(np.stack([cv2.boxPoints(_grown(rectangle, spec.unclip_ratio)) for rectangle in rectangles]))
    height, width = probability.shape
    quads *= np.array([size[1] / width, size[0] / height], np.float32)
    np.clip(quads, 0, [size[1], size[0]], out=quads)
    sides = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=2)
    # Boxes that clipping at the border, or a much enlarged picture, left without a pixel cannot be cut out.
    whole = np.maximum(sides[:, :2], sides[:, 2:]).min(axis=1) >= 1
    return [Box(quad, score) for quad, score, keep in zip(quads, scores, whole, strict=True) if keep]


Rectangle = tuple[tuple[float, float], tuple[float, float], float]
"""Centre, size and angle in degrees, as OpenCV's ``minAreaRect`` gives them."""


def _candidates(probability: np.ndarray, spec: DbPostprocess) -> tuple[list[Rectangle], list[float]]:
    """Return the rectangles, not yet grown, that pass the limits on size and score; and their scores."""
    binary = (probability > spec.thresh).view(np.uint8)
    if spec.dilation:
        binary = cv2.dilate(binary, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    rectangles, scores = [], []
    for contour in contours[: spec.max_candidates]:
        rectangle: Rectangle = cv2.minAreaRect(contour)
        if min(rectangle[1]) < spec.min_side:
            continue
        score = _mean_inside(probability, cv2.boxPoints(rectangle) if spec.score_mode == "fast" else contour[:, 0])
        if score < spec.box_thresh or min(_grown(rectangle, spec.unclip_ratio)[1]) < spec.min_side + GROWN_SIDE:
            continue
        rectangles.append(rectangle)
        scores.append(score)
    return rectangles, scores


def _grown(rectangle: Rectangle, ratio: float) -> Rectangle:
    centre, (width, height), angle = rectangle
    growth = width * height * ratio / (width + height)  # 2 D, as the perimeter is 2 (width + height)
    return centre, (width + growth, height + growth), angle


def _mean_inside(probability: np.ndarray, polygon: np.ndarray) -> float:
    """Return the mean of the map (H, W) over the pixels of a polygon (K, 2); those on its edge count."""
    pixels = polygon.astype(np.int32)  # fractions are cut off, as in PaddleOCR: the scores are the same to the bit
    left, top, width, height = cv2.boundingRect(pixels)
    right, bottom = min(left + width, probability.shape[1]), min(top + height, probability.shape[0])
    left, top = max(left, 0), max(top, 0)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [pixels], 1, offset=(-left, -top))
    mean: float = cv2.mean(probability[top:bottom, left:right], mask)[0]
    return mean
