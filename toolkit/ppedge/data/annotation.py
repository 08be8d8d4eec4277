"""What is read of another data set's annotations, before it is held against the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ppedge.data.regions import Polygon

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm")
"""How the names of pictures end, of all formats that `ppedge.ocr.image_file` reads; all else is passed over."""


class Row(NamedTuple):
    """One region as it is annotated.

    Attributes:
        line: Of the annotation file, counted from 1.
        polygon: (N, 2) in pixels; None if it cannot be read.
        text: What it says; empty where there is a reason.
        reason: What is wrong with it; empty if nothing is.
    """

    line: int
    polygon: Polygon | None
    text: str
    reason: str = ""


class Annotation(NamedTuple):
    """A picture's regions.

    Attributes:
        picture: Its file.
        file: The file that the regions are read from, for problems.
        rows: The regions.
        line: Of the file, on which the picture is named; 1 where the whole file is of one picture.
    """

    picture: Path
    file: Path
    rows: list[Row]
    line: int = 1


def pictures_below(folder: Path) -> list[Path]:
    """Return the pictures in a folder and all folders below it, told by their suffix, in the order of their paths."""
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURES]


def text_of(file: Path) -> tuple[str, list[Row]]:
    """Return an annotation file's text, and a row that says why there is none where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8"), []
    except OSError as error:
        return "", [Row(1, None, "", f"cannot be read ({error.strerror})")]
    except UnicodeDecodeError as error:
        return "", [Row(1, None, "", f"not UTF-8 (byte {error.start})")]
