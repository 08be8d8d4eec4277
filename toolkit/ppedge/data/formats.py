"""Label files in PPOCR format, read strictly.

A detection line is ``path<TAB>JSON``: a list of ``{"transcription": text, "points": [[x, y], ...]}``, for regions that
nobody can read also with ``"difficult": true``; a recognition line is ``path<TAB>text``. Paths are relative to the
data's root. A line that is not so becomes a `Problem`, never an exception, so that all of them can be told at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from ppedge.data.labelled import DetSample, Labels, Problem, RecSample
from ppedge.data.lookup import Lookup, numbered_lines, opened_label_file
from ppedge.data.regions import Polygon, RegionError, polygon_of, quads_of
from ppedge.recipe.data import LabelFile, paths
from ppedge.storage import atomic_write

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_REGIONS = re.compile(r"\s*\[\s*\{")

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"RIFF", b"II*\0", b"MM\0*", b"GIF8")
"""How pictures begin: somebody may name one instead of the labels."""
_BEGIN = 64  # bytes that tell what a file is

Kind = Literal["detection", "recognition"]
KINDS: tuple[Kind, ...] = get_args(Kind)

IGNORED_TEXTS = ("###", "*")
"""Transcriptions that mark a region nobody could read: neither text nor background."""
UNREAD_TEXTS = ("待识别", "TEMPORARY")
"""What PPOCRLabel, in Chinese and in English, gives a region until somebody types its text; ignored likewise."""
_IGNORED = frozenset((*IGNORED_TEXTS, *UNREAD_TEXTS))


class _BadLineError(Exception):
    """The reason why a line is not a label; it does not leave this module."""


class _OtherKindError(_BadLineError):
    """The line looks like a label of the other format."""


class _NoPictureError(_BadLineError):
    """The line names a picture that is not there."""

    def __init__(self, name: str, hint: str) -> None:
        self.name = name[:200]
        super().__init__(f"no such picture: {self.name}{hint}")


def read_labels(file: Path, root: Path, kind: Kind) -> Labels[Any]:
    """Read a label file.

    Args:
        file: The label file, relative to ``root``; where there is none, to the current folder.
        root: The folder that pictures are named relative to.
        kind: Which of the two formats.

    Returns:
        The samples in the file's order (`DetSample` or `RecSample`) and the problems. Empty lines are passed over. A
        picture must be there, but is not opened: regions are held against it by `ppedge.data.check.readable`.

    Raises:
        PpedgeError: The root folder or the file is not there or cannot be read.
    """
    problems: list[Problem] = []
    samples = list(good_lines(file, root, kind, problems))
    if wrong := of_other_kind(problems, len(samples), kind):
        return Labels([], [wrong])
    return Labels(samples, problems)


def good_lines(file: Path, root: Path, kind: Kind, problems: list[Problem]) -> Iterator[Any]:
    """Yield the samples of a label file, one line after the other, and append the problems of the others to a list.

    Whether the file is of the kind at all shows at its end: see `of_other_kind`.

    Args:
        file: See `read_labels`, and there for ``root`` and ``kind``.
        root: Likewise.
        kind: Likewise.
        problems: To append to.

    Raises:
        PpedgeError: See `read_labels`.
    """
    with opened_label_file(file, root) as (opened, path):
        begin = opened.peek(_BEGIN)[:_BEGIN]
        if begin.startswith(_UTF_16):
            problems.append(Problem(path, 1, "the file is UTF-16, not UTF-8: save it as UTF-8"))
            return
        if begin.startswith(_PICTURES) and b"\0" in begin:  # a picture's name may begin with BM, too
            reason = "a picture, not a label file: name the file that names the pictures"
            problems.append(Problem(path, 1, reason))
            return
        yield from parsed(numbered_lines(opened), path, root, kind, problems)


def parsed(
    lines: Iterable[tuple[int, bytes]], path: Path, root: Path, kind: Kind, problems: list[Problem]
) -> Iterator[Any]:
    """Yield the samples of lines, and append the problems of the others to a list.

    Args:
        lines: Numbers and lines, as `ppedge.data.lookup.numbered_lines` gives them.
        path: Where their label file lies.
        root: See `read_labels`, and there for ``kind``.
        kind: Likewise.
        problems: To append to.
    """
    parse = _detection if kind == "detection" else _recognition
    pictures = Lookup(root)
    for number, line in lines:
        try:
            sample = parse(line, pictures, f"{path}:{number}")
        except _BadLineError as error:
            missing = error.name if isinstance(error, _NoPictureError) else ""
            problems.append(Problem(path, number, str(error), isinstance(error, _OtherKindError), missing))
        else:
            yield sample


def of_other_kind(problems: Sequence[Problem], samples: int, kind: Kind) -> Problem | None:
    """Return what is wrong with a whole label file that is of the other kind, or None.

    Args:
        problems: Of its lines.
        samples: How many of its lines are good.
        kind: The one that it was read as.
    """
    misfits = [problem for problem in problems if problem.other_kind]
    if len(misfits) <= samples:
        return None
    other = "recognition" if kind == "detection" else "detection"
    count = f"{len(misfits)} of {samples + len(problems)} lines"
    reason = f"{count} look like {other} labels, not {kind} labels: check --kind, or data.labels of a recipe"
    return Problem(misfits[0].file, misfits[0].line, reason)


def read_either(file: Path, root: Path) -> Labels[Any]:
    """Read a label file in the format in which more of its lines are labels; some texts are JSON, too."""
    detection, recognition = (read_labels(file, root, kind) for kind in KINDS)
    return recognition if len(recognition.samples) > len(detection.samples) else detection


def read_all(files: Sequence[Path | LabelFile], root: Path, kind: Kind) -> Labels[Any]:
    """Read several label files as one; see `read_labels`. Samples of a `LabelFile` have its ratio."""
    parts = [read_labels(path, root, kind) for path in paths(files)]
    ratios = [file.ratio if isinstance(file, LabelFile) else 1.0 for file in files]
    samples = [
        sample if ratio == sample.ratio else replace(sample, ratio=ratio)
        for part, ratio in zip(parts, ratios, strict=True)
        for sample in part.samples
    ]
    return Labels(samples, [p for part in parts for p in part.problems])


def detection_line(image: str, polygons: Sequence[Polygon], texts: Sequence[str]) -> str:
    """Return a line of a detection label file, coordinates rounded to a tenth of a pixel."""
    regions = [
        {"transcription": text, "points": [[round(float(x), 1), round(float(y), 1)] for x, y in polygon]}
        for polygon, text in zip(polygons, texts, strict=True)
    ]
    return f"{image}\t{json.dumps(regions, ensure_ascii=False)}"


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a label file atomically."""
    with atomic_write(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


def _split(line: bytes, pictures: Lookup) -> tuple[Path, str]:
    """Split a line into the picture's path and the rest."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _BadLineError(f"not UTF-8 (byte {error.start})") from error
    name, tab, rest = text.partition("\t")
    if not tab:
        raise _BadLineError("no tab between path and label")
    if not name.strip():
        raise _BadLineError("no path before the tab")
    image = pictures.find(name)
    if image is None:
        raise _NoPictureError(name, pictures.hint(name))
    return image, rest


def _recognition(line: bytes, pictures: Lookup, where: str) -> RecSample:
    image, text = _split(line, pictures)
    if not text.strip():
        raise _BadLineError("the text is empty")
    if "\t" in text:
        raise _BadLineError("more than one tab")
    if _REGIONS.match(text) and '"points"' in text:
        raise _OtherKindError("the text is a list of regions, as in detection labels")
    return RecSample(image, text, where)


def _detection(line: bytes, pictures: Lookup, where: str) -> DetSample:
    image, rest = _split(line, pictures)
    try:
        regions = json.loads(rest)
    except (ValueError, RecursionError) as error:
        a_text = rest.strip() and not rest.startswith(("[", "{"))
        raise (_OtherKindError if a_text else _BadLineError)(f"not JSON ({error})") from error
    if not isinstance(regions, list):
        raise _BadLineError("the JSON is not a list of regions")
    outlines, texts, ignore = [], [], []
    for number, region in enumerate(regions, start=1):
        try:
            points, text, difficult = parts_of(region)
        except RegionError as error:
            raise _BadLineError(f"region {number}: {error}") from error
        outlines.append(points)
        texts.append(text)
        ignore.append(difficult or text.strip() in _IGNORED)
    return DetSample(image, _polygons(outlines), texts, ignore, where)


def _polygons(outlines: list[Any]) -> list[Polygon]:
    quads = quads_of(outlines)
    if quads is not None:
        return quads
    polygons = []
    for number, points in enumerate(outlines, start=1):
        try:
            polygons.append(polygon_of(points))
        except RegionError as error:
            raise _BadLineError(f"region {number}: {error}") from error
    return polygons


def parts_of(region: Any) -> tuple[Any, str, bool]:
    """Return the points of a region of a detection label, its text, and whether it is marked difficult.

    Args:
        region: Of the list that is the label's JSON.

    Returns:
        The points as they are written: see `ppedge.data.regions.polygon_of`.

    Raises:
        RegionError: It is no region.
    """
    if not isinstance(region, dict) or "transcription" not in region or "points" not in region:
        raise RegionError('not an object with "transcription" and "points"')
    text = region["transcription"]
    if not isinstance(text, str):
        raise RegionError("the transcription is not a text")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, escaped in the JSON
        raise RegionError("the transcription is not Unicode text") from error
    difficult = region.get("difficult", False)
    if difficult not in (True, False, None):  # 0 and 1 are equal to them
        raise RegionError('"difficult" is neither true nor false')
    return region["points"], text, bool(difficult)
