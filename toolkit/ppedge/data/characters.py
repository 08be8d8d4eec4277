"""The file that a recipe names for a recogniser's characters, and whether it is the one that a run's network has.

Nothing in a network says what its classes read as: with another file of as many lines every figure is one of other
characters, and nobody would be told.
"""

from __future__ import annotations

from pathlib import Path

from ppedge.data.kept import kept_recipe
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import ships
from ppedge.recipe.road import Recipe
from ppedge.runs import Run
from ppedge.storage import sha256


def charset_file(recipe: Recipe) -> Path | None:
    """Return the file of a recogniser's own character set; None of one that ships, and of the other tasks.

    It lies below ``data.root``; where there is none, below the current folder.
    """
    if recipe.task != "rec":
        return None
    beside, here = recipe.data.root / recipe.data.charset, Path(recipe.data.charset)
    if beside.is_file():
        return beside
    return here if not ships(recipe.data.charset) and here.is_file() else None


def require_same_characters(recipe: Recipe, run: Run) -> None:
    """Check that the character set which a recipe names is still the one that the run's network was made with.

    A recipe that names another one than the run's own means that.

    Args:
        recipe: The run's, with what a command line has changed in it.
        run: The run.

    Raises:
        PpedgeError: The file holds something else than when the network was trained or brought in.
    """
    stage = next((name for name in ("train", "convert") if run.done(name)), None)
    file = charset_file(recipe)
    if stage is None or file is None or not run.recipe_path.is_file():
        return
    own = kept_recipe(run)
    if own.data.charset != recipe.data.charset:
        return
    names = {str(own.data.root / own.data.charset), own.data.charset}
    then = [entry for entry in run.manifest(stage).get("inputs", []) if entry["path"] in names]
    if then and sha256(file) != then[0]["sha256"]:
        raise PpedgeError(
            f"{file}: is not the character set that the network of {run.path} was made with ({then[0]['path']}, "
            f"{then[0]['bytes']} bytes).",
            "Restore that file: what a class reads as is not in the network.",
        )
