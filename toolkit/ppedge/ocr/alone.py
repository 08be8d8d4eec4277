"""A detector or a recogniser by itself: boxes without texts, or pictures that are one line of text each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ppedge.ocr.direction import turn
from ppedge.ocr.geometry import reading_order
from ppedge.ocr.pipeline import Classifier, Detector, Recognizer, corners


@dataclass(frozen=True)
class Outline:
    """A line of text that was found and not read.

    Attributes:
        quad: (4, 2), float32, pixels of the picture, clockwise from top-left.
        box_score: The detector's score, 0 to 1.
    """

    quad: np.ndarray
    box_score: float
    text: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the box as plain JSON values, sensibly rounded; box is four [x, y]."""
        return {"box": corners(self.quad), "box_score": round(self.box_score, 4)}

    def told(self) -> str:
        """Return the score and the corners for a person."""
        return f"{self.box_score:.2f}  {' '.join(f'{x:.0f},{y:.0f}' for x, y in self.quad)}"


@dataclass(frozen=True)
class Reading:
    """What a picture says that is one line of text.

    Attributes:
        text: As read; may be empty.
        score: Mean probability of its characters, 0 to 1.
        turned: Whether it was read turned by 180 degrees.
    """

    text: str
    score: float
    turned: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the reading as plain JSON values, sensibly rounded."""
        return {"text": self.text, "score": round(self.score, 4), "turned": self.turned}

    def told(self) -> str:
        """Return score and text for a person."""
        return f"{self.score:.2f}  {self.text}"


def outlines(detector: Detector, image: np.ndarray) -> list[Outline]:
    """Return the lines that a detector finds in a picture (H, W, 3), in reading order.

    Raises:
        PpedgeError: The engine failed, or the model is not what its specification says.
    """
    boxes = detector(image)
    return [Outline(boxes[i].quad, boxes[i].score) for i in reading_order([box.quad for box in boxes])]


def reading(recognizer: Recognizer, classifier: Classifier | None, image: np.ndarray) -> Reading:
    """Read a picture (H, W, 3) that is one line of text.

    Args:
        recognizer: Reads it.
        classifier: Tells whether it is upside down: then it is turned first.
        image: The picture.

    Raises:
        PpedgeError: An engine failed, or a model is not what its specification says.
    """
    turned = classifier is not None and classifier.upside_down([image])[0]
    (text,) = recognizer([turn(image) if turned else image])
    return Reading(text.text, text.score, turned)
