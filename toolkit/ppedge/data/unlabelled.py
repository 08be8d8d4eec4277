"""Pictures without labels, for those who learn from what a network says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ppedge.data.annotation import pictures_below
from ppedge.data.formats import Kind, read_labels
from ppedge.data.labelled import DetSample, Labels, RecSample
from ppedge.data.source import read_charset
from ppedge.data.usable import usable
from ppedge.errors import PpedgeError
from ppedge.ocr.direction import UPRIGHT
from ppedge.recipe.road import Recipe


def pictures_from(recipe: Recipe, source: Path, hint: str, root: Path | None = None) -> list[Path]:
    """Return pictures, absolute and each once.

    Args:
        recipe: Of the network.
        source: A folder, with all below it, or a label file, of which the pictures alone are looked at.
        hint: What to do where there are none.
        root: The folder that a label file names pictures relative to; by default the one that it lies in.

    Raises:
        PpedgeError: There are none, or a line of the label file is none.
    """
    if source.is_dir():
        found = pictures_below(source)
    elif source.is_file():
        kind: Kind = "detection" if recipe.task == "det" else "recognition"
        labels = read_labels(source.resolve(), root or source.parent, kind)
        if labels.problems:
            raise PpedgeError(f"{labels.problems[0]}.", hint)
        found = [sample.image for sample in labels.samples]
    else:
        raise PpedgeError(f"{source}: no such folder or label file.", hint)
    if not found:
        raise PpedgeError(f"{source}: holds 0 pictures.", hint)
    return list(dict.fromkeys(path.resolve() for path in found))


def unlabelled(recipe: Recipe, source: Path, hint: str, *, skip_bad: bool = False) -> tuple[list[Any], int]:
    """Return pictures as training samples, of which nothing but the picture may be used.

    Args:
        recipe: The recipe: a detector's pictures are whole ones, those of others lines, a classifier's upright.
        source: As `pictures_from`; a label file names pictures relative to the folder that it lies in, or to the
            recipe's ``data.root`` where there is one.
        hint: Likewise.
        skip_bad: Leave bad pictures out instead of refusing.

    Returns:
        The samples, and how many were left out.

    Raises:
        PpedgeError: As `pictures_from`, or a picture is bad and ``skip_bad`` is not set.
    """
    root = None if recipe.data.root == Path() else recipe.data.root
    found = pictures_from(recipe, source, hint, root)
    pictures = [(path, f"{source}:{number}") for number, path in enumerate(found, 1)]
    if recipe.task == "det":
        return usable(Labels([DetSample(path, [], [], [], where) for path, where in pictures], []), skip_bad)
    text = UPRIGHT if recipe.task == "cls" else read_charset(recipe).characters[0]
    return usable(Labels([RecSample(path, text, where) for path, where in pictures], []), skip_bad)
