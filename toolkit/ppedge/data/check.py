"""Looking through data before a training does: every label line, every picture."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ppedge.data.formats import DetSample, Kind, Labels, Problem, Sample, read_all
from ppedge.data.lines import count_unusable
from ppedge.data.regions import Region, RegionError, fit_all
from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.charset import Charset
from ppedge.ocr.image_file import picture_size, read_image


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
    labels = read_all(files, root, kind)
    good = readable(labels)
    report = Report(
        pictures=len({s.image for s in good.samples}),
        samples=len(good.samples),
        reversed=good.reversed,
        clipped=good.clipped,
        problems=good.problems,
    )
    if kind == "detection":
        report.left_out = count_unusable(good.samples)
    texts: list[str] = []
    for sample in good.samples:
        if isinstance(sample, DetSample):
            report.boxes += len(sample.polygons)
            report.ignored += sum(sample.ignore)
            texts += [text for text, ignored in zip(sample.texts, sample.ignore, strict=True) if not ignored]
        else:
            texts.append(sample.text)
    if charset is not None:
        counts = Counter(character for text in texts for character in charset.unknown(text))
        report.outside_charset = dict(sorted(counts.items()))
    return report


def usable(labels: Labels[Sample], skip_bad: bool) -> tuple[list[Sample], int]:
    """Return the samples that a training can use, after decoding every picture.

    Args:
        labels: What `read_labels` returned.
        skip_bad: Leave bad lines and pictures out; without it, one is an error.

    Returns:
        The good samples and the number of label lines that were left out.

    Raises:
        PpedgeError: There is a problem and no ``skip_bad``, or nothing is left.
    """
    good = readable(labels)
    count = len(good.problems)
    if count and not skip_bad:
        more = f", and {count - 1} more" if count > 1 else ""
        raise PpedgeError(
            f"{good.problems[0]}{more}.",
            "List all of them with `ppedge data check`, or leave them out with --skip-bad.",
        )
    if not good.samples:
        first = f" The first problem: {good.problems[0]}." if count else ""
        raise PpedgeError(f"The label files have no usable line.{first}", "List the problems with `ppedge data check`.")
    return good.samples, count


def readable(labels: Labels[Sample]) -> Labels[Sample]:
    """Decode every picture once, in threads, and hold the regions of detection labels against it.

    Returns:
        The samples of good pictures, their regions as `ppedge.data.regions.fit` gives them, and the problems.
    """
    pictures = list(dict.fromkeys(sample.image for sample in labels.samples))
    reasons = dict(zip(pictures, _reasons(pictures), strict=True))
    samples: list[Any] = []
    problems = list(labels.problems)
    turned = clipped = 0
    for sample in labels.samples:
        reason = reasons[sample.image]
        if reason is not None:
            problems.append(_problem(sample, reason))
        elif not isinstance(sample, DetSample):
            samples.append(sample)
        else:
            try:
                fitted, regions = _fitted(sample)
            except RegionError as error:
                problems.append(_problem(sample, str(error)))
                continue
            samples.append(fitted)
            turned += sum(region.reversed for region in regions)
            clipped += sum(region.clipped for region in regions)
    order = {file: number for number, file in enumerate(dict.fromkeys(p.file for p in problems))}
    problems.sort(key=lambda problem: (order[problem.file], problem.line))
    return Labels(samples, problems, turned, clipped)


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
