"""What each exact rewrite gains: instructions of inference models before and after every pass, on both cores.

    .venv/bin/python benchmarks/rewrites.py DIR... [--size HxW] [--count]

A DIR holds a ``.pdmodel`` and its ``.pdiparams``. Predicted by the cost table, or with ``--count`` counted on the
registered Paddle Lite runtime, which takes minutes a network. The difference is that of the output for one picture of
seeded noise to the output of the program before all passes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ppedge.convert.imported import find, fixed_height
from ppedge.convert.lite import to_nb
from ppedge.cost.inference import measure
from ppedge.cost.operators import CORES, operations
from ppedge.cost.predicted import predict
from ppedge.engines import open_engine
from ppedge.files.inference_model import InferenceModel
from ppedge.program.passes import PASSES
from ppedge.program.program import Program
from ppedge.program.rounding import largest_difference
from ppedge.scratch import scratch

SIDE = 320


def prices(program: Program, size: tuple[int, int], *, count: bool) -> dict[str, float]:
    """Return a program's instructions by core."""
    with scratch("rewrites") as folder:
        prefix, path = folder / "program", folder / "program.nb"
        program.write(InferenceModel.at(prefix))
        nb = to_nb(prefix, path, "fp32")
        if not count:
            found = operations(nb, (1, 3, *size))
            return {core: sum(predict(one, core) for one in found) for core in CORES}

        def on(core: str) -> int:
            return measure(lambda: open_engine("arm-paddlelite", path, cpu=core, count=True), size).instructions[
                "total"
            ]

        return {core: on(core) for core in CORES}


def outputs(program: Program, x: np.ndarray) -> list[np.ndarray]:
    """Return what Paddle makes of a program and an input."""
    with scratch("rewrites") as folder:
        files = InferenceModel.at(folder / "program")
        program.write(files)
        with open_engine("paddle", files.model) as engine:
            return engine.run([x])


def show(name: str, places: int, difference: float, cost: Mapping[str, float]) -> None:
    """Print a row."""
    millions = "".join(f"{cost[core] / 1e6:12.1f}" for core in CORES)
    print(f"{name:16}{places:7}{difference:12.2g}{millions}", flush=True)


def main() -> None:
    """Print a table for each folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--size", help="Of the input; by default 320x320, of lines the height that the model fixes.")
    parser.add_argument("--count", action="store_true", help="Count on the registered runtime.")
    options = parser.parse_args()
    for folder in options.folders:
        files = find(folder)
        size = (fixed_height(files) or SIDE, SIDE)
        if options.size:
            height, width = map(int, options.size.split("x"))
            size = (height, width)
        program = Program.read(files)
        x = np.random.default_rng(0).standard_normal((1, 3, *size), dtype=np.float32)
        reference = outputs(program, x)
        print(f"\n{folder} at {size[0]}x{size[1]}, {'counted' if options.count else 'predicted'}, M instructions")
        print(f"{'pass':16}{'places':>7}{'difference':>12}" + "".join(f"{core:>12}" for core in CORES))
        show("as it is", 0, 0.0, prices(program, size, count=options.count))
        for name, apply in PASSES.items():
            changes = apply(program)
            if changes:
                difference, _ = largest_difference(outputs(program, x), reference, 0)
                show(name, len(changes), difference, prices(program, size, count=options.count))


if __name__ == "__main__":
    main()
