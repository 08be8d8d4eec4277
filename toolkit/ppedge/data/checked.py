"""A label file whose every picture has been decoded: its samples, and what became of its lines and regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ppedge.data.check import Decoded, readable
from ppedge.data.formats import Kind, read_all
from ppedge.data.labelled import Labels, Problem
from ppedge.data.lines import count_ignored, count_unusable, rec_samples_from_detection
from ppedge.recipe.data import LabelFile


class Advance(Protocol):
    """Long work under way; `ppedge.progress.Step` is one."""

    def advance(self, note: str = "", steps: int = 1) -> None:
        """Count ``steps`` more steps."""


class _Unwatched:
    def advance(self, note: str = "", steps: int = 1) -> None:
        """Count nothing."""


Watch = Callable[[str, int], AbstractContextManager[Advance]]
"""Shows how long work goes, by its title and its steps; `ppedge.progress.Reporter.task` is one."""


def unwatched(title: str, total: int) -> AbstractContextManager[Advance]:
    """Show nothing."""
    return nullcontext(_Unwatched())


@dataclass(frozen=True)
class Wanted:
    """What is to be had from a label file.

    Attributes:
        root: The folder that pictures are named relative to.
        kind: Its format.
        as_lines: Of detection labels, the lines that are cut out of the pictures.
    """

    root: Path
    kind: Kind
    as_lines: bool

    @property
    def whole(self) -> bool:
        """Whether samples are pictures with their regions."""
        return self.kind == "detection" and not self.as_lines


@dataclass
class Regions:
    """What became of the regions of detection labels.

    Attributes:
        ignored: Those that a detector ignores, by the reason.
        unusable: Those that give no line, by the reason; counted where lines are wanted.
        counted: How many a detector does not ignore.
    """

    ignored: Counter[str] = field(default_factory=Counter)
    unusable: Counter[str] = field(default_factory=Counter)
    counted: int = 0

    def add(self, samples: Sequence[Any], wanted: Wanted) -> None:
        """Count the regions of samples, if they have any."""
        if wanted.as_lines:
            self.unusable.update(count_unusable(samples))
        elif wanted.whole:
            self.ignored.update(count_ignored(samples))
            self.counted += sum(not ignored for sample in samples for ignored in sample.ignore)


@dataclass(frozen=True)
class Checked:
    """A label file whose every picture has been decoded.

    Attributes:
        samples: Of its good lines, as they are wanted.
        good: How many good lines it has.
        lines: The problems of its lines.
        pictures: The problems of its pictures, and of regions held against them.
        regions: What became of its regions.
    """

    samples: Sequence[Any]
    good: int
    lines: list[Problem]
    pictures: list[Problem]
    regions: Regions


def check_file(file: Path, wanted: Wanted, ratio: float, decoded: Decoded) -> Checked:
    """Read a label file and decode its pictures; all samples lie in memory then.

    Args:
        file: The label file; see `ppedge.data.formats.read_labels`.
        wanted: What is to be had from it.
        ratio: Of its samples.
        decoded: Pictures that need not be decoded again; gets those that are.

    Raises:
        PpedgeError: The file is not there or cannot be read.
    """
    labels = read_all([LabelFile(file=file, ratio=ratio)], wanted.root, wanted.kind)
    good = readable(Labels[Any](labels.samples), decoded)
    regions = Regions()
    regions.add(good.samples, wanted)
    samples = rec_samples_from_detection(good.samples) if wanted.as_lines else good.samples
    return Checked(samples, len(good.samples), labels.problems, good.problems, regions)
