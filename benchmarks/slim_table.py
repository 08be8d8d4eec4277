"""Shows what slimmed runs have become in one table: each seed's metric, size and ARM instructions, and their means.

``slim_table.py RUN RUN...`` reads runs that ``ppedge slim`` and ``ppedge convert`` have finished, of networks trained
here or brought in. Runs of one name that differ in nothing but the seed are one row. Nothing is trained again: the
metric is the one with which slimming ended, on ``data.test`` where the recipe has it. Instructions are counted where
Paddle Lite's runtime is registered (``ppedge arm setup --lite DIR``), else predicted; shares are of the network before
slimming, as ``ppedge convert`` writes it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from slim_compare import markdown, ppedge, precision_of, source_of

from ppedge import artifacts
from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe
from ppedge.recipe.slim import Prune
from ppedge.runs import Run, open_run


def slimmed(run: Run) -> dict[str, Any]:
    """Return what slimming has made of a run.

    Args:
        run: With its stages slim and convert finished and fresh.

    Returns:
        ``name``, ``seed``, ``settings`` of slimming, ``metric`` with its split, ``before`` and ``after`` (from 0 to 1),
        ``nb_bytes``, ``instructions`` and ``instructions_before`` by core, ``source`` of these.

    Raises:
        PpedgeError: A stage is missing or older than what it was made from, or there is no `.nb` file.
    """
    for stage in ("slim", "convert"):
        run.require_fresh(stage)
    recipe, stage = load_recipe(run.recipe_path), run.manifest("slim")
    precision = precision_of(run)
    shipped = run.stage("convert") / artifacts.nb(recipe.task, precision)
    trained = run.stage("convert") / artifacts.nb(recipe.task, "fp32", baseline=True)
    for file in (shipped, trained):
        if not file.is_file():
            raise PpedgeError(f"{file}: is not there.", f"Make it: ppedge convert {run.path} --format nb --force")
    costs = ppedge("cost", run.path, "--precision", precision, "--json")
    size = "x".join(map(str, costs[0]["input_shape"][2:]))
    before = ppedge("cost", trained, "--size", size, "--json")
    return {
        "name": recipe.name,
        "seed": stage["seed"],
        "settings": stage["settings"],
        "metric": f"{stage['drop']['metric']} on {stage['measured_on']}",
        "before": stage["drop"]["before"],
        "after": stage["drop"]["after"],
        "nb_bytes": shipped.stat().st_size,
        "instructions": {cost["cpu"]: cost["instructions"] for cost in costs},
        "instructions_before": {cost["cpu"]: cost["instructions"] for cost in before},
        "source": source_of(costs[0]),
    }


def grouped(found: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return what differs in the seed alone together, in the order of the first of each; within it by seed.

    Raises:
        PpedgeError: Two are alike in the seed too.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        alike = groups.setdefault(json.dumps([one["name"], one["metric"], one["settings"]]), [])
        if one["seed"] in [other["seed"] for other in alike]:
            raise PpedgeError(
                f"{one['name']}: two runs have the same settings and seed, {one['seed']}.", "Name one of them."
            )
        alike.append(one)
    return [sorted(alike, key=lambda one: int(one["seed"])) for alike in groups.values()]


def table(groups: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Return a Markdown table with a row for each group of `grouped`."""
    cpus = list(groups[0][0]["instructions"])
    titles = ["network", "budget", "seeds", "metric", "before, %", "slimmed, %", "mean", "less", ".nb, KB"]
    titles += [title for cpu in cpus for title in (f"{cpu.removeprefix('cortex-')}, M", "share")]
    lines = [titles, ["---"] * len(titles)]
    for group in groups:
        first, before = group[0], mean(one["before"] for one in group)
        after = mean(one["after"] for one in group)
        cells = [first["name"], _budget(first["settings"]), _list(group, "seed", 1, 0), first["metric"]]
        cells += [f"{before * 100:.2f}", _list(group, "after", 100, 2), f"{after * 100:.2f}"]
        cells += [f"{(before - after) * 100:.2f}", _list(group, "nb_bytes", 1e-3, 0)]
        for cpu in cpus:
            millions = [one["instructions"][cpu] / 1e6 for one in group]
            share = mean(one["instructions"][cpu] / one["instructions_before"][cpu] for one in group)
            cells += [", ".join(f"{value:.1f}" for value in millions), f"{share:.3f}"]
        lines.append(cells)
    return markdown(lines)


def _list(group: Sequence[dict[str, Any]], name: str, scale: float, digits: int) -> str:
    """Write each seed's figure."""
    return ", ".join(f"{one[name] * scale:.{digits}f}" for one in group)


def _budget(settings: dict[str, Any]) -> str:
    """Write the budget of a method that has one."""
    prune = Prune.model_validate(settings["prune"])
    shares = prune.arm.budget.shares if prune.method == "arm" else {}
    return " ".join(f"{name}={share}" for name, share in shares.items())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a slimmed and converted run")
    options = parser.parse_args()
    try:
        found = [slimmed(open_run(path)) for path in options.runs]
        print(table(grouped(found)))
    except PpedgeError as error:
        print(f"slim_table: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"\nInstructions: {'; '.join(dict.fromkeys(one['source'] for one in found))}.")


if __name__ == "__main__":
    main()
