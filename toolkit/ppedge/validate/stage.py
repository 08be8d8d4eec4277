"""The validate stage: every exported model on the emulated ARM core, against the PC."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.data.source import read_samples
from ppedge.engines import open_engine
from ppedge.errors import GateError, PpedgeError
from ppedge.ocr.spec import ModelSpec
from ppedge.progress import Reporter
from ppedge.recipe import Recipe
from ppedge.runs import Run, write_json
from ppedge.validate import gates
from ppedge.validate.accuracy import MAIN_METRIC
from ppedge.validate.blame import Blame, Remembering
from ppedge.validate.explain import blame_samples, layer_table
from ppedge.validate.parity import Parity, compare

REPORT = "report.json"
SCHEMA = 1
COUNT_WIDTH = 320


@dataclass(frozen=True)
class _Model:
    """A file to validate.

    Attributes:
        file: Its name below the convert stage's folder.
        precision: ``fp32`` or ``int8``.
        reference: The inference model that Paddle runs on the PC, below the same folder.
        baseline: Count it only: it is the network before slimming.
    """

    file: str
    precision: str
    reference: str
    baseline: bool = False


def run_validate(
    recipe: Recipe,
    run: Run,
    *,
    force: bool = False,
    skip_bad: bool = False,
    layers: bool = False,
    reporter: Reporter,
) -> dict[str, Any]:
    """Validate, write report.json and return it.

    The reference is Paddle on the PC, or onnxruntime on the PC where Paddle is not installed.

    Args:
        recipe: The run's recipe, with what the command line changed in its ``validate`` section.
        run: The run; its convert stage must be done.
        force: Replace an earlier result.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        layers: Also make the table of what quantizing costs each layer.
        reporter: Progress.

    Raises:
        GateError: A limit of the recipe does not hold; the report is written all the same.
        MissingError: The emulator cannot be set up, or no runtime is registered.
        PpedgeError: There is nothing to validate, or an engine failed.
    """
    began = time.monotonic()
    settings = recipe.validate_
    run.require_fresh("convert")
    spec = ModelSpec.from_dict(run.manifest("convert")["model"])
    samples, _ = read_samples(recipe, "eval", skip_bad=skip_bad)
    labels = [path for file in recipe.data.eval if (path := recipe.data.root / file).is_file()]
    samples = spread(samples, settings.limit)
    models = _models(recipe, run)
    rows, results = [], []
    with run.writing("validate", force=force) as folder:
        table = {"layers": layer_table(recipe, run, samples, reporter.say)} if layers else {}
        for model in models:
            result = _count(recipe, run, model, reporter)
            if not model.baseline:
                parity, blamed = _parity(recipe, run, spec, model, samples, reporter)
                result |= {**parity.to_dict(), "blame": blamed.to_dict()}
                main = MAIN_METRIC[recipe.task]
                rows += gates.check(
                    settings.gates, model.file, model.precision, main, parity, result["instructions"]["total"]
                )
            results.append(result)
        report = {
            "schema": SCHEMA,
            "task": recipe.task,
            "cpu": settings.cpu,
            "models": results,
            **table,
            "gates": [row.to_dict() for row in rows],
            "passed": all(row.passed for row in rows),
        }
        write_json(folder / REPORT, report)
        run.write_manifest(
            folder,
            "validate",
            outputs=[REPORT],
            inputs=[run.recipe_path, *labels],
            metrics={"passed": report["passed"]},
            parent="convert",
            settings=settings.model_dump(mode="json"),
            seconds=round(time.monotonic() - began, 1),
        )
    return report


def require_passed(report: dict[str, Any], where: Path) -> None:
    """Raise if a gate of a report failed.

    Raises:
        GateError: Names the gates.
    """
    failed = [row for row in report["gates"] if not row["passed"]]
    if failed:
        told = "; ".join(f"{r['gate']} {gates.shown(r['value'])} > {r['limit']:.6g} ({r['model']})" for r in failed)
        raise GateError(f"{where}: {len(failed)} gates failed: {told}.", "See report.json, or change validate.gates.")


def spread(samples: list[Any], limit: int) -> list[Any]:
    """Return ``limit`` samples, evenly spread over all of them."""
    count = min(limit, len(samples))
    return [samples[math.floor(i * len(samples) / count)] for i in range(count)]


def _models(recipe: Recipe, run: Run) -> list[_Model]:
    """Return what the engine can run of the run's files, the network before slimming first."""
    task = recipe.task
    ending = {"onnxruntime": "onnx", "paddlelite": "nb"}[recipe.validate_.engine]
    candidates = [
        _Model(f"baseline/{task}.fp32.{ending}", "fp32", "", baseline=True),
        _Model(f"{task}.fp32.{ending}", "fp32", f"paddle/{task}.fp32.pdmodel"),
        _Model(f"{task}.int8.{ending}", "int8", f"paddle/{task}.int8.pdmodel"),
    ]
    there = {entry["path"] for entry in run.manifest("convert")["outputs"]}
    models = [model for model in candidates if model.file in there]
    if all(model.baseline for model in models):
        raise PpedgeError(
            f"{run.stage('convert')}: has no .{ending} file to validate.",
            f"Run `ppedge convert --format {ending} --force`.",
        )
    return models


def _count(recipe: Recipe, run: Run, model: _Model, reporter: Reporter) -> dict[str, Any]:
    """Count one inference's instructions at a fixed size, in a fresh guest: the same figure every time."""
    shape = (1, 3, COUNT_WIDTH if recipe.task == "det" else recipe.rec_preprocess.height, COUNT_WIDTH)
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    path = run.artifact("convert", model.file)
    reporter.say(f"counting instructions of {model.file} on {recipe.validate_.cpu}")
    with open_engine(_arm(recipe), path, cpu=recipe.validate_.cpu, count=True, progress=reporter.say) as engine:
        engine.run([x])
        counts = getattr(engine, "last_counts")  # noqa: B009 - engines under the emulator have it, the protocol has not
        runtime = getattr(engine, "runtime")  # noqa: B009
    return {
        "file": model.file,
        "precision": model.precision,
        "baseline": model.baseline,
        "bytes": path.stat().st_size,
        "runtime": runtime,
        "input_shape": list(shape),
        "instructions": counts,
    }


def _parity(
    recipe: Recipe, run: Run, spec: ModelSpec, model: _Model, samples: list[Any], reporter: Reporter
) -> tuple[Parity, Blame]:
    path = run.artifact("convert", model.file)
    if find_spec("paddle") is not None:
        run.artifact("convert", str(Path(model.reference).with_suffix(".pdiparams")))
        reference = open_engine("paddle", run.artifact("convert", model.reference))
    elif path.suffix == ".onnx":
        reference = open_engine("onnxruntime", path)
    else:
        raise PpedgeError(f"{path}: Paddle is needed as the reference.", "Install ppedge with the extra `cpu`.")
    candidate = open_engine(_arm(recipe), path, cpu=recipe.validate_.cpu, progress=reporter.say)
    reference, candidate = Remembering(reference), Remembering(candidate)  # blame asks for the same inputs again
    with reference, candidate, reporter.task(f"{model.file} on {recipe.validate_.cpu}", len(samples)) as bar:
        parity = compare(reference, candidate, spec, samples, recipe.metric, lambda steps: bar.advance(steps=steps))
        return parity, blame_samples(recipe, spec, reference, candidate, samples)


def _arm(recipe: Recipe) -> str:
    return f"arm-{recipe.validate_.engine}"
