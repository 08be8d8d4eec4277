"""Label files as a command line names them: by a folder that holds some, and without the folder of their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ppedge.data.formats import Kind
from ppedge.data.lookup import SPLITS, Lookup, label_lines
from ppedge.data.ppocrlabel import CROPS, LABELS
from ppedge.errors import PpedgeError

WHOLE = "labels.txt"
"""What `ppedge data convert` and `crops` are told to write."""


def label_files(place: Path) -> list[Path]:
    """Return the label files that a folder stands for: the parts of a split, or PPOCRLabel's own, or what is not split.

    Args:
        place: The folder; any other path is a label file itself.

    Raises:
        PpedgeError: The folder holds none of them.
    """
    if not place.is_dir():
        return [place]
    for names in (list(SPLITS.values()), [LABELS], [WHOLE]):
        if found := [place / name for name in names if (place / name).is_file()]:
            return found
    raise PpedgeError(
        f"{place}: a folder without {', '.join(SPLITS.values())}, {LABELS} or {WHOLE}.",
        "Name a label file; `ppedge data convert` makes one of other data sets.",
    )


def usual_kind(files: Sequence[Path]) -> Kind:
    """Return the format of label files where nobody says: recognition where all have PPOCRLabel's name for that."""
    return "recognition" if all(file.name == CROPS for file in files) else "detection"


def usual_root(file: Path) -> Path:
    """Return the folder that a label file's pictures are named relative to where nobody says: its own.

    PPOCRLabel names them relative to the folder above, which is meant where one of them is there and none here.
    """
    if file.name != LABELS or not file.is_file():
        return file.parent
    above = file.absolute().parent.parent
    for _, line in label_lines(file.absolute(), file.parent):
        name = line.partition(b"\t")[0].decode("utf-8", "replace")
        for root in (file.parent, above):
            if Lookup(root).find(name):
                return root
    return file.parent
