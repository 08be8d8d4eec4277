"""``report.html`` of a run: everything that its stages left, on one page that opens from disk."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ppedge.data.kept import kept_recipe
from ppedge.data.source import choosing_reports
from ppedge.errors import SHOWN, PpedgeError, cut
from ppedge.metrics.accuracy import MAIN_METRIC
from ppedge.page.document import document
from ppedge.page.markup import Html, table, tag
from ppedge.recipe.road import Recipe
from ppedge.report.files import files
from ppedge.report.slimming import slimming
from ppedge.report.training import trainings
from ppedge.report.worst import worst
from ppedge.runs import MANIFEST, STAGES, Run
from ppedge.storage import atomic_write, read_json, sha256
from ppedge.validate.gates import told
from ppedge.validate.html import PAGE as VALIDATED
from ppedge.validate.report import REPORT, what_ran
from ppedge.validate.side_by_side import compared_on, figure, forms, measured

PAGE = "report.html"


def write_report(run: Run) -> Path:
    """Write a run's page beside its stages and return its path.

    Raises:
        PpedgeError: No stage of the run is done, or a file of one is damaged.
    """
    path = run.path / PAGE
    text = render(run)
    with atomic_write(path) as file:
        file.write(text.encode())
    return path


def render(run: Run) -> str:
    """Return the page: the same run gives the same bytes.

    Raises:
        PpedgeError: As `write_report`.
    """
    if not any(run.done(stage) for stage in STAGES):
        raise PpedgeError(f"{run.path}: no stage is done yet.", "Run `ppedge train` or `ppedge convert` first.")
    try:
        return _page(run)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration, OverflowError) as error:
        raise PpedgeError(
            f"{run.path}: a file of its stages is damaged, or of another version ({cut(str(error), 2 * SHOWN)}).",
            "Repeat the stage with --force.",
        ) from error


def _page(run: Run) -> str:
    recipe = kept_recipe(run)
    metric = MAIN_METRIC[recipe.task]
    report = _validated(run)
    courses = trainings(run, metric)
    return document(
        f"{recipe.name} - ppedge report",
        _head(recipe, run, metric, report),
        _stages(run),
        _figures(run, metric, report),
        tag("section", tag("h2", "Training"), *courses) if courses else None,
        slimming(run),
        files(recipe, run),
        _gates(report),
        worst(recipe, run),
        _commands(run),
    )


def _validated(run: Run) -> Mapping[str, Any] | None:
    path = run.stage("validate") / REPORT
    return read_json(path) if run.done("validate") and path.is_file() else None


def _head(recipe: Recipe, run: Run, metric: str, report: Mapping[str, Any] | None) -> Html:
    newest = run.newest_stage()
    facts = {
        "Task": recipe.task,
        "Network": _network(recipe),
        "Seed": str(recipe.seed),
        "Versions": ", ".join(f"{name} {version}" for name, version in _versions(run).items()),
    }
    verdict = [_verdict(recipe, run.manifest(newest), metric)] if newest else []
    if report is not None:
        failed = sum(not row["passed"] for row in report["gates"])
        chance = sum(row.get("by_chance", False) for row in report["gates"])
        holding = "all gates hold" + (f", {chance} of them perhaps by chance" if chance else "")
        word, kind = (holding, "passed") if not failed else (f"{failed} gates failed", "failed")
        verdict.append(
            tag(
                "p", tag("span", f"{'✓' if not failed else '✗'} {word}", class_=kind), _ran(report), compared_on(report)
            )
        )
    pieces = [piece for name, value in facts.items() if value for piece in (tag("dt", name), tag("dd", value))]
    return tag("header", tag("h1", recipe.name), *verdict, tag("dl", *pieces))


def _ran(report: Mapping[str, Any]) -> str:
    ran = what_ran(report)
    return f" on ARM: {ran}" if ran else ""


def _verdict(recipe: Recipe, manifest: Mapping[str, Any], metric: str) -> Html:
    """Say what the network that ships is worth; one that finds or reads nothing cannot look well."""
    metrics = manifest["metrics"]
    found = metrics if metric in metrics else forms(manifest)[-1].metrics
    value, split = found[metric], manifest.get("measured_on", "eval")
    if not value:
        sentence = f"✗ {metric} is 0 on data.{split}: this network finds or reads nothing right."
        return tag("p", tag("span", sentence, class_="failed"))
    chose = ", which also chose the weights" if split == "eval" and choosing_reports(recipe) else ""
    return tag("p", f"{metric} {value:.4f} on data.{split}{chose}", class_="verdict")


def _network(recipe: Recipe) -> str:
    model = recipe.model
    parts = [getattr(model, name, None) for name in ("backbone", "neck", "head")]
    names = [part.name for part in parts if part is not None]
    return ", ".join(names) or str(getattr(model, "inference", ""))


def _versions(run: Run) -> Mapping[str, str]:
    last = next(stage for stage in reversed(STAGES) if run.done(stage))
    return dict(run.manifest(last).get("versions", {}))


def _stages(run: Run) -> Html:
    rows = []
    for stage in STAGES:
        if not run.done(stage):
            rows.append([stage, "not done", "", "", ""])
            continue
        manifest = run.manifest(stage)
        parent = manifest["parent"]
        source = "-" if parent is None else f"{parent['stage']} {parent['sha256'][:12]}"
        state = "done" if run.fresh(stage) else "older than what it was made of"
        rows.append([stage, state, f"{manifest.get('seconds', 0):.0f}", source,
                     sha256(run.stage(stage) / MANIFEST)[:12]])  # fmt: skip
    return tag("section", tag("h2", "Stages"),
               table("Each names the one that it was made of, by the sum of its manifest",
                     ("stage", "state", "seconds", "made of", "its own sum"), rows, numeric=(2,)))  # fmt: skip


def _figures(run: Run, metric: str, report: Mapping[str, Any] | None) -> Html | None:
    rows = []
    if run.done("train"):
        trained = run.manifest("train")
        interval = trained.get("intervals", {}).get(metric)
        rows.append(
            ["as trained", *_on_whole(trained.get("measured_on", "eval"), trained["metrics"][metric], interval)]
        )
        if (chose := trained.get("chosen_by")) and metric in chose:
            rows.append(["as trained, where the weights were chosen", *_on_whole("eval", chose[metric])])
    if run.done("slim"):
        slim = run.manifest("slim")
        split = slim.get("measured_on", "eval")
        rows += [
            [f"{form.stage}, {form.precision}", *_on_whole(split, form.metrics[metric])] for form in forms(slim)[1:]
        ]
    for row in (report or {}).get("accuracy", []):
        if row["on"] != "training":
            rows.append([f"{row['network']} on {row['on']}", measured(row), figure(row)])
    if not rows:
        return None
    return tag("section", tag("h2", "Figures"),
               table(f"{metric}; in brackets the 95 % interval", ("network", "measured on", metric), rows))  # fmt: skip


def _on_whole(split: str, value: float, interval: Sequence[float] | None = None) -> list[str]:
    """Return what a figure of a whole split was measured on, and the figure, as those of the report's rows are told."""
    row = {"measured_on": split, "samples": None, "value": value, "interval": interval}
    return [measured(row), figure(row)]


def _gates(report: Mapping[str, Any] | None) -> Html | None:
    if report is None:
        return None
    marks = {True: "✓", False: "✗"}
    rows = [[f"{'?' if row.get('by_chance') else marks[row['passed']]} {told(row)}"] for row in report["gates"]]
    words = f"What differs, stage by stage and picture by picture, is on validate/{VALIDATED}."
    return tag("section", tag("h2", "Gates"), table("Limits of the recipe", ("gate",), rows), tag("p", words))


def _commands(run: Run) -> Html:
    made: dict[str, list[str]] = {}
    for stage in STAGES:
        if run.done(stage) and (command := run.manifest(stage).get("command")):
            made.setdefault(shlex.join(["ppedge", *map(str, command[1:])]), []).append(stage)
    lines = [tag("p", f"{', '.join(stages)}: ", tag("code", command)) for command, stages in made.items()]
    return tag("section", tag("h2", "Commands"), tag("p", "By which the stages were made:"), *lines)
