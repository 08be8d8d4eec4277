"""Annotations of ICDAR's robust reading competitions: one text file a picture, one region a line.

A line is ``x1,y1,x2,y2,x3,y3,x4,y4,text`` (ICDAR 2015, SROIE 2019), or with the text's script before it (MLT 2017 and
2019).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from ppedge.data.annotation import Annotation, Row, pictures_below, text_of
from ppedge.data.labelled import Problem
from ppedge.data.regions import RegionError, polygon_of
from ppedge.errors import PpedgeError

_PREFIX = "gt_"
_SCRIPTS = {"arabic", "bangla", "chinese", "hindi", "japanese", "korean", "latin", "mixed", "none", "symbols"}
_PARTS = ("train", "test", "val")
"""How the names of folders begin that tell which part of a data set lies in them."""


def read_icdar(folder: Path, *, script: bool = False, plain_names: bool = False) -> Iterator[Annotation | Problem]:
    """Read the annotations below a folder: ``gt_NAME.txt`` or, where there are none, ``NAME.txt``.

    Args:
        folder: Looked through with all folders below it.
        script: Whether a script stands before each text, as in MLT.
        plain_names: Take ``NAME.txt`` without scripts too, as SROIE has them. Its files of entities, which are JSON,
            are passed over.

    Raises:
        PpedgeError: Scripts stand there though ``script`` is not set.
    """
    files = sorted(folder.rglob(f"{_PREFIX}*.txt"))
    if not files and (script or plain_names):
        files = [file for file in sorted(folder.rglob("*.txt")) if not (plain_names and _is_json(file))]
    for file, picture in pair(files, pictures_below(folder), folder):
        if isinstance(picture, Problem):
            yield picture
            continue
        text, rows = text_of(file)
        lines = [(number, line.lstrip("\ufeff")) for number, line in enumerate(text.split("\n"), start=1)]
        rows += [_row(number, line, script) for number, line in lines if line.strip()]
        if not script:
            _refuse_scripts(file, rows)
        yield Annotation(picture, file, rows)


def _row(number: int, line: str, script: bool) -> Row:
    parts = line.split(",", 9 if script else 8)
    try:
        numbers = [float(part) for part in parts[:8]]
        polygon = polygon_of([[x, y] for x, y in zip(numbers[0:8:2], numbers[1:8:2], strict=True)])
    except ValueError:
        return Row(number, None, "", "not eight coordinates and a text, separated by commas")
    except RegionError as error:
        return Row(number, None, "", str(error))
    if len(parts) == 8:
        return Row(number, polygon, "", "no text after the eight coordinates")
    if not script:
        return Row(number, polygon, parts[8])
    if len(parts) == 9 or parts[8].strip().lower() not in _SCRIPTS:
        return Row(number, polygon, "", f"{parts[8][:40]!r} is not one of MLT's scripts, before a comma and the text")
    return Row(number, polygon, parts[9])


def _refuse_scripts(file: Path, rows: Sequence[Row]) -> None:
    texts = [row.text for row in rows if not row.reason]
    if texts and all(text.partition(",")[0].strip().lower() in _SCRIPTS and "," in text for text in texts):
        raise PpedgeError(
            f"{file}: a script stands before each text ({texts[0][:40]!r}), as in MLT's files.",
            "Use --from mlt: otherwise the scripts become part of the texts.",
        )


def _is_json(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(64).lstrip().startswith(b"{")
    except OSError:
        return False  # whoever reads the file says why it cannot be read


def pair(
    files: Sequence[Path], pictures: Sequence[Path], root: Path, prefix: str = _PREFIX
) -> Iterator[tuple[Path, Path | Problem]]:
    """Yield each annotation file and its picture, or the reason why it has none.

    Args:
        files: Of annotations.
        pictures: That they may be of.
        root: The folder of all of them.
        prefix: That the name of a file has before the picture's; may be missing.
    """

    def name_of(file: Path) -> str:
        return file.stem.removeprefix(prefix)

    named = defaultdict(list)
    for path in pictures:
        named[path.stem].append(path)
    beside = {(file.parent, name_of(file)) for file in files}
    found: dict[Path, list[Path]] = {}
    for file in files:
        name = name_of(file)
        found[file] = [
            picture
            for picture in named[name]
            if picture.parent == file.parent
            or ((picture.parent, name) not in beside and _same_part(file, picture, root))
        ]
    nearest: dict[Path, int] = defaultdict(int)  # of each folder of files, to any of their pictures
    for file, candidates in found.items():
        nearest[file.parent] = max(nearest[file.parent], *(_shared(file, picture) for picture in candidates), 0)
    for file, candidates in found.items():
        found[file] = [picture for picture in candidates if _shared(file, picture) == nearest[file.parent]]
    owners = Counter(candidates[0] for candidates in found.values() if len(candidates) == 1)
    for file, candidates in found.items():
        yield file, _chosen(file, name_of(file), candidates, owners, pictures)


def _chosen(
    file: Path, name: str, candidates: Sequence[Path], owners: Counter[Path], pictures: Sequence[Path]
) -> Path | Problem:
    if not candidates:
        twin = next((path.name for path in pictures if path.stem.lower() == name.lower() != path.stem), None)
        hint = f", but {twin}" if twin else ""
        return Problem(file, 1, f"no picture named {name} beside it or in the folder that belongs to it{hint}")
    if len(candidates) > 1:
        return Problem(
            file, 1, f"two pictures named {name}: {candidates[0]} and {candidates[1]}; convert each part alone"
        )
    if owners[candidates[0]] > 1:
        return Problem(file, 1, f"{candidates[0]} is the picture of {owners[candidates[0]]} annotation files")
    return candidates[0]


def _shared(file: Path, picture: Path) -> int:
    """Return how many folders two files lie in together."""
    pairs = zip(file.parent.parts, picture.parent.parts, strict=False)
    return next((depth for depth, (a, b) in enumerate(pairs) if a != b), min(len(file.parts), len(picture.parts)) - 1)


def _same_part(file: Path, picture: Path, root: Path) -> bool:
    """Whether no names of folders tell that the two belong to different parts of the data set."""
    ours, theirs = _parts(file.parent, root), _parts(picture.parent, root)
    return not ours or not theirs or ours == theirs


def _parts(folder: Path, root: Path) -> set[str]:
    words = re.findall(r"[a-z]+", folder.relative_to(root).as_posix().lower())
    return {part for part in _PARTS for word in words if word.startswith(part)}
