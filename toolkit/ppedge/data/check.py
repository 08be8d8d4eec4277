"""Looking through data before a training does: every label line, every picture."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
from PIL import Image, UnidentifiedImageError

from ppedge.data.formats import DetSample, Kind, Labels, Problem, Sample, read_all
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import Charset


@dataclass
class Report:
    """What `check` found.

    Attributes:
        pictures: Different pictures that can be read.
        samples: Label lines without a problem.
        boxes: Text regions of detection labels.
        ignored: Those of them that are marked as unreadable.
        outside_charset: How often each character occurs that the charset lacks.
        problems: Bad lines and bad pictures, in the files' order.
    """

    pictures: int = 0
    samples: int = 0
    boxes: int = 0
    ignored: int = 0
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
    report = Report(pictures=len({s.image for s in good.samples}), samples=len(good.samples), problems=good.problems)
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
    """Decode every picture once, in threads, and turn the samples of bad ones into problems."""
    pictures = list(dict.fromkeys(sample.image for sample in labels.samples))
    reasons = dict(zip(pictures, _reasons(pictures), strict=True))
    problems = list(labels.problems)
    for sample in labels.samples:
        reason = reasons[sample.image]
        if reason is not None:
            problems.append(_problem(sample, reason))
    order = {file: number for number, file in enumerate(dict.fromkeys(p.file for p in problems))}
    problems.sort(key=lambda problem: (order[problem.file], problem.line))
    return Labels([sample for sample in labels.samples if not reasons[sample.image]], problems)


def _problem(sample: Any, reason: str) -> Problem:
    file, _, line = sample.where.rpartition(":")
    return Problem(Path(file), int(line), f"{sample.image}: {reason}")


def _reasons(pictures: Iterable[Path]) -> list[str | None]:
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # Pillow warns about large pictures, which are fine
        return list(pool.map(unreadable, pictures))


def unreadable(path: Path) -> str | None:
    """Decode a picture; return why it cannot be used, or None.

    Pillow decodes, since OpenCV fills a truncated JPEG up with grey and says nothing.
    """
    try:
        if path.stat().st_size == 0:
            return "the picture has no bytes"
        with Image.open(path) as image:
            image.load()
        return None if cv2.haveImageReader(str(path)) else "OpenCV cannot read this kind of picture"
    except UnidentifiedImageError:
        return "not a picture"
    except Image.DecompressionBombError:
        return "the picture is too large"
    except OSError as error:
        return f"the picture cannot be read ({error.strerror or error})"
    except Exception as error:  # on damaged files, Pillow's decoders raise whatever they stumble over
        return f"the picture is damaged ({type(error).__name__}: {error})"
