"""Changes of a text line's shape."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from ppedge.data.augment.base import Augmentation, Line, Picture, of_picture
from ppedge.recipe.train import RecAugment

LEAST_SIDE = 20
"""Pixels: a line that is lower or narrower is neither cropped nor bent, as little would be left of its text."""


def shift_corners(image: Picture, rng: np.random.Generator, strength: float = 0.1) -> Picture:
    """Move the four corners by up to ``strength`` of the height; the border is continued outwards."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-strength, strength, (4, 2)).astype(np.float32) * min(height, width)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def crop_rows(image: Picture, rng: np.random.Generator) -> Picture:
    """Cut 1 to 8 rows off the top or the bottom, as PaddleOCR does; a line below 20 pixels a side stays as it is."""
    height, width = image.shape[:2]
    if min(height, width) < LEAST_SIDE:
        return image
    rows = int(rng.integers(1, 9))
    return image[rows:] if rng.random() < 0.5 else image[:-rows]


LINES: Mapping[str, Augmentation[RecAugment, Line]] = {
    "perspective": Augmentation(lambda settings: settings.perspective, of_picture(shift_corners)),
    "crop": Augmentation(lambda settings: settings.crop, of_picture(crop_rows)),
}
