"""The directions of a text line, as the classifier tells them: upright, or upside down."""

from __future__ import annotations

import cv2
import numpy as np

from ppedge.ocr.ctc import Text

UPRIGHT, TURNED = "0", "180"
DIRECTIONS = (UPRIGHT, TURNED)
"""The classifier's classes, in order, under PaddleOCR's names for them: degrees."""


def turn(crop: np.ndarray) -> np.ndarray:
    """Return a crop (h, w, 3) turned by 180 degrees, as an array of its own."""
    return cv2.rotate(crop, cv2.ROTATE_180)


def read_direction(probabilities: np.ndarray) -> Text:
    """Return the likelier direction and its probability.

    Args:
        probabilities: (2,), of `DIRECTIONS`.

    Returns:
        The direction as a text, ``"0"`` or ``"180"``, with its score, 0 to 1; of two equal ones, upright.
    """
    best = int(np.argmax(probabilities))
    return Text(DIRECTIONS[best], float(probabilities[best]))
