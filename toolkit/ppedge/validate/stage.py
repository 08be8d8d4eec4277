"""The validate stage: every exported model on the emulated ARM cores, against the PC."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ppedge import artifacts
from ppedge.arm.cores import features
from ppedge.cost.inference import Cost, ratios
from ppedge.data.kept import kept_recipe
from ppedge.data.source import (
    CHOSE_TOO,
    as_slimmed,
    choosing_reports,
    declared_spec,
    label_files,
    read_samples,
    reporting_split,
    shipped_spec,
    spread,
)
from ppedge.errors import GateError
from ppedge.metrics.drop import drop_of
from ppedge.progress import Reporter
from ppedge.recipe.road import Recipe
from ppedge.runs import Run, versions
from ppedge.storage import write_json
from ppedge.validate import gates, latency, side_by_side
from ppedge.validate.adb import Phone
from ppedge.validate.differences import MOST_DRAWN, report_differences
from ppedge.validate.explain import layer_table
from ppedge.validate.html import PAGE, write_page
from ppedge.validate.jobs import PC, Model, models_of, require_possible
from ppedge.validate.measuring import Measuring
from ppedge.validate.report import REPORT
from ppedge.validate.spec_changes import changes

SCHEMA = 2


def run_validate(
    recipe: Recipe,
    run: Run,
    *,
    phone: Phone | None = None,
    layers: bool = False,
    allow_older_runtime: bool = False,
    force: bool = False,
    skip_bad: bool = False,
    reporter: Reporter,
) -> dict[str, Any]:
    """Validate, write report.json and report.html, and return the report.

    The reference is Paddle on the PC, or onnxruntime on the PC where Paddle is not installed.

    Args:
        recipe: The run's recipe, with what the command line changed in its ``validate`` section.
        run: The run; its convert stage must be done.
        phone: Also time the .nb files on it; its figures are the report's key ``device``.
        force: Replace an earlier result.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        layers: Also make the table of what quantizing costs each layer.
        allow_older_runtime: Use a Paddle Lite that is older than the opt that wrote the models.
        reporter: Progress.

    Raises:
        GateError: A limit of the recipe does not hold; the report is written all the same.
        MissingError: The emulator cannot be set up, or no runtime is registered.
        PpedgeError: There is nothing to validate, or an engine failed.
    """
    began = time.monotonic()
    run.require_fresh("convert")
    recipe = as_slimmed(recipe, run)
    require_possible(recipe.validate_)
    split = reporting_split(recipe)
    samples, _ = read_samples(recipe, split, skip_bad=skip_bad)
    labels = label_files(recipe, split)
    with run.writing("validate", force=force) as folder:
        on_phone = phone.measure(recipe, run, reporter.say) if phone else None
        stage = _Stage(recipe, run, spread(samples, recipe.validate_.limit), folder, reporter, allow_older_runtime)
        table = {"layers": layer_table(recipe, run, stage.samples, reporter.say)} if layers else {}
        report = stage.report(models_of(recipe, run)) | table
        if on_phone is not None:
            report["device"] = on_phone
        if report["pictures_chose"]:
            reporter.say_once(CHOSE_TOO)
        write_json(folder / REPORT, report)
        write_page(folder, report)
        drawings = [different["drawing"] for model in report["models"] for different in model.get("different", [])]
        run.write_manifest(
            folder,
            "validate",
            outputs=[REPORT, PAGE, *(drawing for drawing in drawings if drawing is not None)],
            inputs=[run.recipe_path, *labels],
            metrics={"passed": report["passed"]},
            parent="convert",
            settings=recipe.validate_.model_dump(mode="json"),
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
        told = "; ".join(gates.told(row) for row in failed)
        few = any(row["gate"] == "max_metric_drop" for row in failed)
        hint = "More pictures (--limit) narrow the interval of a metric's drop. " if few else ""
        keys = dict.fromkeys(gates.key_of(row) for row in failed)
        raise GateError(
            f"{where}: {len(failed)} gates failed: {told}.", f"{hint}See report.json, or change {' and '.join(keys)}."
        )


class _Stage:
    """One call of the stage."""

    def __init__(
        self,
        recipe: Recipe,
        run: Run,
        samples: Sequence[Any],
        folder: Path,
        reporter: Reporter,
        allow_older_runtime: bool,
    ) -> None:
        self.recipe, self.run, self.samples, self.folder = recipe, run, samples, folder
        self.settings = recipe.validate_
        self.cpus = list(dict.fromkeys(self.settings.cpu))
        self.spec = shipped_spec(run)
        self.measuring = Measuring(recipe, run, self.spec, samples, reporter, allow_older_runtime)

    def report(self, models: Sequence[Model]) -> dict[str, Any]:
        """Return the whole report."""
        asked = [(model, cpu) for model in models for cpu in self.cpus if not (model.baseline and cpu == PC)]
        not_run = {job: reason for job in asked if (reason := self.measuring.unable(*job))}
        jobs = [job for job in asked if job not in not_run]
        self.measuring.measure(jobs)
        costs, comparisons = self.measuring.costs, self.measuring.comparisons
        totals = {cpu: costs[model, cpu].instructions for model, cpu in jobs if model.baseline}
        emulated = [cpu for cpu in self.cpus if cpu != PC]
        compared = sum(not model.baseline for model, _ in jobs)
        shipped = [model for model, _ in jobs if not model.baseline and model.precision != "fp16"][-1]
        entries, rows = [], []
        for model, cpu in jobs:
            cost, baseline = costs.get((model, cpu)), totals.get(cpu)
            entry = self._entry(model, cpu, cost, baseline)
            if not model.baseline:
                parity = comparisons[model, cpu].parity
                entry |= parity.to_dict()
                entry["different"] = report_differences(
                    parity.agreement.different,
                    self.samples,
                    self.recipe.data.root,
                    self.folder,
                    f"{Path(model.file).name}.{cpu}",
                    max(1, MOST_DRAWN // compared),
                )
                entry["blame"] = comparisons[model, cpu].blame
                rows += gates.check_parity(self.settings.gates, model.file, model.precision, cpu, parity)
            if model == shipped and cost is not None:
                before = None if baseline is None else baseline["total"]
                rows += gates.check_cost(self.settings.gates, model.file, cpu, cost.instructions["total"], before)
            entries.append(entry)
        slim = self._slimming()
        rows += [gates.check_spec(changes(declared_spec(self.recipe), self.spec)), *self._nb_bytes()]
        rows += gates.check_slimming(None if slim is None else drop_of(slim))
        return {
            "schema": SCHEMA,
            "name": self.recipe.name,
            "versions": versions(),
            "task": self.recipe.task,
            "pictures": reporting_split(self.recipe),
            "pictures_chose": choosing_reports(self.recipe, kept_recipe(self.run)),
            "engine": self.settings.engine,
            "cpus": emulated,
            "features": {cpu: features(cpu) for cpu in emulated},
            "models": entries,
            "accuracy": side_by_side.rows(slim, entries, reporting_split(self.recipe)),
            "not_run": [{"file": m.file, "cpu": cpu, "reason": reason} for (m, cpu), reason in not_run.items()],
            "gates": [row.to_dict() for row in rows],
            "passed": all(row.passed for row in rows),
        }

    def _slimming(self) -> dict[str, Any] | None:
        """Return the manifest of the slim stage that the models come from; None where they come from none."""
        parent = self.run.manifest("convert")["parent"]
        return self.run.manifest("slim") if parent is not None and parent["stage"] == "slim" else None

    def _entry(self, model: Model, cpu: str, cost: Cost | None, baseline: dict[str, int] | None) -> dict[str, Any]:
        size = (self.run.stage("convert") / model.file).stat().st_size
        entry = {
            "file": model.file,
            "precision": model.precision,
            "baseline": model.baseline,
            "cpu": cpu,
            "bytes": size,
        }
        if cost is None:
            return entry
        return entry | {
            **cost.to_dict(),
            "estimated_latency": latency.report(self.settings.engine, cpu, cost.instructions["total"], size),
            "ratios": None if baseline is None else ratios(cost.instructions, baseline),
        }

    def _nb_bytes(self) -> list[gates.Row]:
        limit = self.settings.gates.max_nb_bytes
        if limit is None:
            return []
        sizes = {entry["path"]: entry["bytes"] for entry in self.run.manifest("convert")["outputs"]}
        names = [artifacts.nb(self.recipe.task, precision) for precision in ("int8", "fp32")]
        name = next((name for name in names if name in sizes), names[-1])
        note = "" if name in sizes else "the convert stage wrote no .nb file"
        return [gates.Row("max_nb_bytes", name, None, float(sizes.get(name, "nan")), float(limit), note)]
