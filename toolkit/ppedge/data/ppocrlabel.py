"""The folder that PPOCRLabel works in: pictures, ``Label.txt`` and ``fileState.txt`` beside them.

A line of ``Label.txt`` is a detection label whose picture is named relative to the folder above, as the folder was
called then; only the pictures of this folder are meant. ``fileState.txt`` names those that its user has confirmed, by
their paths on the computer where that was done; the others are what the tool itself has found.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ppedge.data.annotation import Annotation, Row
from ppedge.data.formats import IGNORED_TEXTS, parts_of
from ppedge.data.labelled import Problem
from ppedge.data.lookup import label_lines, label_path
from ppedge.data.regions import RegionError, polygon_of
from ppedge.errors import PpedgeError

LABELS, STATES = "Label.txt", "fileState.txt"
CROPS = "rec_gt.txt"
"""Labels of the lines that it has cut out into ``crop_img/``."""
CONFIRMED = "1"


def read_ppocrlabel(folder: Path) -> Iterator[Annotation | Problem]:
    """Read the labels of a folder's confirmed pictures; of all that are labelled where no ``fileState.txt`` is there.

    Args:
        folder: That ``Label.txt`` lies in.

    Raises:
        PpedgeError: It is not there, or cannot be read.
    """
    file = folder / LABELS
    if not file.is_file():
        raise PpedgeError(
            f"{folder}: no {LABELS} in it.", "In PPOCRLabel choose File, Export Label; --from ppocrlabel reads that."
        )
    confirmed = _confirmed(folder) if (folder / STATES).is_file() else None
    for number, line in label_lines(Path(LABELS), folder):
        try:
            name, _, regions = line.decode("utf-8").partition("\t")
        except UnicodeDecodeError as error:
            yield Problem(file, number, f"not UTF-8 (byte {error.start})")
            continue
        picture = folder / _own_name(name)
        if confirmed is not None and picture.name not in confirmed:
            continue
        if not picture.is_file():
            yield Problem(file, number, f"no such picture: {picture.name[:200]}")
            continue
        yield Annotation(picture, file, _rows(number, regions), number)


def say_unconfirmed(say: Callable[[str], None], files: Iterable[Path], root: Path) -> None:
    """Say how many pictures of label files nobody has confirmed, where PPOCRLabel's own files are read as they are.

    Args:
        say: Told, once for each such file, however often it is named.
        files: Label files; those of other names are passed over, as are those without ``fileState.txt`` beside them.
        root: The folder that files may be named relative to.
    """
    for path in dict.fromkeys(label_path(file, root) for file in files):
        if path.name != LABELS or not path.is_file() or not (path.parent / STATES).is_file():
            continue
        confirmed = _confirmed(path.parent.absolute())
        lines = (line.decode("utf-8", "replace") for _, line in label_lines(path.absolute(), path.parent))
        names = {_own_name(line.partition("\t")[0]) for line in lines}
        if open_ones := len(names - confirmed):
            say(
                f"note: {path}: {open_ones} of {len(names)} pictures are not confirmed in {STATES}, and are taken too; "
                f"`{confirmed_alone(path.parent)}` leaves them out"
            )


def confirmed_alone(folder: Path) -> str:
    """Return the command line that makes a label file of the confirmed pictures in a folder, named from there."""
    below, out = (shlex.quote(str(one)) for one in (folder, folder / "labels.txt"))
    return f"ppedge data convert {below} --from ppocrlabel --out {out}"


def say_no_states(say: Callable[[str], None], folder: Path) -> None:
    """Say that what nobody has confirmed is taken too, where PPOCRLabel has left no ``fileState.txt`` in a folder."""
    if not (folder / STATES).is_file():
        say(f"note: {folder}: no {STATES} in it: pictures that nobody has confirmed are taken too")


def _rows(number: int, regions: str) -> list[Row]:
    try:
        found = json.loads(regions)
        if not isinstance(found, list):
            raise ValueError("the JSON is not a list of regions")
    except (ValueError, RecursionError) as error:
        return [Row(number, None, "", f"not a list of regions ({error})")]
    rows = []
    for region in found:
        try:
            points, text, difficult = parts_of(region)
            polygon = polygon_of(points)
        except RegionError as error:
            rows.append(Row(number, None, "", str(error)))
        else:
            rows.append(Row(number, polygon, IGNORED_TEXTS[0] if difficult else text))
    return rows


def _confirmed(folder: Path) -> set[str]:
    """Return the names of the pictures that are confirmed."""
    pairs = (line.decode("utf-8", "replace").rpartition("\t") for _, line in label_lines(Path(STATES), folder))
    return {_own_name(path) for path, _, state in pairs if state.strip() == CONFIRMED}


def _own_name(path: str) -> str:
    """Return a picture's name without folders, of whichever system."""
    return path.replace("\\", "/").rpartition("/")[2]
