"""``ppedge run``: the whole road, resuming where it stopped."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ppedge.cli.options import Device, Force, Json, Out, RecipeFile, Set, SkipBad, run_of
from ppedge.cli.output import Justify, emit, print_table, say
from ppedge.errors import AGAIN, GateError, Interrupted, PpedgeError
from ppedge.process import tied_to_this_process

if TYPE_CHECKING:
    from ppedge.recipe.road import Recipe
    from ppedge.runs import Run

app = typer.Typer(add_completion=False)


@app.command()
def run(
    recipe: RecipeFile,
    device: Device = "auto",
    set_: Set = [],  # noqa: B006
    out: Out = None,
    force: Force = False,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Train, slim, convert and validate; finished stages are kept, an interrupted one goes on.

    The recipes of a suite are taken side by side. Ends in a table: size, metric and ARM instructions at each
    stage; and in a page on each run, RUN/report.html.
    """
    from ppedge.brought.labels import completed
    from ppedge.convert.sources import require_convertible
    from ppedge.data.source import say_what_chose
    from ppedge.progress import Reporter
    from ppedge.recipe.io import load, load_recipe
    from ppedge.recipe.road import Suite
    from ppedge.report.page import PAGE, write_report
    from ppedge.stages import go_on

    loaded = load(recipe, set_)
    recipes = [load_recipe(path, set_) for path in loaded.recipes] if isinstance(loaded, Suite) else [loaded]
    if out is not None and len(recipes) > 1:
        raise PpedgeError(
            f"{recipe}: --out names one run's folder, this suite makes {len(recipes)}.", "Leave --out out."
        )
    for path, one in zip(loaded.recipes if isinstance(loaded, Suite) else [recipe], recipes, strict=True):
        require_convertible(one, path)  # after hours of training it would be late
    runs, reporter = [run_of(one, out) for one in recipes], Reporter()
    recipes = [completed(one, folder) if one.brought_in else one for one, folder in zip(recipes, runs, strict=True)]
    if isinstance(loaded, Suite) and len(recipes) > 1:
        options = [f"--device={device}", *(f"--set={one}" for one in set_)]
        options += ["--force"] * force + ["--skip-bad"] * skip_bad
        _side_by_side([one.name for one in recipes], [["run", str(path), *options] for path in loaded.recipes])
    else:
        go_on(recipes[0], runs[0], device=device, force=force, skip_bad=skip_bad, reporter=reporter)
        say_what_chose(reporter.say_once, recipes[0])
        write_report(runs[0])  # of a suite each run has written its own
    rows = [row for one, folder in zip(recipes, runs, strict=True) for row in summary(one, folder)]
    pages = [folder.path / PAGE for folder in runs]
    if as_json:
        emit({"runs": [str(folder.path) for folder in runs], "rows": rows, "pages": [str(page) for page in pages]})
    else:
        _print_table(rows, pages)
        _tell_engines(recipes, runs)
    for folder in runs:
        _require_gates(folder)


def _side_by_side(names: list[str], commands: list[list[str]]) -> None:
    """Run ``ppedge COMMAND`` for each recipe in a process of its own: on a CPU, Paddle trains a network on one core.

    What they say is passed on line by line with the recipe's name before it.

    Raises:
        PpedgeError: One of them failed; the others are let to their ends first.
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "ppedge", *command, "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            preexec_fn=tied_to_this_process(),
        )
        for command in commands
    ]

    def follow(name: str, child: subprocess.Popen[str]) -> str:
        last = ""
        for line in child.stderr or ():
            last = line.strip() or last
            say(f"{name}: {line.rstrip()}", err=True)
        return last

    with ThreadPoolExecutor(len(children)) as pool:
        try:
            last_words = list(pool.map(follow, names, children))
        except KeyboardInterrupt as interrupt:
            for child in children:  # they keep what they have, and end
                child.terminate()
            pool.shutdown()
            raise Interrupted(f"Interrupted; the {len(children)} runs have ended.", AGAIN) from interrupt
    for name, child, last in zip(names, children, last_words, strict=True):
        if child.wait() not in (0, GateError.exit_code):  # a gate that failed is told after the table
            error = PpedgeError(f"{name}: {last.removeprefix('ppedge: ')}")
            error.exit_code = child.returncode if child.returncode > 0 else PpedgeError.exit_code
            raise error


def summary(recipe: Recipe, run: Run) -> list[dict[str, Any]]:
    """Return one row for each form of a finished run's network: its .nb bytes, metric, and on ARM metric and cost."""
    from ppedge.artifacts import nb, onnx
    from ppedge.metrics.accuracy import MAIN_METRIC
    from ppedge.validate.report import read_report
    from ppedge.validate.side_by_side import forms

    main = MAIN_METRIC[recipe.task]
    if recipe.ships_as_it_came:
        return [_imported_row(recipe, run, main)]
    about = run.manifest("slim")
    files = run.manifest("convert")["metrics"].get("files", {})
    report = read_report(run)
    here = [m for m in report["models"] if m["cpu"] in report["cpus"][:1]]  # on pc alone, nothing is on ARM
    found = []
    for form in forms(about):
        names = [name(recipe.task, form.precision, baseline=form.stage == "trained") for name in (onnx, nb)]
        models = [m for name in names for m in here if m["file"] == name]
        shipped = models[0] if models else {}
        found.append({
            "network": recipe.name,
            "stage": form.stage,
            "precision": form.precision,
            "nb_bytes": files.get(names[-1], {}).get("bytes"),
            "metric": main,
            "value": _figure(form.metrics, main, run.stage("slim")),
            "measured_on": about.get("measured_on", "eval"),
            "arm_instructions": shipped.get("instructions", {}).get("total"),
            "arm_value": shipped.get("metric", {}).get("candidate", {}).get(main),
            "arm_samples": shipped.get("samples"),
        })  # fmt: skip
    return found


def _imported_row(recipe: Recipe, run: Run, main: str) -> dict[str, Any]:
    """Return the row of a network that came as an inference model; its metric is that of the pictures validated."""
    from ppedge.artifacts import nb
    from ppedge.validate.report import read_report

    files = run.manifest("convert")["metrics"].get("files", {})
    report = read_report(run)
    model = report["models"][0]
    on_arm = model if report["cpus"] else {}
    return {
        "network": recipe.name,
        "stage": "imported",
        "precision": model["precision"],
        "nb_bytes": files.get(nb(recipe.task, model["precision"]), {}).get("bytes"),
        "metric": main,
        "value": _figure(model.get("metric", {}).get("reference"), main, run.stage("validate")),
        "measured_on": report.get("pictures", "eval"),
        "arm_instructions": on_arm.get("instructions", {}).get("total"),
        "arm_value": on_arm.get("metric", {}).get("candidate", {}).get(main),
        "arm_samples": on_arm.get("samples"),
    }


def _figure(metrics: Any, name: str, where: Path) -> float:
    if not isinstance(metrics, dict) or name not in metrics:
        raise PpedgeError(f"{where}: has no {name} of a network.", "Repeat the command with --force.")
    return float(metrics[name])


def _require_gates(run: Run) -> None:
    from ppedge.validate.report import read_report
    from ppedge.validate.stage import require_passed

    require_passed(read_report(run), run.stage("validate"))


def _print_table(rows: list[dict[str, Any]], pages: list[Path]) -> None:
    columns: dict[str, Justify] = dict.fromkeys(
        ("network", "stage", "precision", ".nb bytes", "metric", "on ARM", "instructions"), "left"
    )
    cells = []
    for row in rows:
        size = "-" if row["nb_bytes"] is None else f"{row['nb_bytes']:,}"
        count = "-" if row["arm_instructions"] is None else f"{row['arm_instructions'] / 1e6:.1f} M"
        shipped = "-" if row["arm_value"] is None else f"{row['arm_value']:.4f} ({row['arm_samples']})"
        cells.append([row["network"], row["stage"], row["precision"], size, _metric(row), shipped, count])
    print_table(columns, cells, width=100)
    for page in pages:
        say(f"run: {page.parent}, on one page: {page}")


def _tell_engines(recipes: list[Recipe], runs: list[Run]) -> None:
    """Say of which files the table's figures of ARM are, and where 8 bits cost more than float."""
    from ppedge.report.files import dearer_by_table, predicted_costs
    from ppedge.validate.report import dearer, read_report, what_ran_where

    reports = [read_report(run) for run in runs]
    for sentence in filter(None, dict.fromkeys(map(what_ran_where, reports))):
        say(sentence)
    for recipe, run, report in zip(recipes, runs, reports, strict=True):
        for sentence in [*dearer(report), *dearer_by_table(predicted_costs(recipe, run))]:
            say(f"{run.path.name}: {sentence}")


def _metric(row: dict[str, Any]) -> str:
    return f"{row['metric']} {row['value']:.4f} ({row['measured_on']})"
