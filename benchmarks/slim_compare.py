"""Compares ways of slimming one trained run, in one table: metric, size, ARM instructions and time.

``slim_compare.py RUN --work DIR [--seeds 0 1 2] [--budget "a53=0.35 a76=0.35"]`` slims copies of the run under DIR, by
calls of ``ppedge`` as a user makes them. What is finished there is not done again: an interrupted comparison goes on.
Instructions are counted where Paddle Lite's runtime is registered (``ppedge arm setup --lite DIR``), else predicted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from ppedge.errors import GateError, PpedgeError
from ppedge.metrics.accuracy import MAIN_METRIC
from ppedge.process import death
from ppedge.recipe.io import load_recipe
from ppedge.runs import MANIFEST, RECIPE, Run, open_run
from ppedge.storage import read_json, sha256, write_json

FLOAT, OFFICIAL = "float, as trained", "float, official weights"
WAYS = ("float", "fpgm", "fpgm+pact", "arm", "arm+pact", "arm+arm")
BUDGET = 'for arm: "a53=0.35 a76=0.35", with settings if need be: "a53=0.25 slim.prune.arm.distill.epochs=100"'
FOUND, SETTINGS = "found.json", "comparison.json"


@dataclass(frozen=True)
class Way:
    """One way of slimming.

    Attributes:
        name: In the table.
        options: Of ``ppedge slim``; None: the network as trained.
    """

    name: str
    options: tuple[str, ...] | None


def ways(kinds: Sequence[str], budgets: Sequence[str]) -> list[Way]:
    """Return the ways asked for; those by ``arm`` once for each budget, or without one by the recipe's tolerance.

    Beside its shares a budget may hold settings of the recipe, ``slim.prune.arm.distill.epochs=100``.
    """
    found = []
    for kind in kinds:
        if kind == "float":
            found.append(Way(FLOAT, None))
            continue
        prune, _, quant = kind.partition("+")
        options = ("--prune", prune, "--quant", quant or "none")
        for budget in (budgets if prune == "arm" else []) or [""]:
            name = ", ".join(part for part in (prune, budget, quant) if part)
            found.append(Way(name, (*options, *_budgeted(budget))))
    return found


def _budgeted(budget: str) -> list[str]:
    """Return the options of ``ppedge slim`` for a budget and the settings that it holds."""
    words = budget.split()
    settings = [word for word in words if "." in word.partition("=")[0]]
    shares = [word for word in words if word not in settings]
    return [*(["--budget", " ".join(shares)] if shares else []), *(x for word in settings for x in ("--set", word))]


class Comparison:
    """A trained run, and the folder in which it is slimmed again and again.

    Args:
        run: The run; only its train stage is looked at.
        work: The folder.
        changes: Of the recipe, for every way: ``--set``.
        second: Root and label file of a second domain.

    Raises:
        PpedgeError: The run is not trained, or the folder holds another comparison.
    """

    def __init__(self, run: Run, work: Path, changes: Sequence[str], second: tuple[str, str] | None) -> None:
        self.run, self.work, self.changes, self.second = run, work, list(changes), second
        self.recipe = load_recipe(run.recipe_path)
        self.metric = MAIN_METRIC[self.recipe.task]
        run.require_fresh("train")
        settings = {"train": sha256(run.stage("train") / MANIFEST), "set": self.changes}
        kept = work / SETTINGS
        if kept.is_file() and read_json(kept) != settings:
            raise PpedgeError(
                f"{work}: holds a comparison of another run, or with other --set.", "Name another --work."
            )
        write_json(kept, settings)

    def one(self, way: Way, seed: int) -> dict[str, Any]:
        """Return what a way gives with a seed, from the folder if it is there already."""
        folder = self.work / f"{re.sub(r'[^a-z0-9.=]+', '-', way.name)}.seed{seed}"
        kept = folder / FOUND
        found = read_json(kept) if kept.is_file() else self._slimmed(way, seed, self._copied(folder))
        if self.second is not None and "failed" not in found and "/".join(self.second) not in found["second"]:
            found["second"]["/".join(self.second)] = ppedge("eval", folder / "run", *self._there, "--json")
        write_json(kept, found)
        return dict(found)

    def official(self) -> dict[str, tuple[float, float]] | None:
        """Return the table's metrics of the weights that the training started from, if they are here."""
        weights = self.recipe.train.weights
        if weights is None or not weights.is_file():
            return None
        command = ("eval", self.run.recipe_path, "--weights", weights, "--json")
        found = {"metric": ppedge(*command)}
        if self.second is not None:
            found["second"] = ppedge(*command, *self._there)
        return {name: (one["metrics"][self.metric], 0.0) for name, one in found.items()}

    @property
    def _there(self) -> list[str]:
        """Options of ``ppedge eval`` for the second domain."""
        root, labels = self.second or ("", "")
        return ["--set", f"data.root={root}", "--set", f"data.eval=[{labels}]"]

    def _copied(self, folder: Path) -> Run:
        """Return the copy of the run that is slimmed, as an interrupted comparison left it."""
        place, partial = folder / "run", folder / ".run"
        if not place.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(self.run.stage("train"), partial / "train", ignore=shutil.ignore_patterns("*.ckpt"))
            shutil.copy2(self.run.recipe_path, partial / RECIPE)
            partial.rename(place)
        return Run(place)

    def _slimmed(self, way: Way, seed: int, run: Run) -> dict[str, Any]:
        base = {"way": way.name, "seed": seed, "second": {}}
        # What a way loses is what the table is for: the recipe's limit would only keep it out.
        asked = (f"seed={seed}", "slim.max_metric_drop=null", *self.changes)
        changes = [part for change in asked for part in ("--set", change)]
        if way.options is not None and not run.done("slim"):
            try:
                ppedge("slim", run.path, *way.options, *changes, "--resume", "--json")
            except GateError as error:  # a budget that cannot be met
                return {**base, "failed": error.message}
        precision = precision_of(run)
        if not run.done("convert"):
            ppedge("convert", run.path, "--format", "nb", "--precision", precision, "--json")
        costs = ppedge("cost", run.path, "--precision", precision, "--json")
        seconds = 0 if way.options is None else run.manifest("slim")["seconds"]
        measured = ppedge("eval", run.path, "--json")
        return base | {
            "metrics": measured["metrics"],
            "measured_on": measured["split"],
            "nb_bytes": Path(costs[0]["file"]).stat().st_size,
            "instructions": {cost["cpu"]: cost["instructions"] for cost in costs},
            "source": source_of(costs[0]),
            "minutes": seconds / 60,
        }


def ppedge(*arguments: str | Path) -> Any:
    """Run a command of ppedge and return what it prints as JSON; what it tells goes on to the screen.

    Raises:
        GateError: It ended with exit code 1.
        PpedgeError: It failed.
    """
    command = [str(argument) for argument in arguments]
    said = [""]
    with (
        tempfile.TemporaryFile("w+") as result,
        subprocess.Popen(
            [sys.executable, "-m", "ppedge", *command], stdout=result, stderr=subprocess.PIPE, text=True
        ) as child,
    ):
        assert child.stderr is not None
        for line in child.stderr:
            sys.stderr.write(line)
            said.append(line.strip())
        code = child.wait()
        result.seek(0)
        if code == 0:
            return json.load(result)
    kind = GateError if code == GateError.exit_code else PpedgeError
    raise kind(f"ppedge {command[0]}: {said[-1].removeprefix('ppedge: ') or death(code)}")


def summary(found: Sequence[dict[str, Any]], metric: str, second: tuple[str, str] | None = None) -> dict[str, Any]:
    """Return mean and spread (most - least) over the seeds of one way.

    Args:
        found: What `Comparison.one` returned for each seed.
        metric: The task's.
        second: Root and label file of a second domain.

    Returns:
        ``way``, ``seeds`` and, by column, (mean, spread): ``metric``, ``nb_bytes``, one for each core, ``minutes``,
        ``second``; ``measured_on``, the split that the metric is of; with a second domain also ``domain``, what
        ``ppedge eval`` says of its pictures. Or ``failed``, the reason.
    """
    failed = next((one["failed"] for one in found if "failed" in one), None)
    row: dict[str, Any] = {"way": found[0]["way"], "seeds": [one["seed"] for one in found]}
    if failed is not None:
        return {**row, "failed": failed}
    columns = {
        "metric": [one["metrics"][metric] for one in found],
        "nb_bytes": [one["nb_bytes"] for one in found],
        **{cpu: [one["instructions"][cpu] for one in found] for cpu in found[0]["instructions"]},
        "minutes": [one["minutes"] for one in found],
    }
    row["measured_on"] = found[0].get("measured_on", "eval")  # earlier versions, which had eval alone, do not say
    if second is not None:
        there = [one["second"]["/".join(second)] for one in found]
        columns["second"] = [one["metrics"][metric] for one in there]
        row["domain"] = there[0].get("domain")
    return {**row, **{name: (mean(values), max(values) - min(values)) for name, values in columns.items()}}


def table(rows: Sequence[dict[str, Any]], metric: str) -> str:
    """Return the rows as a Markdown table; shares are of the first row, the network as trained."""
    first = rows[0]
    cpus = [name for name in first if name.startswith("cortex-")]
    titles = ["way", f"{metric}, %", ".nb, KB", "share"]
    titles += [title for cpu in cpus for title in (f"{cpu.removeprefix('cortex-')}, M", "share")] + ["minutes"]
    titles += [f"second {metric}, %"] if "second" in first else []
    lines = [titles, ["---"] * len(titles)]
    for row in rows:
        if "failed" in row:
            lines.append([row["way"], f"failed: {row['failed']}", *[""] * (len(titles) - 2)])
            continue
        cells = [row["way"], _cell(row["metric"], 100, 2)]
        for name, scale, digits in (("nb_bytes", 1 / 1000, 0), *((cpu, 1e-6, 1) for cpu in cpus)):
            cells += [_cell(row[name], scale, digits), f"{row[name][0] / first[name][0]:.3f}"]
        cells.append(_cell(row["minutes"], 1, 1) if row["minutes"][0] else "")
        lines.append(cells + ([_cell(row["second"], 100, 2)] if "second" in row else []))
    return markdown(lines)


def precision_of(run: Run) -> str:
    """Return the precision in which a run's network ships: of ``--quant arm`` the manifest alone says it."""
    return "int8" if run.done("slim") and run.manifest("slim")["quant"] != "none" else "fp32"


def source_of(cost: dict[str, Any]) -> str:
    """Say where instructions that ``ppedge cost`` gave come from, and of which input they are."""
    return f"{cost['source']}, {cost['runtime']}, {'x'.join(map(str, cost['input_shape']))}"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as a Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: tuple[float, float], scale: float, digits: int) -> str:
    """Write a mean and, where there is one, the spread."""
    spread = f" ({value[1] * scale:.{digits}f})" if value[1] else ""
    return f"{value[0] * scale:.{digits}f}{spread}"


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="a trained run; nothing is written into it")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="for the copies; kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    parser.add_argument("--ways", nargs="+", choices=WAYS[1:], default=WAYS[1:], help="beside float; default: all")
    parser.add_argument("--budget", action="append", default=[], metavar="SHARES", help=BUDGET)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of ppedge slim, for all ways")
    parser.add_argument("--second", nargs=2, metavar=("ROOT", "LABELS"), help="pictures of a second domain")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    second = tuple(options.second) if options.second else None
    try:
        comparison = Comparison(open_run(options.run), options.work, options.set, second)
        rows, sources = compared(comparison, ways(["float", *options.ways], options.budget), options.seeds)
    except PpedgeError as error:
        print(f"slim_compare: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    split = rows[0].get("measured_on", "eval")
    if options.json:
        about = {"metric": comparison.metric, "measured_on": split, "instructions": sources}
        print(json.dumps({**about, "rows": rows}, indent=2))
        return
    print(table(rows, comparison.metric))
    print(f"\nMetric: on data.{split}. Instructions: {'; '.join(sources)}. Over seeds: mean (most - least).")
    shift = next((row["domain"] for row in rows if row.get("domain")), None)
    if shift is not None:
        told = "told apart" if shift["different"] else "not told apart"
        print(
            f"Pictures of the second domain: {told} (distance {shift['distance']:.2f}, chance {shift['chance']:.2f})."
        )


def compared(
    comparison: Comparison, asked: Sequence[Way], seeds: Sequence[int]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of the table, the network as trained first, and where the instructions come from."""
    rows, sources = [], []
    for way in asked:
        found = []
        for seed in seeds if way.options else seeds[:1]:
            print(f"slim_compare: {way.name}, seed {seed}", file=sys.stderr)
            found.append(comparison.one(way, seed))
        rows.append(summary(found, comparison.metric, comparison.second))
        sources += [one["source"] for one in found if "source" in one and one["source"] not in sources]
    official = comparison.official()
    if official is not None:
        rows.insert(1, {**rows[0], "way": OFFICIAL, **official})
    return rows, sources


if __name__ == "__main__":
    main()
