"""What the validate stage has to do: files, cores and samples."""

from __future__ import annotations

from dataclasses import dataclass

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
        reference: The inference model that Paddle runs on the PC, below the same folder.
        baseline: Count it only: it is the network before slimming.
    """

    file: str
    precision: str
    reference: str
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
    ending = {"onnxruntime": "onnx", "paddlelite": "nb"}[recipe.validate_.engine]
    candidates = [
        Model(f"baseline/{task}.fp32.{ending}", "fp32", "", baseline=True),
        Model(f"{task}.fp32.{ending}", "fp32", f"paddle/{task}.fp32.pdmodel"),
        Model(f"{task}.fp16.{ending}", "fp16", f"paddle/{task}.fp32.pdmodel"),
        Model(f"{task}.int8.{ending}", "int8", f"paddle/{task}.int8.pdmodel"),
    ]
    there = {entry["path"] for entry in run.manifest("convert")["outputs"]}
    models = [model for model in candidates if model.file in there]
    if all(model.baseline for model in models):
        raise PpedgeError(
            f"{run.stage('convert')}: has no .{ending} file to validate.",
            f"Run `ppedge convert --format {ending} --force`.",
        )
    return models
