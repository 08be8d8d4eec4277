"""What labels say of pictures: samples of text regions, lines and directions, and what is wrong with other lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from ppedge.data.regions import Polygon


@dataclass(frozen=True)
class Problem:
    """Something wrong with one line of a label file.

    Attributes:
        file: The label file.
        line: Its line, counted from 1.
        reason: What is wrong.
        other_kind: Whether the line looks like one of the other format.
        missing: The name of its picture, if there is none of that name.
    """

    file: Path
    line: int
    reason: str
    other_kind: bool = field(default=False, compare=False)
    missing: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, eq=False, slots=True)
class DetSample:
    """A picture and its text regions.

    Attributes:
        image: The picture's file.
        polygons: One float32 (N, 2) array a region, N >= 4, in pixels.
        texts: Their transcriptions; empty where the text is not known.
        ignore: True for a region that is neither text nor background.
        where: ``file:line`` of the label.
        ratio: Share of the label file's samples that an epoch of training draws.
    """

    image: Path
    polygons: list[Polygon]
    texts: list[str]
    ignore: list[bool]
    where: str
    ratio: float = field(default=1.0, kw_only=True)


@dataclass(frozen=True, eq=False, slots=True)
class RecSample:
    """A text line.

    Attributes:
        image: The picture's file.
        text: What it says.
        where: ``file:line`` of the label.
        quad: float32 (4, 2): the line's place in the picture; None if the picture is the crop of the line.
        ratio: Share of the label file's samples that an epoch of training draws.
    """

    image: Path
    text: str
    where: str
    quad: Polygon | None = None
    ratio: float = field(default=1.0, kw_only=True)


@dataclass(frozen=True, eq=False, slots=True)
class ClsSample(RecSample):
    """A text line and its direction, which is its text: see `ppedge.ocr.direction`.

    Attributes:
        turned: Whether the line's crop is to be turned by 180 degrees.
    """

    turned: bool = False


Sample = TypeVar("Sample", DetSample, RecSample)


@dataclass(frozen=True)
class Labels(Generic[Sample]):
    """What label files hold: the samples of the good lines, and the problems of the others.

    Attributes:
        samples: Of the good lines.
        problems: Of the others.
        reversed: Regions of the samples that were turned to run clockwise.
        clipped: Regions of the samples that were cut off at the picture's edge.
    """

    samples: list[Sample] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    reversed: int = 0
    clipped: int = 0
