"""Which pictures a network was brought in with, so that others are noticed when its run is gone on with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ppedge.data.unlabelled import pictures_from
from ppedge.errors import PpedgeError
from ppedge.recipe.networks import Imported
from ppedge.recipe.road import Recipe
from ppedge.runs import Run
from ppedge.state import Pictures

HINT = "Name a folder of pictures with --data (model.pictures)."


def summed(source: Path, pictures: Sequence[Path]) -> Pictures:
    """Return how many pictures there are, and a sum over their names and sizes in bytes, as a manifest holds them.

    Args:
        source: The folder or label file that they are of.
        pictures: As `pictures_from` gives them.
    """
    below = source.resolve() if source.is_dir() else source.resolve().parent
    digest = hashlib.sha256()
    for name, path in sorted((os.path.relpath(path, below), path) for path in pictures):
        size = path.stat().st_size if path.is_file() else 0
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
    return {"count": len(pictures), "sha256": digest.hexdigest()}


def changed_pictures(recipe: Recipe, run: Run) -> str | None:
    """Return what has become of the pictures that a run's network was brought in with, if they are others now.

    A source that is not there any more, or holds none, does not count: a result does not need it.
    """
    then = run.manifest("train").get("source")
    model = recipe.model
    if then is None or not isinstance(model, Imported) or model.pictures is None or not model.pictures.exists():
        return None
    try:
        now = summed(model.pictures, pictures_from(recipe, model.pictures, HINT))
    except PpedgeError:
        return None
    if now == then:
        return None
    counts = f"{then['count']} then, {now['count']} now" if now["count"] != then["count"] else f"{now['count']} of them"
    return f"pictures of {model.pictures} ({counts})"
