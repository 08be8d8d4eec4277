"""The metric of a whole pipeline: pictures in, lines of text out, held against the labels of the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ppedge.data.labelled import DetSample
from ppedge.errors import PpedgeError
from ppedge.metrics.scores import LOOSEST, NORMALISERS, DetMetric, RecMetric, pair_with_regions
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Line, corners


class Reads(Protocol):
    """What is measured: `ppedge.ocr.pipeline.Pipeline` is one."""

    def __call__(self, image: np.ndarray) -> Sequence[Line]:
        """Return the lines in a picture (H, W, 3)."""
        ...


@dataclass(frozen=True, eq=False)
class Mistake:
    """A region that was not read as its label says, or a line that is no region's.

    Attributes:
        label: What the region says; None where there is none, or nobody knows its text.
        read: What was read there; None where no line was found.
        quad: (K, 2): the line's place, or that of the region that was not found.
    """

    label: str | None
    read: str | None
    quad: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; box is a list of [x, y]."""
        return {"label": self.label, "read": self.read, "box": corners(self.quad)}

    def told(self) -> str:
        """Return it for a person."""
        if self.read is None:
            return f"{self.label}: not found" if self.label else "a region whose text nobody knows: not found"
        return (
            f"{self.label}: read as {self.read or 'nothing'}" if self.label else f"no region: {self.read or 'nothing'}"
        )


@dataclass(frozen=True, eq=False)
class ReadPicture:
    """A picture, and what of it was not read right.

    Attributes:
        image: Its file.
        right: Regions that were found and read as their labels say.
        regions: Regions that count and have a text.
        mistakes: All else, the regions' before those of other lines.
    """

    image: Path
    right: int
    regions: int
    mistakes: list[Mistake]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        mistakes = [mistake.to_dict() for mistake in self.mistakes]
        return {"image": str(self.image), "right": self.right, "regions": self.regions, "mistakes": mistakes}


class EndToEndMetric:
    """Precision, recall and their harmonic mean of lines found and read, over the corpus (as ICDAR 2015's task 4).

    Lines and regions are matched as `DetMetric` matches them, by their place alone; a match is right if line and region
    then have the same text, compared as `RecMetric` compares. With R right matches, D lines that count and G regions
    that count:

        precision = R / D        recall = R / G        hmean = 2 R / (D + G)

    What lies on ignored regions counts neither way. A region without a text, of which nobody knows what it says, and
    the line that matches it count for the boxes alone. A line that was read as nothing counts as any other.

    Args:
        normalise: A key of `ppedge.metrics.scores.NORMALISERS`.
        ignore: Characters that are left out of both texts before that.

    Raises:
        PpedgeError: No such normalisation.
    """

    def __init__(self, normalise: str = "strict", ignore: str = "") -> None:
        RecMetric(normalise, ignore)
        self._compared_as = (normalise, ignore)
        self._rows: list[np.ndarray] = []
        self.pictures: list[ReadPicture] = []

    def update(self, lines: Sequence[Line], sample: DetSample) -> None:
        """Add one picture: the lines that were read in it, and its labels."""
        pairing = pair_with_regions([line.quad for line in lines], sample.polygons, sample.ignore)
        known = [bool(text.strip()) and not ignore for text, ignore in zip(sample.texts, sample.ignore, strict=True)]
        texts = RecMetric(*self._compared_as)
        compared = [(line, region) for line, region in pairing.pairs if known[region]]
        texts.update([lines[line].text for line, _ in compared], [sample.texts[region] for _, region in compared])
        rows = texts.rows()
        boxes = np.array([len(pairing.pairs), pairing.counts.sum(), len(known) - sum(sample.ignore)])
        unknown = len(pairing.pairs) - len(compared)
        self._rows.append(np.array([*boxes, *rows.sum(axis=0), boxes[1] - unknown, sum(known)], np.float64))
        wrong = [pair for pair, (_, equal, _) in zip(compared, rows, strict=True) if not equal]
        right = len(compared) - len(wrong)
        mistakes = _mistakes(lines, sample, wrong, pairing.pairs, np.flatnonzero(pairing.counts).tolist())
        self.pictures.append(ReadPicture(sample.image, right, sum(known), mistakes))

    def rows(self) -> np.ndarray:
        """Return (N, 8), float64, a row a picture.

        Matches, lines and regions of the boxes; matches whose texts were compared, those of them that are equal, and
        their distances' sum; lines and regions that count for the texts.
        """
        return np.array(self._rows, np.float64).reshape(-1, 8)

    @staticmethod
    def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
        """Return the figures of rows summed over pictures, (..., 8) to (...).

        Returns:
            ``precision``, ``recall`` and ``hmean`` of lines found and read; ``box_precision``, ``box_recall`` and
            ``box_hmean`` of boxes alone; ``exact`` and ``ned`` of the texts of matched boxes, 0 where there is none.
        """
        compared, equal, distance = sums[..., 3], sums[..., 4], sums[..., 5]
        return {
            **DetMetric.figures(np.stack([equal, sums[..., 6], sums[..., 7]], axis=-1)),
            **{f"box_{name}": value for name, value in DetMetric.figures(sums[..., :3]).items()},
            "exact": equal / np.maximum(compared, 1),
            "ned": (compared - distance) / np.maximum(compared, 1),
        }

    def counts(self) -> dict[str, int]:
        """Return of all pictures ``right``, and ``lines`` and ``regions`` that count."""
        sums = self.rows().sum(axis=0)
        return {name: int(sums[column]) for name, column in (("right", 4), ("lines", 6), ("regions", 7))}

    def wrong_texts(self) -> dict[str, int]:
        """Count the texts of matched boxes that are wrong.

        Returns:
            ``wrong``: all of them; ``in_form``: those that would be right by ``upper_alnum``, of which case, spaces or
            punctuation alone are wrong.
        """
        return {"wrong": len(self._wrong()), "in_form": self._right_by(LOOSEST)}

    def forgiving(self) -> str:
        """Return the comparison that forgives least of those by which all texts that are wrong in form are right."""
        most = self._right_by(LOOSEST)
        return next(name for name in NORMALISERS if self._right_by(name) == most)

    def _right_by(self, normalise: str) -> int:
        """Return how many wrong texts are right by another comparison."""
        metric = RecMetric(normalise, self._compared_as[1])
        return sum(metric.compared(label) == metric.compared(read) for label, read in self._wrong())

    def _wrong(self) -> list[tuple[str, str]]:
        """Return what the wrong texts of matched boxes should be and what was read."""
        return [
            (mistake.label, mistake.read)
            for picture in self.pictures
            for mistake in picture.mistakes
            if mistake.label is not None and mistake.read is not None
        ]

    def worst(self, count: int) -> list[ReadPicture]:
        """Return the pictures with most mistakes, at most so many; those without any are not among them."""
        ordered = sorted(self.pictures, key=lambda picture: len(picture.mistakes), reverse=True)
        return [picture for picture in ordered[:count] if picture.mistakes]


def _mistakes(
    lines: Sequence[Line],
    sample: DetSample,
    wrong: Sequence[tuple[int, int]],
    pairs: Sequence[tuple[int, int]],
    counted: Sequence[int],
) -> list[Mistake]:
    read_as = {region: lines[line] for line, region in wrong}
    found = {region for _, region in pairs}
    matched = {line for line, _ in pairs}
    mistakes = []
    for number, (polygon, text) in enumerate(zip(sample.polygons, sample.texts, strict=True)):
        if number in read_as:
            mistakes.append(Mistake(text, read_as[number].text, read_as[number].quad))
        elif number not in found and not sample.ignore[number]:
            mistakes.append(Mistake(text if text.strip() else None, None, polygon))
    return mistakes + [Mistake(None, lines[i].text, lines[i].quad) for i in counted if i not in matched]


def measure_pipeline(
    pipeline: Reads,
    samples: Sequence[DetSample],
    metric: EndToEndMetric,
    advance: Callable[[int], None] = lambda steps: None,
) -> None:
    """Read the samples' pictures and add what was read to a metric.

    Args:
        pipeline: Reads a picture.
        samples: The pictures and their labels.
        metric: What they are added to.
        advance: Called with 1 after each picture.

    Raises:
        PpedgeError: No region has a text to compare with, or a picture cannot be read; the latter names it.
    """
    if not any(text.strip() and not ignore for s in samples for text, ignore in zip(s.texts, s.ignore, strict=True)):
        raise PpedgeError(
            "No region of the labels has a text to compare with.",
            "Labels of places alone measure a detector: `ppedge eval RUN` with a detector's run.",
        )
    for sample in samples:
        image = read_image(sample.image)
        try:
            lines = pipeline(image)
        except PpedgeError as error:
            raise type(error)(f"{sample.image}: {error.message}", error.hint) from error
        metric.update(lines, sample)
        advance(1)
