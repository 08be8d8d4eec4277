"""Converted runs through onnxruntime, in turns and on one thread, beside what an ARM core would execute.

``onnx_times.py RUN RUN... [--size HxW]``: shares are of the first run. Of each the ONNX file is taken that `ppedge
convert RUN` wrote, in 8 bits if there is one; instructions are those of `ppedge cost` for the `.nb` of the same
precision. The two rank networks differently, and the table shows how much.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from slim_compare import ppedge
from timing import take_turns

from ppedge.artifacts import converted
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe
from ppedge.recipe.sizes import count_size
from ppedge.runs import Run, open_run

PRECISIONS = ("int8", "fp32")


def onnx_file(run: Run) -> tuple[Path, str]:
    """Return a run's ONNX file and its precision.

    Raises:
        PpedgeError: It has none.
    """
    task = load_recipe(run.recipe_path).task
    for precision in PRECISIONS:
        path = run.stage("convert") / converted("onnx", task, precision)
        if path.is_file():
            return path, precision
    raise PpedgeError(f"{run.path}: it has no ONNX file.", "Make one by `ppedge convert`.")


def inference(path: Path, shape: tuple[int, ...]) -> Callable[[], object]:
    """Return a call that runs a model on one thread."""
    engine = open_engine("onnxruntime", path, threads=1)
    picture = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return partial(engine.run, [picture])


def main() -> None:
    """Time, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="converted; the first is what shares are of")
    parser.add_argument("--size", metavar="HxW", help="of the input; default: the recipe's")
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    try:
        runs = [open_run(path) for path in options.runs]
        found = [onnx_file(run) for run in runs]
        shape = (1, 3, *count_size(load_recipe(runs[0].recipe_path)))
        if options.size:
            shape = (*shape[:2], *map(int, options.size.split("x")))
        size = f"{shape[-2]}x{shape[-1]}"
        costs = [
            {one["cpu"]: one["instructions"] for one in ppedge("cost", run.path, "--precision", precision,
                                                               "--size", size, "--json")}
            for run, (_, precision) in zip(runs, found, strict=True)
        ]  # fmt: skip
    except PpedgeError as error:
        parser.exit(error.exit_code, f"onnx_times: {error}\n")
    contenders = {str(run.path): inference(path, shape) for run, (path, _) in zip(runs, found, strict=True)}
    seconds = take_turns(contenders, options.rounds)
    cpus = list(costs[0])
    print(f"| run, {size} | onnxruntime {onnxruntime.__version__}, ms | share |", end="")
    print("".join(f" {cpu}, M | share |" for cpu in cpus), "\n|", " --- |" * (3 + 2 * len(cpus)), sep="")
    first = next(iter(seconds.values()))
    for (name, time), (_, precision), cost in zip(seconds.items(), found, costs, strict=True):
        cells = [f"{name}, {precision}", f"{time * 1e3:.1f}", f"{time / first:.3f}"]
        cells += [text for cpu in cpus for text in (f"{cost[cpu] / 1e6:.1f}", f"{cost[cpu] / costs[0][cpu]:.3f}")]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
