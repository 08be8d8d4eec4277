"""Other data sets' annotations as PPOCR label files, and detection labels as a recogniser's crops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ppedge.data.annotation import Annotation, Row, pictures_below
from ppedge.data.coco_text import read_coco_text
from ppedge.data.folders import new_folder
from ppedge.data.formats import IGNORED_TEXTS, detection_line, write_lines
from ppedge.data.icdar import read_icdar
from ppedge.data.labelled import DetSample, Problem
from ppedge.data.lines import count_unusable, rec_samples_from_detection
from ppedge.data.pictures import cut_out
from ppedge.data.ppocrlabel import read_ppocrlabel
from ppedge.data.regions import Polygon, Region, RegionError, fit_all
from ppedge.data.texts import LETTERS
from ppedge.data.total_text import read_total_text
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import PROVINCES
from ppedge.ocr.geometry import polygon_area
from ppedge.ocr.image_file import picture_size, read_image

Source = Literal["icdar2015", "mlt", "sroie", "totaltext", "cocotext", "ccpd", "ppocrlabel"]

# The tables of CCPD's file names: the plate's first character, its second, and the others; "O" stands for "none".
_CCPD_PROVINCES = PROVINCES + "警学" + "O"
_CCPD_LETTERS = LETTERS + "O"
_CCPD_SERIAL = LETTERS + "0123456789" + "O"
_LONGEST_STEM = 200  # bytes, of the 255 that a file's name may have on most systems
_CCPD_POINT = re.compile(r"(\d+)&(\d+)")


@dataclass
class Converted:
    """Lines of a detection label file, and what could not be converted.

    Attributes:
        lines: One a picture.
        origins: Of each line, the file and the line in it that it was made of.
        problems: Bad annotations and pictures.
        ignored: Bad regions that are ignored regions in the lines.
        left_out: Pictures left out, for a bad region of which nothing can be made, or as they cannot be read.
        unlabelled: Pictures left out since nothing annotates them.
        reversed: Regions that were turned to run clockwise.
        clipped: Regions that were cut off at the picture's edge.
    """

    lines: list[str] = field(default_factory=list)
    origins: list[tuple[Path, int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    ignored: int = 0
    left_out: int = 0
    unlabelled: int = 0
    reversed: int = 0
    clipped: int = 0


def convert(source: Source, folder: Path, root: Path) -> Converted:
    """Read a data set's annotations.

    A picture of which a region is bad has that region ignored; if it is not known where it lies, the picture is left
    out, since the text would be learnt as background.

    Args:
        source: ``icdar2015``, ``mlt`` and ``sroie``: see `ppedge.data.icdar`; ``totaltext``: `ppedge.data.total_text`;
            ``cocotext``: `ppedge.data.coco_text`; ``ccpd``: pictures whose names are annotations; ``ppocrlabel``:
            `ppedge.data.ppocrlabel`.
        folder: Where the data set lies; looked through with all folders below it.
        root: The folder that the label file shall name pictures relative to.

    Raises:
        PpedgeError: The folder is not there, holds nothing of that kind, or lies outside ``root``.
    """
    if not folder.is_dir():
        raise PpedgeError(f"{folder}: no such folder.", "Name the folder of the unpacked data set.")
    if not folder.resolve().is_relative_to(root.resolve()):
        raise PpedgeError(f"{folder}: not below the root {root}.", "Choose --root so that it holds the pictures.")
    annotations = _READERS[source](folder)
    below = folder.resolve().relative_to(root.resolve())  # the pictures themselves may be links to elsewhere
    result = Converted()
    annotated: set[Path] = set()
    for found in annotations:
        if isinstance(found, Problem):
            result.problems.append(found)
        else:
            annotated.add(found.picture)
            _add(found, (below / found.picture.relative_to(folder)).as_posix(), result)
    if not result.lines and not result.problems:
        kind = _FILES.get(source, "annotated pictures")
        raise PpedgeError(f"{folder}: no {kind} in it or below it.", f"Is this what --from {source} reads?")
    pictures = pictures_below(folder)
    if source == "ppocrlabel":  # its own pictures alone: PPOCRLabel cuts lines out into folders below
        pictures = [picture for picture in pictures if picture.parent == folder]
    result.unlabelled = len(set(pictures) - annotated)
    return result


def _add(annotation: Annotation, name: str, result: Converted) -> None:
    """Hold a picture's regions against it, and add its line and problems.

    Args:
        annotation: Of the picture.
        name: That the label file shall give it.
        result: Added to.
    """
    picture, file, rows, line = annotation
    reason = _unusable(picture, name)
    if reason is not None:
        result.problems.append(Problem(file, line, reason))
        result.left_out += 1
        return
    known = [np.round(row.polygon, 1) for row in rows if row.polygon is not None]
    fitted = iter(fit_all(known, picture_size(picture), picture.name))
    regions = [RegionError(row.reason) if row.polygon is None else next(fitted) for row in rows]
    reasons = [
        row.reason or (str(region) if isinstance(region, RegionError) else "")
        for row, region in zip(rows, regions, strict=True)
    ]
    result.problems += [Problem(file, row.line, bad) for row, bad in zip(rows, reasons, strict=True) if bad]
    polygons = [region.polygon if isinstance(region, Region) else region.cover for region in regions]
    usable = [polygon for polygon in polygons if polygon is not None]
    if len(usable) < len(rows):
        result.left_out += 1
        return
    texts = [IGNORED_TEXTS[0] if bad else row.text for row, bad in zip(rows, reasons, strict=True)]
    result.lines.append(detection_line(name, usable, texts))
    result.origins.append((file, line))
    result.ignored += sum(map(bool, reasons))
    result.reversed += sum(isinstance(region, Region) and region.reversed for region in regions)
    result.clipped += sum(isinstance(region, Region) and region.clipped for region in regions)


def _unusable(picture: Path, name: str) -> str | None:
    """Return why a picture cannot stand in a label file, or None."""
    if not name.isascii() and name != name.encode(errors="replace").decode():
        return f"the picture's name is not UTF-8: {name!a}"
    if set(name) & set("\t\r\n"):
        return f"the picture's name holds a tab or a line break: {name!a}"
    try:
        picture_size(picture)
    except PpedgeError as error:
        return error.message.removesuffix(".")
    return None


def _ccpd(folder: Path) -> Iterator[Annotation | Problem]:
    for path in pictures_below(folder):
        annotation = parse_ccpd_name(path.stem)
        if annotation is None:
            yield Problem(path, 1, "the file's name is not a CCPD annotation")
        else:
            yield Annotation(path, path, [Row(1, *annotation)])


_READERS: dict[Source, Callable[[Path], Iterator[Annotation | Problem]]] = {
    "icdar2015": read_icdar,
    "mlt": partial(read_icdar, script=True),
    "sroie": partial(read_icdar, plain_names=True),
    "totaltext": read_total_text,
    "cocotext": read_coco_text,
    "ccpd": _ccpd,
    "ppocrlabel": read_ppocrlabel,
}
_FILES = {"icdar2015": "gt_*.txt files", "mlt": "text files", "sroie": "text files", "totaltext": "poly_gt_*.txt files",
          "ccpd": "pictures", "ppocrlabel": "picture that was confirmed in PPOCRLabel"}  # fmt: skip


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
            Crops are named after their picture, as PPOCRLabel names them, so that a split can keep them together.
        progress: Called with the number of pictures done and to do.

    Returns:
        The number of crops.

    Raises:
        PpedgeError: ``out`` is there already, a picture cannot be read, a line cannot be cut out of it, or nothing is
            readable.
    """
    lines: list[str] = []
    names, cut = _crop_names(samples), Counter[Path]()
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        for done, sample in enumerate(samples, start=1):
            regions = rec_samples_from_detection([sample])
            if regions:
                image = read_image(sample.image)
            for region in regions:
                name = f"images/{names[sample.image]}_crop_{cut[sample.image]}.png"
                cut[sample.image] += 1
                _, data = cv2.imencode(".png", cut_out(image, region))
                (folder / name).write_bytes(data.tobytes())
                lines.append(f"{name}\t{region.text}")
            if progress is not None:
                progress(done, len(samples))
        if not lines:
            counts = ", ".join(f"{count} {reason}" for reason, count in count_unusable(samples).items())
            raise PpedgeError("The labels have no region with a text to cut out.", counts and f"There are: {counts}.")
        write_lines(folder / "labels.txt", lines)
    return len(lines)


def _crop_names(samples: Sequence[DetSample]) -> dict[Path, str]:
    """Return what the crops of each picture are named after: its name without suffix, and a number if that is taken."""
    names: dict[Path, str] = {}
    taken = set[str]()
    for picture in dict.fromkeys(sample.image for sample in samples):
        stem = picture.stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
        names[picture] = next(name for k in count() if (name := f"{stem}_{k}" if k else stem) not in taken)
        taken.add(names[picture])
    return names
