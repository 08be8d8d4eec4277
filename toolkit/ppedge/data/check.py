"""Looking through data before a training does: every label line, every picture."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ppedge.data.formats import Kind, good_lines, of_other_kind
from ppedge.data.labelled import DetSample, Labels, Problem, RecSample, Sample
from ppedge.data.lines import count_unusable
from ppedge.data.lookup import find_label_file
from ppedge.data.regions import Region, RegionError, fit_all
from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.charset import Charset
from ppedge.ocr.image_file import picture_size, read_image

_AT_ONCE = 256  # samples whose pictures are decoded before the next are read


@dataclass
class Report:
    """What `check` found.

    Attributes:
        pictures: Different pictures that can be read.
        samples: Label lines without a problem.
        boxes: Text regions of detection labels.
        reversed: Those of them that ran counter-clockwise, and are used turned round.
        clipped: Those of them that stick out of their picture, and are used cut off at its edge.
        ignored: Those of them that are marked as unreadable, or nobody has read yet.
        left_out: Regions that no line of text is cut out of, by the reason; the ignored ones are among them.
        outside_charset: How often each character occurs that the charset lacks.
        problems: Bad lines and bad pictures, in the files' order.
    """

    pictures: int = 0
    samples: int = 0
    boxes: int = 0
    reversed: int = 0
    clipped: int = 0
    ignored: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    outside_charset: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        problems = [{"file": str(p.file), "line": p.line, "reason": p.reason} for p in self.problems]
        return {**vars(self), "problems": problems}


def check(files: Sequence[Path], root: Path, kind: Kind, charset: Charset | None = None) -> Report:
    """Read label files and decode every picture that they name.

    Args:
        files: Label files; see `read_labels`.
        root: The folder that pictures are named relative to.
        kind: The format of the label files.
        charset: Count the characters that it lacks.

    Raises:
        PpedgeError: A label file is not there.
    """
    for file in files:
        find_label_file(file, root)  # before hours go by with the pictures of others
    report, decoded = Report(), Decoded()
    lines: list[Problem] = []
    pictures: list[Problem] = []
    seen: set[int] = set()
    for file in files:
        tally = _Tally(kind, charset)
        problems: list[Problem] = []
        found = list(tally.take(held(good_lines(file, root, kind, problems), decoded)))
        if wrong := of_other_kind(problems, tally.report.samples + len(found), kind):
            lines.append(wrong)
            continue
        lines += problems
        pictures += found
        seen = seen | tally.pictures if seen else tally.pictures
        tally.add_to(report)
    report.pictures, report.problems = len(seen), in_order([*lines, *pictures])
    report.outside_charset = dict(sorted(report.outside_charset.items()))
    return report


class _Tally:
    """What one label file adds to a report; kept apart, since its end may show that it is of another kind.

    Args:
        kind: Of the labels.
        charset: See `check`.
    """

    def __init__(self, kind: Kind, charset: Charset | None) -> None:
        self.report = Report()
        self.pictures: set[int] = set()
        self._kind = kind
        self._charset = charset

    def take(self, lines: Iterable[Held | Problem]) -> Iterator[Problem]:
        """Count the good lines, and yield the problems of the others."""
        for line in lines:
            if isinstance(line, Problem):
                yield line
            else:
                self._count(line)

    def _count(self, line: Held) -> None:
        report, sample = self.report, line.sample
        self.pictures.add(_key(sample.image))
        report.samples += 1
        texts = [sample.text] if isinstance(sample, RecSample) else []
        if isinstance(sample, DetSample):
            report.boxes += len(sample.polygons)
            report.ignored += sum(sample.ignore)
            report.reversed += line.reversed
            report.clipped += line.clipped
            _add(report.left_out, count_unusable([sample]))
            texts = [text for text, ignored in zip(sample.texts, sample.ignore, strict=True) if not ignored]
        if self._charset is not None:
            for text in texts:
                _add(report.outside_charset, Counter(self._charset.unknown(text)))

    def add_to(self, whole: Report) -> None:
        """Add all but pictures and problems to another report."""
        own = self.report
        for name in ("samples", "boxes", "reversed", "clipped", "ignored"):
            setattr(whole, name, getattr(whole, name) + getattr(own, name))
        _add(whole.left_out, own.left_out)
        _add(whole.outside_charset, own.outside_charset)


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def readable(labels: Labels[Sample], decoded: Decoded | None = None) -> Labels[Sample]:
    """Decode every picture once, in threads, and hold the regions of detection labels against it.

    Args:
        labels: What `read_labels` returned.
        decoded: Pictures that need not be decoded again; gets those that are.

    Returns:
        The samples of good pictures, their regions as `ppedge.data.regions.fit` gives them, and the problems.
    """
    samples: list[Any] = []
    problems = list(labels.problems)
    turned = clipped = 0
    for line in held(labels.samples, Decoded() if decoded is None else decoded):
        if isinstance(line, Problem):
            problems.append(line)
        else:
            samples.append(line.sample)
            turned += line.reversed
            clipped += line.clipped
    return Labels(samples, in_order(problems), turned, clipped)


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Sort problems by their files, as these come first among them, and lines."""
    order = {file: number for number, file in enumerate(dict.fromkeys(p.file for p in problems))}
    return sorted(problems, key=lambda problem: (order[problem.file], problem.line))


class Held(NamedTuple):
    """A good sample, and how many of its regions were turned round and cut off."""

    sample: Any
    reversed: int = 0
    clipped: int = 0


class Decoded:
    """Pictures that have been decoded: a million of them take less than 100 MB."""

    def __init__(self) -> None:
        self._good: set[int] = set()
        self._bad: dict[int, str] = {}

    def reasons(self, pictures: Sequence[Path]) -> list[str | None]:
        """Return why each cannot be used, or None; those that are new are decoded in threads."""
        keys = [_key(picture) for picture in pictures]
        new = {key: path for key, path in zip(keys, pictures, strict=True) if not self._knows(key)}
        for key, reason in zip(new, _reasons(new.values()), strict=True):
            if reason is None:
                self._good.add(key)
            else:
                self._bad[key] = reason
        return [self._bad.get(key) for key in keys]

    def trust(self, picture: Path) -> None:
        """Take a picture as one that has been decoded and is good."""
        self._good.add(_key(picture))

    def _knows(self, key: int) -> bool:
        return key in self._good or key in self._bad


def _key(picture: Path) -> int:
    """Return 64 bits that stand for a picture: two of a million have the same once in 30 million data sets."""
    return hash(str(picture))


def held(samples: Iterable[Any], decoded: Decoded) -> Iterator[Held | Problem]:
    """Hold samples against their pictures, so many at a time that memory does not depend on how many there are."""
    rest = iter(samples)
    while some := list(islice(rest, _AT_ONCE)):
        for sample, reason in zip(some, decoded.reasons([sample.image for sample in some]), strict=True):
            if reason is not None:
                yield _problem(sample, reason)
            elif not isinstance(sample, DetSample):
                yield Held(sample)
            else:
                try:
                    fitted, regions = _fitted(sample)
                except RegionError as error:
                    yield _problem(sample, str(error))
                else:
                    yield Held(fitted, sum(r.reversed for r in regions), sum(r.clipped for r in regions))


def _fitted(sample: DetSample) -> tuple[DetSample, list[Region]]:
    """Hold the regions of a picture against it; return the sample with them, and what became of each.

    Raises:
        RegionError: Names the first region that cannot be used, and the picture's size.
    """
    size = picture_size(sample.image)
    regions: list[Region] = []
    for number, region in enumerate(fit_all(sample.polygons, size, sample.image.name), start=1):
        if isinstance(region, RegionError):
            raise RegionError(f"region {number}: {region}")
        regions.append(region)
    return replace(sample, polygons=[region.polygon for region in regions]), regions


def _problem(sample: Any, reason: str) -> Problem:
    file, _, line = sample.where.rpartition(":")
    return Problem(Path(file), int(line), reason)


def _reasons(pictures: Iterable[Path]) -> list[str | None]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(unreadable, pictures))


def unreadable(path: Path) -> str | None:
    """Decode a picture as training does; return why it cannot be used, beginning with its path, or None.

    Raises:
        MissingError: There is not enough memory for it.
    """
    try:
        read_image(path)
    except MissingError:
        raise
    except PpedgeError as error:
        return error.message.removesuffix(".")
    return None
