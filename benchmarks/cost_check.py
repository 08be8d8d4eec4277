"""Holds the cost table against counts of whole networks, none of which took part in the sweep it was fitted to.

``cost_check.py FILE.nb --name NAME [--size HxW]`` counts a file on the registered runtime, operator by operator, and
keeps the counts in ``cost_networks.json``; ``cost_check.py --run RUN fp32|int8 --name NAME`` does so with the network
that a run has trained, all of it in that precision, and ``cost_check.py --zoo NETWORK fp32|int8`` with one of Paddle's
model zoo at 1x3x224x224. Without a network it needs no runtime: it holds the table against all counts that are kept,
prints the rows of the table in `docs/cost.md`, and ends with exit code 1 if one is further off than it may be.
``--write`` keeps the result in the cost table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from cost_store import compact, operation, write_rows
from latency_count import NETWORKS, SHAPE, export

from ppedge.convert.lite import to_nb
from ppedge.cost.measured import measure_operators
from ppedge.cost.operators import CORES, Operation, operations
from ppedge.cost.predicted import TABLE, predict
from ppedge.cost.terms import family_and_terms
from ppedge.errors import PpedgeError
from ppedge.files.nb import read_nb
from ppedge.recipe.io import load_recipe
from ppedge.recipe.sizes import count_size
from ppedge.runs import Run
from ppedge.storage import read_json, write_json

KEPT = Path(__file__).with_name("cost_networks.json")
GOAL = 0.05


def counted(path: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    """Count a file on each core: its operators, each with its instructions core by core, and what belongs to none."""
    nb = read_nb(path)
    measured = [measure_operators(path, cpu, shape) for cpu in CORES]
    rows = zip(*[[counts["total"] for counts in each.instructions] for each in measured], strict=True)
    return {
        "runtime": measured[0].runtime,
        "precision": "int8" if any(op.int8 for op in nb.operators) else "fp32",
        "input": list(shape),
        "rest": [each.rest["total"] for each in measured],
        "operators": [[compact(op), *row] for op, row in zip(operations(nb, shape), rows, strict=True)],
    }


def counted_zoo(network: str, precision: str) -> dict[str, Any]:
    """Build a network of the model zoo, convert and count it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{network}.{precision}.nb"
        export(network, precision, path.with_suffix(""))
        to_nb(path.with_suffix(""), path, "int8" if precision == "int8" else "fp32")
        return counted(path, SHAPE)


def counted_run(folder: Path, precision: str) -> dict[str, Any]:
    """Convert the network that a run has trained, with quantizers on all layers for int8, and count it."""
    from ppedge.cost.network import converted
    from ppedge.slim.int8.pact import QUANTIZED
    from ppedge.slim.network import load_float
    from ppedge.train.task import Task

    run = Run(folder)
    recipe = load_recipe(run.recipe_path)
    net = load_float(run, Task(recipe), "train")
    layers = [name for name, layer in net.named_sublayers() if isinstance(layer, QUANTIZED)]
    with converted(net, recipe, layers if precision == "int8" else ()) as (path, _):
        return counted(path, (1, 3, *count_size(recipe)))


def compared(name: str, kept: dict[str, Any], verbose: bool) -> list[dict[str, Any]]:
    """Return a network's entries, one a core; print what is off most if asked."""
    entries = []
    found = [operation(values) for values, *_ in kept["operators"]]
    for k, cpu in enumerate(CORES):
        counts = [row[k + 1] for row in kept["operators"]]
        costs = [predict(op, cpu) for op in found]
        off = [cost - count for cost, count in zip(costs, counts, strict=True)]
        total = sum(counts) + kept["rest"][k]
        entries.append({
            "network": name,
            "precision": kept["precision"],
            "input": "x".join(map(str, kept["input"])),
            "cpu": cpu,
            "counted": total,
            "predicted": round(sum(costs)),
            "by_operator": round(sum(map(abs, off)) / total, 4),  # errors that do not cancel out
        })  # fmt: skip
        if verbose:
            print_worst(found, cpu, counts, off, total)
    return entries


def print_worst(found: list[Operation], cpu: str, counts: list[int], off: list[float], total: int) -> None:
    """Print the families of kernels that are off most."""
    kinds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for op, count, error in zip(found, counts, off, strict=True):
        kind = kinds[family_and_terms(op, cpu)[0]]
        kind[0] += count
        kind[1] += error
    for family, (count, error) in sorted(kinds.items(), key=lambda item: -abs(item[1][1]))[:5]:
        print(f"    {family:28} {cpu} counted {count / 1e6:8.3f} M, off by {error / total:+.2%} of the whole")


def row_of(entry: dict[str, Any]) -> str:
    """Return an entry as a row of the table in `docs/cost.md`."""
    error = entry["predicted"] / entry["counted"] - 1
    figures = f"{entry['counted'] / 1e6:.2f} M | {error:+.1%} | {entry['by_operator']:.1%}"
    return f"| {entry['network']}, {entry['input']} | {entry['precision']} | {entry['cpu']} | {figures} |"


def add(options: argparse.Namespace, data: dict[str, Any]) -> None:
    """Count the network that was named and put it with those that are kept."""
    if options.zoo:
        name, within, found = options.zoo[0], 2 * GOAL, counted_zoo(*options.zoo)
    elif options.run:
        name, within, found = options.name, options.within, counted_run(Path(options.run[0]), options.run[1])
    else:
        name, within = options.name or options.file.stem, options.within
        found = counted(options.file, (1, 3, *options.size))
    if data["runtime"] not in ("", found["runtime"]):
        sys.exit(f"{KEPT}: holds counts of {data['runtime']}, not of {found['runtime']}; remove it first.")
    data["runtime"] = found.pop("runtime")
    data["networks"][f"{name}, {found['precision']}"] = {"name": name, "within": within, **found}
    data["networks"] = dict(sorted(data["networks"].items()))
    write_rows(KEPT, data)


def check(options: argparse.Namespace) -> bool:
    """Hold the table against all networks that are kept; return whether one is further off than it may be."""
    data = read_json(KEPT) if KEPT.is_file() else {"runtime": "", "networks": {}}
    if options.file or options.run or options.zoo:
        add(options, data)
    entries, missed = [], False
    for kept in data["networks"].values():
        for entry in compared(kept["name"], kept, options.verbose):
            print(row_of(entry))
            missed |= abs(entry["predicted"] / entry["counted"] - 1) > kept["within"]
            entries.append(entry)
    if options.write:
        write_json(TABLE, {**read_json(TABLE), "checks": entries})
    return missed


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width)


def main() -> None:
    """Check one network, or all that are kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--name", help="of the file's network; default: the file's name")
    parser.add_argument("--size", type=_size, default=(320, 320), metavar="HxW")
    parser.add_argument("--within", type=float, default=GOAL, help="how far off the prediction may be")
    parser.add_argument("--run", nargs=2, metavar=("RUN", "PRECISION"), help="a trained network; needs --name")
    parser.add_argument("--zoo", nargs=2, metavar=("NETWORK", "PRECISION"), help=", ".join(NETWORKS))
    parser.add_argument("--verbose", action="store_true", help="print the families of kernels that are off most")
    parser.add_argument("--write", action="store_true", help="keep the errors in the cost table")
    options = parser.parse_args()
    if options.zoo and (options.zoo[0] not in NETWORKS or options.zoo[1] not in ("fp32", "int8")):
        parser.error(f"--zoo {' '.join(options.zoo)}: write one of {', '.join(NETWORKS)}, and fp32 or int8")
    if options.run and not (options.name and options.run[1] in ("fp32", "int8")):
        parser.error(f"--run {' '.join(options.run)}: write a run, fp32 or int8, and the network's --name")
    try:
        missed = check(options)
    except PpedgeError as error:
        sys.exit(f"error: {error}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
