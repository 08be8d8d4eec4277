"""Trains recipes with the same seeds, side by side: does what helps one of them help on pictures that chose nothing?

``training_compare.py RECIPE... --work DIR [--seeds 0 1 2]`` trains each recipe with each seed under DIR, by calls of
``ppedge`` as a user makes them, and measures on the recipe's test data. What is finished there is not trained again: an
interrupted comparison goes on. ``--unclip`` chooses a detector's ``unclip_ratio`` for each run anew, on evaluation
data: networks that learn from another's map may see regions of another size than the labels say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from slim_compare import ppedge

from ppedge.errors import PpedgeError
from ppedge.metrics.accuracy import MAIN_METRIC
from ppedge.recipe.io import load_recipe
from ppedge.runs import Run

UNCLIP = "det_postprocess.unclip_ratio"


def trained(recipe: Path, seed: int, work: Path, changes: Sequence[str]) -> Run:
    """Return a recipe's run with a seed, trained now if it is not there."""
    run = Run(work / f"{recipe.stem}-{seed}")
    if not run.done("train"):
        options = [word for change in (f"seed={seed}", *changes) for word in ("--set", change)]
        resumed = ["--resume"] if run.recipe_path.is_file() else []
        ppedge("train", recipe, "--out", run.path, *options, *resumed, "--json")
    return run


def measured(run: Run, metric: str, unclip: Sequence[float]) -> tuple[float, float | None]:
    """Return the metric on test data and, if there is a choice, the ``unclip_ratio`` that evaluation data chose."""
    if not unclip:
        return _metric(run, metric), None
    on_eval = {ratio: _metric(run, metric, f"{UNCLIP}={ratio}", "data.test=[]") for ratio in unclip}
    chosen = max(unclip, key=lambda ratio: on_eval[ratio])
    return _metric(run, metric, f"{UNCLIP}={chosen}"), chosen


def _metric(run: Run, metric: str, *changes: str) -> float:
    options = [word for change in changes for word in ("--set", change)]
    return float(ppedge("eval", run.path, *options, "--json")["metrics"][metric])


def line(name: str, found: Sequence[tuple[float, float | None]]) -> str:
    """Return a row of the table: each seed's metric in per cent, their mean, and what was chosen."""
    cells = [f"{100 * value:.2f}" for value, _ in found] + [f"{100 * mean(value for value, _ in found):.2f}"]
    chosen = ", ".join("as in the recipe" if ratio is None else f"{ratio:g}" for _, ratio in found)
    return f"| {' | '.join([name, *cells, chosen])} |"


def main() -> None:
    """Train, measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipes", type=Path, nargs="+", metavar="RECIPE", help="each names test data (data.test)")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="for the runs; kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of ppedge train, for all")
    parser.add_argument(
        "--unclip", type=float, nargs="+", default=[], metavar="RATIO", help="for detectors, to choose of"
    )
    options = parser.parse_args()
    try:
        recipes = {path: load_recipe(path, options.set) for path in options.recipes}
        without = [str(path) for path, recipe in recipes.items() if not recipe.data.test]
        if without:
            raise PpedgeError(f"{without[0]}: names no data.test.", "Keep pictures aside: `ppedge data split`.")
        metrics = {MAIN_METRIC[recipe.task] for recipe in recipes.values()}
        if len(metrics) > 1:
            raise PpedgeError("The recipes are for different tasks.", "Compare recipes of one task.")
        metric = metrics.pop()
        print(f"| recipe | {' | '.join(f'{metric}, seed {seed}' for seed in options.seeds)} | mean | unclip_ratio |")
        print(f"|{' --- |' * (len(options.seeds) + 3)}")
        for path in options.recipes:
            runs = [trained(path, seed, options.work, options.set) for seed in options.seeds]
            print(line(path.stem, [measured(run, metric, options.unclip) for run in runs]), flush=True)
    except PpedgeError as error:
        print(f"training_compare: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
