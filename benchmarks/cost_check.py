"""Holds the cost table against counts of whole networks, none of which took part in the sweep it was fitted to.

``cost_check.py FILE.nb [--size HxW]`` counts a file on the registered runtime, operator by operator.
``cost_check.py --zoo NETWORK fp32|int8`` builds a network of Paddle's model zoo, whose counts at 1x3x224x224 stand in
``latency.json``, and needs no runtime. ``--write`` keeps the result in the table, for `docs/cost.md`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from latency_count import NETWORKS, SHAPE, export

from ppedge.convert.lite import to_nb
from ppedge.convert.nb import read_nb
from ppedge.cost.measured import measure_operators
from ppedge.cost.operators import CORES, Operation, operations
from ppedge.cost.predicted import TABLE, predict
from ppedge.runs import read_json, write_json
from ppedge.validate.latency import DATA


def of_file(path: Path, name: str, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Count a file on each core and compare, operator by operator."""
    found, nb = operations(read_nb(path), shape), read_nb(path)
    precision = "int8" if any(op.int8 for op in nb.operators) else "fp32"
    results = []
    for cpu in CORES:
        measured = measure_operators(path, cpu, shape)
        counts = [row["total"] for row in measured.instructions]
        results.append(compared(name, precision, cpu, found, measured.total, counts))
    return results


def of_zoo(network: str, precision: str) -> list[dict[str, Any]]:
    """Compare with the counts that are kept."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{network}.{precision}.nb"
        export(network, precision, path.with_suffix(""))
        found = operations(to_nb(path.with_suffix(""), path, "int8" if precision == "int8" else "fp32"), SHAPE)
    counts = read_json(DATA)["counts"][f"{network}.{precision}"]
    return [compared(network, precision, cpu, found, counts[cpu]["total"], []) for cpu in CORES]


def compared(
    name: str, precision: str, cpu: str, found: list[Operation], total: int, counts: list[int]
) -> dict[str, Any]:
    """Return a network's entry; print it, and what is off most by kind of operator where the counts are known."""
    costs = [predict(op, cpu) for op in found]
    error = sum(costs) / total - 1
    figures = f"counted {total / 1e6:8.2f} M, predicted {sum(costs) / 1e6:8.2f} M, {error:+.2%}"
    print(f"{name:24} {precision} {cpu}: {figures}")
    entry = {"network": name, "precision": precision, "cpu": cpu, "counted": total, "predicted": round(sum(costs))}
    if counts:
        kinds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for op, count, cost in zip(found, counts, costs, strict=True):
            kind = kinds[f"{op.type} {op.kernel[0]}x{op.kernel[1]} s{op.strides[0]} {op.precision}"]
            kind[0] += count
            kind[1] += cost
        for kind, (count, cost) in sorted(kinds.items(), key=lambda item: -abs(item[1][1] - item[1][0]))[:4]:
            print(f"    {kind:36} counted {count / 1e6:8.3f} M, off by {(cost - count) / total:+.2%} of the whole")
        off = [abs(cost - count) for cost, count in zip(costs, counts, strict=True)]
        entry["by_operator"] = round(sum(off) / total, 4)  # errors that do not cancel out
    return entry


def main() -> None:
    """Check one network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--name", help="of the file's network, in the table")
    parser.add_argument("--size", default="320x320", metavar="HxW")
    parser.add_argument("--zoo", nargs=2, metavar=("NETWORK", "PRECISION"), help=", ".join(NETWORKS))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if (options.file is None) == (options.zoo is None):
        parser.error("name a file or --zoo, one of the two")
    height, width = map(int, options.size.split("x"))
    if options.zoo:
        entries = of_zoo(*options.zoo)
    else:
        entries = of_file(options.file, options.name or options.file.stem, (1, 3, height, width))
    if options.write:
        table = read_json(TABLE)
        known = {(entry["network"], entry["precision"], entry["cpu"]): entry for entry in table["checks"]}
        known |= {(entry["network"], entry["precision"], entry["cpu"]): entry for entry in entries}
        table["checks"] = [known[key] for key in sorted(known)]
        write_json(TABLE, table)


if __name__ == "__main__":
    main()
