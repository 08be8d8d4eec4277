"""Labels for lines that nobody has read: what a recogniser reads in them, where it is sure.

Source: Li et al., PP-OCRv3: More Attempts for the Improvement of Ultra Lightweight OCR System, 2022 (UIM, unlabeled
images mining).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ppedge.data.annotation import pictures_below
from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.ctc import Text
from ppedge.ocr.image_file import read_image


class Reader(Protocol):
    """What reads lines: a recogniser, as `ppedge.ocr.pipeline.Recognizer` is one."""

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Text]:
        """Return the texts of crops (h, w, 3)."""
        ...


@dataclass
class Found:
    """What came of the pictures.

    Attributes:
        lines: Of the label file, one a picture that was read surely enough, in the order of their paths.
        unsure: How many pictures were read with a lower score.
        empty: How many have no text for the recogniser.
        problems: Why each of the other pictures cannot be used; begins with its path.
        best: The highest score of those in ``unsure``.
    """

    lines: list[str] = field(default_factory=list)
    unsure: int = 0
    empty: int = 0
    problems: list[str] = field(default_factory=list)
    best: float = 0.0


def pseudo_label(
    folder: Path,
    reader: Reader,
    threshold: float,
    root: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Read every picture in a folder and in all below it, each one line of text.

    Args:
        folder: Where the pictures lie.
        reader: Reads them.
        threshold: The least score, 0 to 1, of a text that becomes a label.
        root: The folder that the labels name pictures relative to, ``folder`` or one above it; by default ``folder``.
        progress: Called with the number of pictures done and to do.

    Returns:
        The label lines, and what became of the other pictures.

    Raises:
        PpedgeError: There is no such folder or no picture in it, it does not lie below ``root``, or the reader failed.
        MissingError: There is not enough memory for a picture.
    """
    root = root or folder
    if not folder.is_dir():
        raise PpedgeError(f"{folder}: no such folder.", "Name the folder that the pictures of lines lie in.")
    if not folder.resolve().is_relative_to(root.resolve()):
        raise PpedgeError(f"{folder}: does not lie below {root}.", "Name a folder above the pictures with --root.")
    pictures = pictures_below(folder)
    if not pictures:
        raise PpedgeError(f"{folder}: a folder without pictures.", "Name the folder that the pictures of lines lie in.")
    above, found = folder.resolve().relative_to(root.resolve()), Found()
    for done, picture in enumerate(pictures, start=1):
        _add(found, picture, str(above / picture.relative_to(folder)), reader, threshold)
        progress(done, len(pictures))
    return found


def _add(found: Found, picture: Path, name: str, reader: Reader, threshold: float) -> None:
    """Read a picture and note what came of it; ``name`` is what its label calls it."""
    if reason := unnameable(name):
        found.problems.append(f"{picture}: {reason}")
        return
    try:
        image = read_image(picture)
    except MissingError:
        raise
    except PpedgeError as error:
        found.problems.append(error.message)
        return
    try:
        [text] = reader([image])
    except PpedgeError as error:
        raise type(error)(f"{picture}: {error.message}", error.hint) from error
    if not text.text.strip():
        found.empty += 1
    elif text.score < threshold:
        found.unsure += 1
        found.best = max(found.best, text.score)
    else:
        found.lines.append(f"{name}\t{text.text}")


def unnameable(name: str) -> str | None:
    """Say why a label file cannot name a picture; None if it can."""
    if any(mark in name for mark in "\t\n\r"):
        return "its name has a tab or a line break, which a label file cannot hold"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return None
