"""A recipe's data: its samples, character set and specification, for every stage and without Paddle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from ppedge.data.characters import charset_file
from ppedge.data.check import Decoded, in_order
from ppedge.data.checked import Checked, Regions, Wanted, Watch, check_file, unwatched
from ppedge.data.formats import read_all
from ppedge.data.index import indexed
from ppedge.data.kept import kept_recipe
from ppedge.data.labelled import ClsSample, Labels, RecSample
from ppedge.data.lines import rec_samples_from_detection
from ppedge.data.lookup import label_path
from ppedge.data.ppocrlabel import say_unconfirmed
from ppedge.data.samples import Samples, joined
from ppedge.data.synth import ensure_synth
from ppedge.data.usable import require_usable, usable
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import Charset
from ppedge.ocr.direction import TURNED, UPRIGHT
from ppedge.ocr.spec import ModelSpec
from ppedge.recipe.data import LabelFile, paths
from ppedge.recipe.networks import Imported
from ppedge.recipe.road import Recipe
from ppedge.runs import Run

T = TypeVar("T")
Split = Literal["train", "eval", "test"]
CHOSE_TOO = "note: no data.test: figures are measured on data.eval, which also chose the weights"
"""Said once where `choosing_reports`."""


def read_charset(recipe: Recipe, *, exists: bool | None = None) -> Charset:
    """Return a recogniser's character set: a built-in one, or a file below ``data.root`` or the current folder.

    Args:
        recipe: The recipe.
        exists: The network with these classes exists, so that every line of the file is one of them, whatever it holds;
            by default that is so for a network that is brought in or starts from weights.

    Raises:
        PpedgeError: There is no such character set, or for a new network the file breaks its rules.
    """
    if exists is None:
        exists = isinstance(recipe.model, Imported) or recipe.train.weights is not None
    charset = Charset.from_name_or_file(charset_file(recipe) or recipe.data.charset, as_is=exists)
    return Charset((*charset.characters, " ")) if recipe.data.use_space_char else charset


def model_spec(recipe: Recipe, charset: Charset | None) -> ModelSpec:
    """Return what an exported model of this recipe needs beside its file; ``charset`` is a recogniser's."""
    if recipe.task == "det":
        return ModelSpec("det", det_preprocess=recipe.det_preprocess, det_postprocess=recipe.det_postprocess)
    if recipe.task == "cls":
        return ModelSpec("cls", cls_preprocess=recipe.cls_preprocess, cls_postprocess=recipe.cls_postprocess)
    assert charset is not None
    return ModelSpec("rec", rec_preprocess=recipe.rec_preprocess, characters=tuple(charset.characters))


def declared_spec(recipe: Recipe) -> ModelSpec:
    """Return `model_spec` with the character set that the recipe names.

    Raises:
        PpedgeError: There is no such character set.
    """
    return model_spec(recipe, read_charset(recipe) if recipe.task == "rec" else None)


def as_slimmed(recipe: Recipe, run: Run) -> Recipe:
    """Return a run's recipe with the ``box_thresh`` that slimming has chosen for the network that it left.

    Where the recipe has another one than the run's own, a command line has set it, and it stays.
    """
    chosen = run.manifest("slim").get("box_thresh") if recipe.task == "det" and run.done("slim") else None
    if chosen is None or recipe.det_postprocess.box_thresh != kept_recipe(run).det_postprocess.box_thresh:
        return recipe
    return recipe.model_copy(update={"det_postprocess": replace(recipe.det_postprocess, box_thresh=chosen)})


def shipped_spec(run: Run) -> ModelSpec:
    """Return the specification that a run's convert stage left beside its models.

    Raises:
        PpedgeError: The stage has not been run, or its manifest is damaged.
    """
    manifest = run.manifest("convert")
    try:
        return ModelSpec.from_dict(manifest["model"])
    except ValueError as error:
        raise PpedgeError(
            f"{manifest.path}: the key model is missing or damaged.", f"Run `ppedge convert {run.path} --force`."
        ) from error


def reporting_split(recipe: Recipe) -> Literal["eval", "test"]:
    """Return the split that a recipe's figures are measured on: ``test``, which chooses nothing, or ``eval``."""
    return "test" if recipe.data.test else "eval"


def choosing_reports(recipe: Recipe, own: Recipe | None = None) -> bool:
    """Whether figures are measured on what also chose the weights; nothing chose those of a network brought in.

    Args:
        recipe: By which a network is measured.
        own: By which it was trained, where the other may name other pictures; by default the same.
    """
    trained = (own or recipe).data
    same = (recipe.data.root, recipe.data.eval) == (trained.root, trained.eval)
    return same and not recipe.data.test and not recipe.ships_as_it_came


def say_what_chose(say_once: Callable[[str], None], recipe: Recipe, own: Recipe | None = None) -> None:
    """Say, once in a command, if figures are measured on what also chose the weights; see `choosing_reports`."""
    if choosing_reports(recipe, own):
        say_once(CHOSE_TOO)


def label_files(recipe: Recipe, split: Split) -> list[Path]:
    """Return the label files of a split of a recipe's data that are there."""
    named = paths(getattr(recipe.data, split))
    return [path for file in named if (path := label_path(file, recipe.data.root)).is_file()]


def read_samples(
    recipe: Recipe,
    split: Split,
    *,
    skip_bad: bool = False,
    say: Callable[[str], None] = lambda text: None,
    watch: Watch = unwatched,
) -> tuple[Sequence[Any], int]:
    """Read and check a split of a recipe's data, making it first if the recipe says how.

    Args:
        recipe: The recipe.
        split: Which part of its data.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        say: Told how many regions of detection labels a detector ignores, or give the others no line, and why; and what
            became of the index of a large label file.
        watch: Shows how the making of such an index goes.

    Returns:
        The samples, those of ``eval`` and ``test`` as `measurable` gives them, and how many bad ones were left out. The
        samples of large label files stay on disk: see `ppedge.data.index`.

    Raises:
        PpedgeError: A label or picture is bad and ``skip_bad`` is not set, or nothing is left; a detector ignores all
            regions.
    """
    ensure_synth(recipe.data)
    files: list[Path | LabelFile] = getattr(recipe.data, split)
    if not files:
        raise PpedgeError(f"{recipe.name}: data.{split} names no label files.", f"Set data.{split} in the recipe.")
    say_unconfirmed(say, paths(files), recipe.data.root)
    parts = _checked(recipe, files, say, watch)
    problems = in_order([*(p for part in parts for p in part.lines), *(p for part in parts for p in part.pictures)])
    require_usable(sum(part.good for part in parts), problems, skip_bad, recipe.data.root, "--set data.root=DIR")
    _say_regions(recipe, split, [part.regions for part in parts], say)
    samples = joined([part.samples for part in parts])
    if not samples:
        raise PpedgeError(f"{recipe.name}: data.{split} holds no usable samples.", "See `ppedge data check`.")
    return samples if split == "train" else measurable(recipe, samples), len(problems)


def _checked(
    recipe: Recipe, files: Sequence[Path | LabelFile], say: Callable[[str], None], watch: Watch
) -> list[Checked]:
    """Return what each label file holds, its samples with its ratio."""
    wanted = Wanted(recipe.data.root, recipe.labels, recipe.task != "det" and recipe.labels == "detection")
    decoded, parts = Decoded(), []
    for file in files:
        path, ratio = (file.file, file.ratio) if isinstance(file, LabelFile) else (file, 1.0)
        part = indexed(path, wanted, ratio, decoded, say, watch)
        parts.append(check_file(path, wanted, ratio, decoded) if part is None else part)
    return parts


def few_samples(recipe: Recipe, split: Split, count: int) -> list[Any]:
    """Return at most so many samples of a split, evenly spread over it; other pictures are not looked at.

    Bad ones are left out, and no data is made.

    Raises:
        PpedgeError: The split's label files are not here, or none of the samples is usable.
    """
    files: list[Path | LabelFile] = getattr(recipe.data, split)
    labels = read_all(files, recipe.data.root, recipe.labels)
    samples, _ = usable(Labels(spread(labels.samples, count)), skip_bad=True)
    if recipe.task != "det" and recipe.labels == "detection":
        samples = rec_samples_from_detection(samples)
    return spread(measurable(recipe, samples), count)


def _say_regions(recipe: Recipe, split: Split, found: Sequence[Regions], say: Callable[[str], None]) -> None:
    """Say how many regions of detection labels a detector ignores, or give the others no line.

    Raises:
        PpedgeError: A detector would ignore all.
    """
    if unusable := _sum(regions.unusable for regions in found):
        say(f"data.{split}: regions that give no line: {_listed(unusable)}")
    ignored = _sum(regions.ignored for regions in found)
    if not ignored:
        return
    if not any(regions.counted for regions in found):
        raise PpedgeError(
            f"{recipe.name}: data.{split}: all regions are ignored ({_listed(ignored)}): nothing is left to find.",
            "A detector needs no text: give the regions that count any transcription.",
        )
    say(f"data.{split}: regions that are ignored: {_listed(ignored)}")


def _sum(counts: Iterable[Counter[str]]) -> Counter[str]:
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return total


def _listed(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in reasons.items())


def spread(samples: Sequence[T], count: int) -> list[T]:
    """Return so many of the samples, or all if there are fewer, evenly spread over all of them."""
    count = min(count, len(samples))
    return [samples[i * len(samples) // count] for i in range(count)]


def measurable(recipe: Recipe, samples: Sequence[Any]) -> Sequence[Any]:
    """Return samples as a network is measured on them: for a direction classifier each line both ways, else as is.

    All lines come as they are first, then all turned, so that any evenly spread part of them holds both.
    """
    if recipe.task != "cls":
        return samples if isinstance(samples, Samples) else list(samples)
    return [*(_directed(line, False) for line in samples), *(_directed(line, True) for line in samples)]


def _directed(line: RecSample, turned: bool) -> ClsSample:
    return ClsSample(line.image, TURNED if turned else UPRIGHT, line.where, line.quad, turned=turned)
