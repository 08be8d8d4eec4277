"""Other data sets' annotations as PPOCR label files, and detection labels as a recogniser's crops."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from ppedge.data.folders import new_folder
from ppedge.data.formats import (
    IGNORED_TEXTS,
    DetSample,
    Polygon,
    Problem,
    detection_line,
    rec_samples_from_detection,
    write_lines,
)
from ppedge.data.pictures import cut_out
from ppedge.data.texts import LETTERS
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import PROVINCES
from ppedge.ocr.geometry import polygon_area
from ppedge.ocr.image_file import read_image

Source = Literal["icdar2015", "ccpd"]

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
# The tables of CCPD's file names: the plate's first character, its second, and the others; "O" stands for "none".
_CCPD_PROVINCES = PROVINCES + "警学" + "O"
_CCPD_LETTERS = LETTERS + "O"
_CCPD_SERIAL = LETTERS + "0123456789" + "O"
_CCPD_POINT = re.compile(r"(\d+)&(\d+)")


class Converted(NamedTuple):
    """Lines of a detection label file, and what could not be converted."""

    lines: list[str]
    problems: list[Problem]


def convert(source: Source, folder: Path, root: Path) -> Converted:
    """Read a data set's annotations.

    Args:
        source: ``icdar2015``: text files ``gt_NAME.txt`` and pictures ``NAME.jpg`` anywhere below the folder; ``ccpd``:
            pictures whose names are their annotations.
        folder: Where the data set lies; looked through with all folders below it.
        root: The folder that the label file shall name pictures relative to.

    Raises:
        PpedgeError: The folder is not there, holds nothing of that kind, or lies outside ``root``.
    """
    if not folder.is_dir():
        raise PpedgeError(f"{folder}: no such folder.", "Name the folder of the unpacked data set.")
    if not folder.resolve().is_relative_to(root.resolve()):
        raise PpedgeError(f"{folder}: not below the root {root}.", "Choose --root so that it holds the pictures.")
    read = _icdar2015 if source == "icdar2015" else _ccpd
    lines: list[str] = []
    problems: list[Problem] = []
    for found in read(folder):
        if isinstance(found, Problem):
            problems.append(found)
            continue
        picture, polygons, texts = found
        name = picture.resolve().relative_to(root.resolve()).as_posix()
        lines.append(detection_line(name, polygons, texts))
    if not lines and not problems:
        kind = "gt_*.txt files" if source == "icdar2015" else "pictures"
        raise PpedgeError(f"{folder}: no {kind} in it or below it.", f"Is it a {source} data set?")
    return Converted(lines, problems)


_Annotation = tuple[Path, list[Polygon], list[str]]


def _icdar2015(folder: Path) -> Iterator[_Annotation | Problem]:
    pictures: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICTURES:
            pictures.setdefault(path.stem, path)
    for file in sorted(folder.rglob("gt_*.txt")):
        picture = pictures.get(file.stem.removeprefix("gt_"))
        if picture is None:
            yield Problem(file, 1, f"no picture named {file.stem.removeprefix('gt_')}")
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            yield Problem(file, 1, f"not UTF-8 (byte {error.start})")
            continue
        polygons, texts = [], []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            region = _icdar2015_region(line)
            if isinstance(region, str):
                yield Problem(file, number, region)
                continue
            polygons.append(region[0])
            texts.append(region[1])
        yield picture, polygons, texts


def _icdar2015_region(line: str) -> tuple[Polygon, str] | str:
    """Read ``x1,y1,...,x4,y4,text``, in which the text may hold commas; or return what is wrong with it."""
    parts = line.split(",", 8)
    if len(parts) < 9:
        return "not eight coordinates and a text, separated by commas"
    try:
        quad = np.array([float(part) for part in parts[:8]], np.float32).reshape(4, 2)
    except ValueError:
        return "a coordinate is not a number"
    if not np.isfinite(quad).all() or polygon_area(quad) == 0:
        return "the quad has no area"
    return quad, parts[8]


def _ccpd(folder: Path) -> Iterator[_Annotation | Problem]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in _PICTURES:
            continue
        annotation = parse_ccpd_name(path.stem)
        if annotation is None:
            yield Problem(path, 1, "the file's name is not a CCPD annotation")
        else:
            yield path, [annotation[0]], [annotation[1]]


def parse_ccpd_name(name: str) -> tuple[Polygon, str] | None:
    """Read a CCPD file name without its suffix: ``area-tilt-box-vertices-plate-brightness-blur``.

    The vertices start at the bottom right and run clockwise; the plate is given by indices into tables (Xu et al.,
    Towards End-to-End License Plate Detection and Recognition: A Large Dataset and Baseline, ECCV 2018).

    Returns:
        The quad (4, 2), clockwise from top-left, and the plate's text; None if the name is not of that form.
    """
    fields = name.split("-")
    if len(fields) != 7:
        return None
    vertices = [_CCPD_POINT.fullmatch(vertex) for vertex in fields[3].split("_")]
    indices = fields[4].split("_")
    if len(vertices) != 4 or len(indices) not in (7, 8) or not all(index.isdecimal() for index in indices):
        return None
    points = [(float(vertex[1]), float(vertex[2])) for vertex in vertices if vertex]
    tables = [_CCPD_PROVINCES, _CCPD_LETTERS, *[_CCPD_SERIAL] * (len(indices) - 2)]
    inside = all(
        int(index) < len(table) - 1 for index, table in zip(indices, tables, strict=True)
    )  # the last means none
    if len(points) != 4 or not inside or polygon_area(points) == 0:
        return None
    text = "".join(table[int(index)] for index, table in zip(indices, tables, strict=True))
    return np.array(points, np.float32)[[2, 3, 0, 1]], text


def write_crops(samples: list[DetSample], out: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """Cut every readable text region out of its picture, for a recogniser.

    Args:
        samples: Detection labels.
        out: The folder to make, whole or not at all: ``images/`` (PNG, so that nothing is lost) and ``labels.txt``.
        progress: Called with the number of pictures done and to do.

    Returns:
        The number of crops.

    Raises:
        PpedgeError: ``out`` is there already, a picture cannot be read, a line cannot be cut out of it, or nothing is
            readable.
    """
    lines: list[str] = []
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        for done, sample in enumerate(samples, start=1):
            regions = rec_samples_from_detection([sample])
            if regions:
                image = read_image(sample.image)
            for region in regions:
                name = f"images/{len(lines):06d}.png"
                _, data = cv2.imencode(".png", cut_out(image, region))
                (folder / name).write_bytes(data.tobytes())
                lines.append(f"{name}\t{region.text}")
            if progress is not None:
                progress(done, len(samples))
        if not lines:
            marks = " or ".join(IGNORED_TEXTS)
            raise PpedgeError("The labels have no region with a text to cut out.", f"Regions of {marks} do not count.")
        write_lines(folder / "labels.txt", lines)
    return len(lines)
