"""Total-Text (Ch'ng and Chan, 2017): one text file a picture, one curved region an entry, as its authors print arrays.

An entry is ``x: [[...]], y: [[...]], ornt: [u'c'], transcriptions: [u'text']`` and may go over several lines.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ppedge.data.annotation import Annotation, Row, pictures_below, text_of
from ppedge.data.formats import IGNORED_TEXTS
from ppedge.data.icdar import pair
from ppedge.data.labelled import Problem
from ppedge.data.regions import RegionError, polygon_of

PREFIX = "poly_gt_"
_ENTRY = re.compile(r"^x:", re.MULTILINE)
_PARTS = re.compile(
    r"x:\s*\[\[([\d\s]*)\]\],\s*y:\s*\[\[([\d\s]*)\]\],\s*ornt:.*?,\s*transcriptions:\s*(\[.*\])\s*", re.DOTALL
)
_UNREADABLE = "#"


def read_total_text(folder: Path) -> Iterator[Annotation | Problem]:
    """Read the annotations ``poly_gt_NAME.txt`` below a folder; pictures may lie in another one.

    Args:
        folder: Looked through with all folders below it.
    """
    files = sorted(folder.rglob(f"{PREFIX}*.txt"))
    for file, picture in pair(files, pictures_below(folder), folder, PREFIX):
        if isinstance(picture, Problem):
            yield picture
            continue
        text, rows = text_of(file)
        begins = [match.start() for match in _ENTRY.finditer(text)]
        if not begins and text.strip():
            yield Annotation(picture, file, [Row(1, None, "", "no entry begins with x:")])
            continue
        ends = [*begins[1:], len(text)]
        rows += [
            _row(text.count("\n", 0, begin) + 1, text[begin:end]) for begin, end in zip(begins, ends, strict=False)
        ]
        yield Annotation(picture, file, rows)


def _row(number: int, entry: str) -> Row:
    parts = _PARTS.fullmatch(entry)
    try:
        if parts is None:
            raise ValueError
        texts = ast.literal_eval(parts[3])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError
        x, y = (list(map(int, parts[k].split())) for k in (1, 2))
        polygon = polygon_of([list(point) for point in zip(x, y, strict=True)])
    except RegionError as error:
        return Row(number, None, "", str(error))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return Row(number, None, "", "not x, y, ornt and transcriptions as in Total-Text")
    text = " ".join(texts).strip()
    return Row(number, polygon, IGNORED_TEXTS[0] if text in ("", _UNREADABLE) else text)
