"""The parts put together: detector, recogniser, direction classifier, and all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ppedge.errors import PpedgeError
from ppedge.ocr.charset import Charset
from ppedge.ocr.ctc import Text, decode
from ppedge.ocr.db import Box, boxes_from_map
from ppedge.ocr.direction import DIRECTIONS, TURNED, read_direction, turn
from ppedge.ocr.geometry import crop_quad, reading_order
from ppedge.ocr.preprocess import prepare_cls, prepare_det, prepare_rec, rec_width
from ppedge.ocr.spec import ModelSpec


class Network(Protocol):
    """What the pipeline needs of an engine."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network once: one array per input, one per output."""
        ...


@dataclass(frozen=True)
class Line:
    """A line of text in a picture.

    Attributes:
        text: As read; may be empty.
        score: Mean probability of its characters, 0 to 1.
        quad: (4, 2), float32, pixels of the picture, clockwise from top-left.
        box_score: The detector's score, 0 to 1.
        turned: Whether it was read turned by 180 degrees.
    """

    text: str
    score: float
    quad: np.ndarray
    box_score: float
    turned: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the line as plain JSON values, sensibly rounded; box is four [x, y]."""
        return {
            "text": self.text,
            "score": round(self.score, 4),
            "box": corners(self.quad),
            "box_score": round(self.box_score, 4),
            "turned": self.turned,
        }

    def told(self) -> str:
        """Return score and text for a person."""
        return f"{self.score:.2f}  {self.text}"


def corners(quad: np.ndarray) -> list[list[float]]:
    """Return a quad (4, 2) as four [x, y], sensibly rounded."""
    return [[round(x, 1), round(y, 1)] for x, y in quad.tolist()]


class Detector:
    """Finds text lines in pictures.

    Args:
        engine: Runs the network: (1, 3, H, W) in, a probability map (1, 1, H', W') out.
        spec: The detector's pre- and post-processing.

    Raises:
        PpedgeError: The specification is not a detector's.
    """

    def __init__(self, engine: Network, spec: ModelSpec) -> None:
        if spec.det_preprocess is None or spec.det_postprocess is None:
            raise PpedgeError(f"Not a detector: its specification says task {spec.task!r}.", "Name a detector's run.")
        self.engine = engine
        self.preprocess = spec.det_preprocess
        self.postprocess = spec.det_postprocess

    def __call__(self, image: np.ndarray) -> list[Box]:
        """Return the boxes in a picture (H, W, 3), in pixels of that picture.

        Raises:
            PpedgeError: The engine failed, or gave something that is not a probability map.
        """
        return self.read(self.engine.run([self.prepare(image)])[0], image)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Return the network's input (1, 3, H', W') for a picture (H, W, 3): the stage before the network."""
        return prepare_det(image, self.preprocess)

    def read(self, probability: np.ndarray, image: np.ndarray) -> list[Box]:
        """Return the boxes in a network's output (1, 1, H', W') for a picture (H, W, 3): the stage after the network.

        Raises:
            PpedgeError: The output is not a probability map.
        """
        if probability.ndim != 4 or probability.shape[:2] != (1, 1):
            raise PpedgeError(
                f"The detector on {self.engine.name} gives shape {probability.shape}, not a map (1, 1, height, width).",
                "Is this a recogniser's model?",
            )
        height, width = image.shape[:2]
        return boxes_from_map(probability[0, 0], (height, width), self.postprocess)


class Recognizer:
    """Reads crops of text lines.

    Args:
        engine: Runs the network: (N, 3, h, W) in, probabilities (N, T, C) out.
        spec: The recogniser's pre-processing and characters.
        batch_size: Most lines in one call of the engine. Lines go together only if they are equally wide, as a phone
            sees each by itself: padding to a common width changes what a network with context over the line reads.

    Raises:
        PpedgeError: The specification is not a recogniser's.
    """

    def __init__(self, engine: Network, spec: ModelSpec, *, batch_size: int = 8) -> None:
        if spec.rec_preprocess is None or not spec.characters:
            raise PpedgeError(
                f"Not a recogniser: its specification says task {spec.task!r}.", "Name a recogniser's run."
            )
        self.engine = engine
        self.preprocess = spec.rec_preprocess
        self.charset = Charset(spec.characters)
        self.batch_size = batch_size

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Text]:
        """Read crops (h, w, 3); the texts come back in the crops' order.

        Raises:
            PpedgeError: A crop has no pixels, the engine failed, or its probabilities do not fit the characters.
        """
        by_width: dict[int, list[int]] = defaultdict(list)
        for index, crop in enumerate(crops):
            by_width[max(rec_width(crop, self.preprocess), self.preprocess.min_width)].append(index)
        texts: dict[int, Text] = {}
        for alike in by_width.values():
            for begin in range(0, len(alike), self.batch_size):
                chosen = alike[begin : begin + self.batch_size]
                part = [crops[i] for i in chosen]
                texts.update(zip(chosen, self.read(self.engine.run([self.prepare(part)])[0], part), strict=True))
        return [texts[index] for index in range(len(crops))]

    def prepare(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Return the network's input (N, 3, h, W) for N crops (h, w, 3): the stage before the network."""
        return prepare_rec(crops, self.preprocess)

    def read(self, probabilities: np.ndarray, crops: Sequence[np.ndarray]) -> list[Text]:
        """Return the texts in a network's output (N, T, C) for N crops: the stage after the network.

        Raises:
            PpedgeError: The output is not probabilities of so many lines and the character set's classes.
        """
        if probabilities.ndim != 3 or len(probabilities) != len(crops):
            raise PpedgeError(
                f"The recogniser on {self.engine.name} gives shape {probabilities.shape} for {len(crops)} lines, "
                "not probabilities (lines, steps, classes).",
                "Is this a detector's model, or one that takes one line at a time?",
            )
        return [decode(line, self.charset) for line in probabilities]


class Classifier:
    """Tells whether crops of text lines are upside down.

    Args:
        engine: Runs the network: (N, 3, h, w) in, probabilities (N, 2) of `DIRECTIONS` out.
        spec: The classifier's pre- and post-processing.
        batch_size: Lines in one call of the engine; 1 for engines that take no more.

    Raises:
        PpedgeError: The specification is not a classifier's.
    """

    def __init__(self, engine: Network, spec: ModelSpec, *, batch_size: int = 8) -> None:
        if spec.cls_preprocess is None or spec.cls_postprocess is None:
            raise PpedgeError(
                f"Not a classifier: its specification says task {spec.task!r}.", "Name a direction classifier's run."
            )
        self.engine = engine
        self.preprocess = spec.cls_preprocess
        self.postprocess = spec.cls_postprocess
        self.batch_size = batch_size

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Text]:
        """Return the direction of each crop (h, w, 3) as `read_direction` gives it.

        Raises:
            PpedgeError: A crop has no pixels, or the engine failed or gave something else than two probabilities a
                line.
        """
        found: list[Text] = []
        for begin in range(0, len(crops), self.batch_size):
            part = crops[begin : begin + self.batch_size]
            found += self.read(self.engine.run([self.prepare(part)])[0], part)
        return found

    def upside_down(self, crops: Sequence[np.ndarray]) -> list[bool]:
        """Return of each crop (h, w, 3) whether it is to be turned: surely enough upside down.

        Raises:
            PpedgeError: See `__call__`.
        """
        return [self.must_turn(direction) for direction in self(crops)]

    def must_turn(self, direction: Text) -> bool:
        """Return whether a line of this direction is to be turned by 180 degrees before it is read."""
        return direction.text == TURNED and direction.score > self.postprocess.turn_score

    def prepare(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Return the network's input (N, 3, h, w) for N crops (h, w, 3): the stage before the network."""
        return prepare_cls(crops, self.preprocess)

    def read(self, probabilities: np.ndarray, crops: Sequence[np.ndarray]) -> list[Text]:
        """Return the directions in a network's output (N, 2) for N crops: the stage after the network.

        Raises:
            PpedgeError: The output is not the two probabilities of so many lines.
        """
        if probabilities.shape != (len(crops), len(DIRECTIONS)):
            raise PpedgeError(
                f"The classifier on {self.engine.name} gives shape {probabilities.shape} for {len(crops)} lines, "
                f"not probabilities (lines, {len(DIRECTIONS)}).",
                "Is this a direction classifier's model?",
            )
        return [read_direction(line) for line in probabilities]


class Pipeline:
    """Detect, crop, turn, recognise.

    Args:
        detector: Finds the lines.
        recognizer: Reads them.
        classifier: Finds those that are upside down, which are turned; without it none is.
    """

    def __init__(self, detector: Detector, recognizer: Recognizer, classifier: Classifier | None = None) -> None:
        self.detector = detector
        self.recognizer = recognizer
        self.classifier = classifier

    def __call__(self, image: np.ndarray) -> list[Line]:
        """Return the lines of a picture (H, W, 3), in reading order.

        Raises:
            PpedgeError: An engine failed, or a model is not what its specification says.
        """
        boxes = self.detector(image)
        boxes = [boxes[i] for i in reading_order([box.quad for box in boxes])]
        crops = [crop_quad(image, box.quad) for box in boxes]
        turned = self.classifier.upside_down(crops) if self.classifier else [False] * len(crops)
        texts = self.recognizer([turn(crop) if wrong else crop for crop, wrong in zip(crops, turned, strict=True)])
        return [
            Line(text.text, text.score, box.quad, box.score, wrong)
            for text, box, wrong in zip(texts, boxes, turned, strict=True)
        ]
