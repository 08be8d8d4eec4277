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
from ppedge.errors import GateError, PpedgeError
from ppedge.process import die_with_parent

if TYPE_CHECKING:
    from ppedge.progress import Reporter
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
    stage.
    """
    from ppedge.data.source import say_what_chose
    from ppedge.progress import Reporter
    from ppedge.recipe.io import load, load_recipe
    from ppedge.recipe.road import Suite

    loaded = load(recipe, set_)
    recipes = [load_recipe(path, set_) for path in loaded.recipes] if isinstance(loaded, Suite) else [loaded]
    if out is not None and len(recipes) > 1:
        raise PpedgeError(
            f"{recipe}: --out names one run's folder, this suite makes {len(recipes)}.", "Leave --out out."
        )
    runs, reporter = [run_of(one, out) for one in recipes], Reporter()
    if isinstance(loaded, Suite) and len(recipes) > 1:
        options = [f"--device={device}", *(f"--set={one}" for one in set_)]
        options += ["--force"] * force + ["--skip-bad"] * skip_bad
        _side_by_side([one.name for one in recipes], [["run", str(path), *options] for path in loaded.recipes])
    else:
        _stages(recipes[0], runs[0], device=device, force=force, skip_bad=skip_bad, reporter=reporter)
        say_what_chose(reporter.say_once, recipes[0])
    rows = [row for one, folder in zip(recipes, runs, strict=True) for row in summary(one, folder)]
    if as_json:
        emit({"runs": [str(folder.path) for folder in runs], "rows": rows})
    else:
        _print_table(rows, [folder.path for folder in runs])
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
            preexec_fn=die_with_parent,
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
        last_words = list(pool.map(follow, names, children))
    for name, child, last in zip(names, children, last_words, strict=True):
        if child.wait() not in (0, GateError.exit_code):  # a gate that failed is told after the table
            error = PpedgeError(f"{name}: {last.removeprefix('ppedge: ')}")
            error.exit_code = child.returncode if child.returncode > 0 else PpedgeError.exit_code
            raise error


def _stages(recipe: Recipe, run: Run, *, device: str, force: bool, skip_bad: bool, reporter: Reporter) -> None:
    """Run the stages that are not done, or that rest on results which have been replaced since."""
    _same_recipe(recipe, run, force)
    redo = force
    for stage in recipe.stages:
        if not redo and run.done(stage) and run.fresh(stage) and _same_settings(stage, recipe, run):
            continue
        redo = True
        reporter.say(f"== {recipe.name}: {stage}")
        again = force or run.done(stage)
        _one_stage(stage, recipe, run, device=device, force=again, skip_bad=skip_bad, reporter=reporter)


def _same_settings(stage: str, recipe: Recipe, run: Run) -> bool:
    """Whether a stage that can be repeated by itself was last run with the recipe's settings."""
    settings = run.manifest(stage).get("settings")
    return settings is None or settings == recipe.model_dump(mode="json", by_alias=True)[stage]


def _one_stage(
    stage: str, recipe: Recipe, run: Run, *, device: str, force: bool, skip_bad: bool, reporter: Reporter
) -> None:
    if stage in ("train", "slim"):
        from ppedge.cost.network import arm_counter, arm_pricer
        from ppedge.slim.stage import run_slim
        from ppedge.train.device import set_device
        from ppedge.train.stage import run_train

        used = set_device(device)
        if stage == "train":
            run_train(recipe, run, device=used, resume=not force, force=force, skip_bad=skip_bad, reporter=reporter)
        else:
            run_slim(
                recipe, run, device=used, count=arm_counter(recipe), price=arm_pricer(recipe), resume=not force,
                force=force, skip_bad=skip_bad, reporter=reporter,
            )  # fmt: skip
    elif stage == "convert":
        from ppedge.convert.stage import run_convert

        run_convert(recipe, run, force=force, say=reporter.say)
    else:
        from ppedge.validate.stage import run_validate

        run_validate(recipe, run, force=force, skip_bad=skip_bad, reporter=reporter)


def _same_recipe(recipe: Recipe, run: Run, force: bool) -> None:
    """Refuse to mix results of two recipes in one folder.

    Raises:
        PpedgeError: The run was started with another recipe.
    """
    from ppedge.recipe.io import load_recipe

    if run.recipe_path.is_file() and not force and load_recipe(run.recipe_path) != recipe:
        raise PpedgeError(
            f"{run.path}: was started with other settings than this recipe's.",
            "Use --force to start anew, or --out for another folder.",
        )


def summary(recipe: Recipe, run: Run) -> list[dict[str, Any]]:
    """Return one row for each form of a finished run's network: its .nb bytes, metric and ARM instructions."""
    from ppedge.artifacts import nb, onnx
    from ppedge.metrics.accuracy import MAIN_METRIC
    from ppedge.recipe.networks import Imported
    from ppedge.validate.report import read_report

    main = MAIN_METRIC[recipe.task]
    if isinstance(recipe.model, Imported):
        return [_imported_row(recipe, run, main)]
    about = run.manifest("slim")
    slim, split = about["metrics"], about.get("measured_on", "eval")
    files = run.manifest("convert")["metrics"].get("files", {})
    report = read_report(run)
    counted = [m for m in report["models"] if "instructions" in m and m["cpu"] == report["cpus"][0]]
    counts = {m["file"]: m["instructions"]["total"] for m in counted}
    forms = [
        ("trained", "fp32", slim.get("float", {})),
        ("pruned", "fp32", slim.get("finetuned") or slim.get("distilled")),
        ("quantized", "int8", slim.get("quantized")),
    ]
    names = {
        stage: [name(recipe.task, precision, baseline=stage == "trained") for name in (nb, onnx)]
        for stage, precision, _ in forms
    }
    return [
        {
            "network": recipe.name,
            "stage": stage,
            "precision": precision,
            "nb_bytes": files.get(names[stage][0], {}).get("bytes"),
            "metric": main,
            "value": _figure(metrics, main, run.stage("slim")),
            "measured_on": split,
            "arm_instructions": counts.get(names[stage][1], counts.get(names[stage][0])),
        }
        for stage, precision, metrics in forms
        if metrics is not None
    ]


def _imported_row(recipe: Recipe, run: Run, main: str) -> dict[str, Any]:
    """Return the row of a network that came as an inference model; its metric is that of the pictures validated."""
    from ppedge.artifacts import nb
    from ppedge.validate.report import read_report

    files = run.manifest("convert")["metrics"].get("files", {})
    report = read_report(run)
    model = report["models"][0]
    return {
        "network": recipe.name,
        "stage": "imported",
        "precision": model["precision"],
        "nb_bytes": files.get(nb(recipe.task, model["precision"]), {}).get("bytes"),
        "metric": main,
        "value": _figure(model.get("metric", {}).get("reference"), main, run.stage("validate")),
        "measured_on": report.get("pictures", "eval"),
        "arm_instructions": model.get("instructions", {}).get("total"),
    }


def _figure(metrics: Any, name: str, where: Path) -> float:
    if not isinstance(metrics, dict) or name not in metrics:
        raise PpedgeError(f"{where}: has no {name} of a network.", "Repeat the command with --force.")
    return float(metrics[name])


def _require_gates(run: Run) -> None:
    from ppedge.validate.report import read_report
    from ppedge.validate.stage import require_passed

    require_passed(read_report(run), run.stage("validate"))


def _print_table(rows: list[dict[str, Any]], folders: list[Path]) -> None:
    columns: dict[str, Justify] = dict.fromkeys(
        ("network", "stage", "precision", ".nb bytes", "metric", "ARM instructions"), "left"
    )
    cells = []
    for row in rows:
        size = "-" if row["nb_bytes"] is None else f"{row['nb_bytes']:,}"
        count = "-" if row["arm_instructions"] is None else f"{row['arm_instructions'] / 1e6:.1f} M"
        cells.append([row["network"], row["stage"], row["precision"], size, _metric(row), count])
    print_table(columns, cells, width=100)
    for folder in folders:
        say(f"run: {folder}")


def _metric(row: dict[str, Any]) -> str:
    return f"{row['metric']} {row['value']:.4f} ({row['measured_on']})"
