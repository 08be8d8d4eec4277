"""Inference models on the command line: the recipe that is made of one, and bringing it into a run to slim it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppedge.cli.options import run_of
from ppedge.errors import PpedgeError, shown
from ppedge.signals import import_paddle

if TYPE_CHECKING:
    from ppedge.recipe.road import Recipe
    from ppedge.runs import Run

TRIED = 8
"""Pictures on which an ONNX model and what becomes of it are held against each other."""

AS_SEEN = {"flip": 0.0, "rotate": 2.0, "scale": [0.8, 1.25], "color": 0.1}
"""Random changes of the windows that a detector which is brought in is fitted to: hardly any, since least squares hold
for what they have seen (docs/slimming.md has the figures)."""


@dataclass(frozen=True)
class Brought:
    """What a command line says of a network that it brings in.

    Attributes:
        folder: Of the inference model.
        pictures: A folder or label file.
        labels: Labels to report the task's metric on, if there are any.
        keys: Changes of the recipe, by options of their own and by ``--set``.
        out: The run's folder, where it is named.
    """

    folder: Path
    pictures: Path
    labels: Path | None
    keys: list[str]
    out: Path | None

    def recipe(self, changes: list[str]) -> tuple[Run, Recipe]:
        """Return the run and its recipe, with further changes of it.

        Raises:
            PpedgeError: The model is not whole, or the keys are not a recipe's.
        """
        from ppedge.brought.labels import completed
        from ppedge.recipe.io import make_recipe

        changes = [*self.keys, *changes]
        value = recipe_of(self.folder, changes)
        value["model"]["pictures"] = str(self.pictures)
        value["slim"] = _slimming(value["task"], changes)
        if value["task"] == "det":
            value["train"] = {"det_augment": AS_SEEN}
        if self.labels is not None:
            value["data"] = {"root": str(self.labels.parent), "test": [self.labels.name]}
        recipe = make_recipe(value, Path("--from-inference"), changes)
        run = run_of(recipe, self.out)
        return run, completed(recipe, run)


def bring_in(recipe: Recipe, run: Run, *, device: str, resume: bool, force: bool, skip_bad: bool) -> None:
    """Bring a recipe's network into its run, unless an attempt that is resumed has done so.

    Raises:
        PpedgeError: As `ppedge.brought.stage.run_bring_in`; or the attempt had another recipe or model.
    """
    import_paddle()  # first of all: the modules below import it, in an order of their own

    from ppedge.brought.pictures import changed_pictures
    from ppedge.brought.stage import run_bring_in
    from ppedge.data.kept import kept_recipe
    from ppedge.progress import Reporter
    from ppedge.recipe.compare import require_same

    if resume and run.done("train"):
        other_way = "start anew with --force, or name another folder with --out"
        require_same(recipe, kept_recipe(run), str(run.path), "was started", other_way,
                     ("slim", "convert", "validate"))  # fmt: skip
        changed = run.changed_input("train")
        if changed is not None:
            raise PpedgeError(f"{run.path}: was started with another {changed}.", f"Restore it, or {other_way}.")
        others = changed_pictures(recipe, run)
        if others is not None:
            raise PpedgeError(f"{run.path}: was started with other {others}.", f"Restore them, or {other_way}.")
        return
    run_bring_in(recipe, run, device=device, force=force, skip_bad=skip_bad, reporter=Reporter())


def from_onnx(
    path: Path, pictures: Path | None, keys: list[str], changes: list[str], out: Path | None, *, force: bool
) -> tuple[Path, list[str]]:
    """Make an inference model of an ONNX file in the run's folder.

    Args:
        path: The ONNX file.
        pictures: A folder or label file; both models are tried on some of them too.
        keys: Changes of the recipe, by options of their own.
        changes: By ``--set``.
        out: The run's folder, where it is named.
        force: Replace what was made of another file.

    Returns:
        The inference model's folder, and ``keys`` behind what the file itself tells.

    Raises:
        PpedgeError: As `ppedge.convert.onnx_model.import_onnx`.
    """
    from ppedge.convert.imported import find
    from ppedge.convert.noted import has_postprocess
    from ppedge.convert.onnx_model import import_onnx
    from ppedge.progress import Reporter
    from ppedge.runs import RUNS, Run

    name = _require_name(_named("name", [*keys, *changes]) or path.stem)
    run = Run(out or RUNS / name)
    say = Reporter().say
    made = import_onnx(path, run.path, _some(pictures), force=force, say=say)
    told = [f"name={json.dumps(name)}"]
    if made.characters is not None and not any(key.startswith("data.charset=") for key in (*keys, *changes)):
        told += [f"data.charset={json.dumps(str(made.characters))}",
                 f"data.use_space_char={json.dumps(made.use_space_char)}"]  # fmt: skip
    if made.recipe is not None and not has_postprocess(find(made.folder)):  # the file's own notes go before
        told += _postprocess_of(made.recipe, say)
    return made.folder, [*told, *keys]


def _postprocess_of(name: str, say: Callable[[str], None]) -> list[str]:
    """Return what the recipe of a published network has for a detector's boxes, if it is not the usual, and say so."""
    from ppedge.recipe import shipped
    from ppedge.recipe.io import load_recipe

    found = load_recipe(shipped.find(name).path).det_postprocess.unusual()
    if found:
        say(f"its layers are {name}'s, so are its boxes: {', '.join(f'{key} {value}' for key, value in found.items())}")
    return [f"det_postprocess.{key}={json.dumps(value)}" for key, value in found.items()]


def _some(source: Path | None) -> list[Path]:
    """Return up to `TRIED` pictures of a folder or label file, from all over it."""
    from ppedge.data.annotation import pictures_below
    from ppedge.data.formats import Kind, read_labels
    from ppedge.data.source import spread

    if source is None:
        return []
    if source.is_dir():
        found = pictures_below(source)
    else:  # of either kind: what stands behind a picture's name is not looked at
        kinds: tuple[Kind, ...] = ("detection", "recognition")
        read = (read_labels(source.resolve(), source.parent, kind).samples for kind in kinds)
        found = [sample.image for samples in read for sample in samples]
    if not found:
        raise PpedgeError(f"{source}: holds 0 pictures.", "Name a folder of pictures, or a label file, with --data.")
    return spread(found, TRIED)


def _slimming(task: str, changes: list[str]) -> dict[str, Any]:
    """Return the section ``slim`` of a network that is brought in, where changes say nothing else.

    Without labels and training data of its own kind, least squares and 8 bits where they gain lose the least. A
    recogniser reads worse for a short distillation (docs/slimming.md has the figures), and better for more lines to fit
    to, which cost little. A detector gains by steps that are small from the first on: its BatchNorm is folded into its
    layers, so that nothing takes out again what a usual step does to the means of what they give. Who asks for PACT has
    its training.
    """
    by_gain = _named("slim.quant.method", changes) in (None, "arm")
    if task == "cls":
        return {"prune": {"method": "arm"}, "quant": {"method": "arm"}}
    if task == "det":
        distill = {"epochs": 20, "max_steps": 480, "batch_size": 2, "learning_rate": 4e-5, "warmup_epochs": 1,
                   "ema": 0.98, "eval_every": 2}  # fmt: skip
        only_calibrated = {"train": {"epochs": 0}} if by_gain else {}
        return {
            "prune": {"method": "arm", "arm": {"distill": distill}},
            "quant": {"method": "arm", "correct_bias": True, **only_calibrated},
        }
    quant: dict[str, Any] = {"method": "arm", "samples": 128}
    if by_gain:
        quant["rounding"] = "learned"
    return {"prune": {"method": "arm", "arm": {"samples": 256, "distill": {"epochs": 0}}}, "quant": quant}


def keys_of(task: str | None, name: str | None, charset: str | None) -> list[str]:
    """Return options that name an inference model as changes of a recipe."""
    given = {"task": task, "name": name, "data.charset": charset}
    return [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]


def tell_noted(folder: Path, onnx: Path | None, changes: list[str]) -> None:
    """Say what the recipe of an inference model takes from its exporter's notes, and of an ONNX file what it assumes.

    Args:
        folder: Of the inference model.
        onnx: The ONNX file that it was made of, where it was.
        changes: Changes of the recipe.
    """
    from ppedge.convert import imported, noted
    from ppedge.progress import Reporter

    def say(of: str, keys: dict[str, Any]) -> None:
        if keys:
            told = ", ".join(f"{key} {value}" for key, value in keys.items())
            Reporter().say(f"{named}: of its {of} the exporter has noted {told}")

    named, files = onnx or folder, imported.find(folder)
    task = imported.task_of(files)
    what = "pictures" if task == "det" else "lines"
    say(what, noted.noted_preprocess(files, task))
    assumed = noted.assumed(files, task) if onnx is not None else {}
    for key, value in assumed.items():
        if not any(change.startswith(f"{task}_preprocess.{key}=") for change in changes):
            Reporter().say(
                f"{onnx}: no {noted.NOTES} beside it says by which {key} {what} were normalised: {value} is assumed, "
                f"PaddleOCR's own; --set {task}_preprocess.{key} changes it"
            )
    if task == "det":
        say("boxes", noted.noted_postprocess(files))
        if sentence := noted.otherwise(files):
            Reporter().say(f"{named}: by the exporter's notes {sentence}")


def _named(key: str, changes: Sequence[str]) -> str | None:
    """Return what changes of a recipe give a key whose value is a word; None where they give it nothing."""
    given = [change.removeprefix(f"{key}=").strip("\"'") for change in changes if change.startswith(f"{key}=")]
    return given[-1] if given else None


def _require_name(name: str) -> str:
    """Return a name if a run can be called so.

    Raises:
        PpedgeError: It cannot.
    """
    from ppedge.recipe.road import NAME

    if not re.match(NAME, name):
        raise PpedgeError(
            f"{shown(name)}: a run cannot be called so: a name has letters (a to z), digits, dots, - and _ alone, and "
            "begins with a letter or digit.",
            "Name it by --name NAME.",
        )
    return name


def recipe_of(folder: Path, changes: list[str]) -> dict[str, Any]:
    """Return a recipe's keys for an inference model, as far as the model itself says them and changes do not."""
    from ppedge.convert import imported, noted

    files = imported.find(folder)
    task = imported.task_of(files)
    imported.require_task(files, _named("task", changes) or task)
    value: dict[str, Any] = {
        "name": _named("name", changes) or _require_name(folder.resolve().name),
        "task": task,
        "data": {},
        "model": {"inference": str(folder)},
    }
    height = imported.fixed_height(files)
    fixed = {"height": height} if task != "det" and height is not None else {}
    value[f"{task}_preprocess"] = noted.noted_preprocess(files, task) | fixed
    if task == "det":
        value["det_postprocess"] = noted.noted_postprocess(files)
    return value
