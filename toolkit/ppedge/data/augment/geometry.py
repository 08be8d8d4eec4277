"""Changes of a text line's shape."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from ppedge.data.augment.base import Augmentation, Line, Picture, of_picture
from ppedge.recipe.train import RecAugment


def shift_corners(image: Picture, rng: np.random.Generator, strength: float = 0.1) -> Picture:
    """Move the four corners by up to ``strength`` of the height; the border is continued outwards."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-strength, strength, (4, 2)).astype(np.float32) * min(height, width)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


LINES: Mapping[str, Augmentation[RecAugment, Line]] = {
    "perspective": Augmentation(lambda settings: settings.perspective, of_picture(shift_corners)),
}
