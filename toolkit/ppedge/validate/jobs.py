"""What the validate stage has to do: files, cores and samples."""

from __future__ import annotations

from dataclasses import dataclass

from ppedge.artifacts import FORMS, converted, inference_model
from ppedge.errors import PpedgeError
from ppedge.recipe.road import Recipe, Validate
from ppedge.runs import Run

PC = "pc"
"""Stands where a core's name does: onnxruntime on this computer, where nothing is counted."""


@dataclass(frozen=True)
class Model:
    """A file to validate.

    Attributes:
        file: Its name below the convert stage's folder.
        precision: ``fp32``, ``fp16`` or ``int8``.
        reference: The inference model's files below the same folder; Paddle opens the first, on the PC.
        baseline: Count it only: it is the network before slimming.
    """

    file: str
    precision: str
    reference: tuple[str, ...]
    baseline: bool = False


def require_possible(settings: Validate) -> None:
    """Raise if what is asked of `PC` is what only a core can tell.

    Raises:
        PpedgeError: Names the key.
    """
    if PC in settings.cpu and settings.engine != "onnxruntime":
        raise PpedgeError("validate.cpu: pc runs ONNX files only.", "Leave it out, or set validate.engine=onnxruntime.")
    counted = [name for name in ("max_instructions", "min_speedup") if getattr(settings.gates, name) is not None]
    if counted and set(settings.cpu) == {PC}:
        raise PpedgeError(
            f"validate.gates.{counted[0]}: nothing is counted on pc.", "Add a core: --cpu pc --cpu cortex-a53"
        )


def models_of(recipe: Recipe, run: Run) -> list[Model]:
    """Return what the engine can run of the run's files, the network before slimming first.

    Raises:
        PpedgeError: There is no such file.
    """
    task = recipe.task
    form = FORMS[f"arm-{recipe.validate_.engine}"]
    candidates = [
        Model(converted(form, task, "fp32", baseline=True), "fp32", (), baseline=True),
        Model(converted(form, task, "fp32"), "fp32", inference_model(task, "fp32")),
        Model(converted(form, task, "fp16"), "fp16", inference_model(task, "fp32")),
        Model(converted(form, task, "int8"), "int8", inference_model(task, "int8")),
    ]
    there = {entry["path"] for entry in run.manifest("convert")["outputs"]}
    models = [model for model in candidates if model.file in there]
    if all(model.baseline for model in models):
        raise PpedgeError(
            f"{run.stage('convert')}: has no .{form} file to validate.",
            f"Run `ppedge convert --format {form} --force`.",
        )
    return models
