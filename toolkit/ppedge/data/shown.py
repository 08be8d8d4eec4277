"""What `ppedge.data.show` shows of label files, and of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ppedge.data.check import readable
from ppedge.data.dataset import dataset_of
from ppedge.data.formats import Kind, read_labels
from ppedge.data.show import Part
from ppedge.data.source import Split, read_charset, read_samples
from ppedge.data.statistics import Statistics, counted, statistics_of
from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe

_SPLITS: tuple[Split, ...] = ("train", "eval", "test")


def parts_of_files(files: Sequence[Path], root: Path, kind: Kind) -> tuple[str, list[Part]]:
    """Return a title and the parts of label files, one each.

    Raises:
        PpedgeError: A file is not there, or has no usable line.
    """
    parts = []
    for file in files:
        labels = readable(read_labels(file, root, kind))
        if not labels.samples:
            raise PpedgeError(f"{file}: no usable label in it.", "List the problems with `ppedge data check`.")
        parts.append(Part(file.name, labels.samples, statistics_of(labels.samples), len(labels.problems)))
    return ", ".join(part.name for part in parts), parts


def parts_of_recipe(file: Path, say: Callable[[str], None]) -> tuple[str, list[Part]]:
    """Return a title and the parts of a recipe's data: its splits, and of that for training what training is given.

    Args:
        file: The recipe.
        say: Told which regions give no line.

    Raises:
        PpedgeError: It is no recipe, or a split has no usable sample.
    """
    recipe = load_recipe(file)
    charset = read_charset(recipe) if recipe.task == "rec" else None
    height = {"rec": recipe.rec_preprocess.height, "cls": recipe.cls_preprocess.height}.get(recipe.task)
    parts: list[Part] = []
    for split in _SPLITS:
        if not getattr(recipe.data, split):
            continue
        samples, bad = read_samples(recipe, split, skip_bad=True, say=say)
        found = statistics_of(samples, charset, height)
        dataset = dataset_of(recipe, samples, charset, seed=recipe.seed) if split == "train" else None
        notes = [*_lacking(found), *(_never_trained(parts[0].statistics, found) if parts and charset else [])]
        parts.append(Part(f"data.{split}", samples, found, bad, dataset, notes))
    return recipe.name, parts


def _lacking(found: Statistics) -> list[str]:
    if not found.unknown:
        return []
    what = "Characters that data.charset lacks, so that these texts are not learned, or never read right"
    return [f"{what}: {counted(found.unknown)}."]


def _never_trained(trained: Statistics, found: Statistics) -> list[str]:
    taught = {*trained.characters, *found.unknown}
    new = {name: count for name, count in found.characters.items() if name not in taught}
    return [f"Characters that no text of data.train has: {counted(new)}."] if new else []
