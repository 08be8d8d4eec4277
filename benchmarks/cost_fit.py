"""Fits the cost table that ships with ppedge to the counts of ``cost_sweep.py``, and says how far off it is.

Each family of kernels gets one factor, never negative, for each term of its cost (``ppedge.cost.terms``), so that
relative errors are least (Lawson and Hanson's non-negative least squares). The error printed is of points that a fit
has not seen: each fifth of them is left out in turn.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from cost_store import operation
from cost_sweep import POINTS
from scipy.optimize import nnls

from ppedge.cost.operators import Operation
from ppedge.cost.predicted import TABLE
from ppedge.cost.terms import family_and_terms
from ppedge.storage import read_json, write_json

SMALL = 3000.0  # instructions below which an error hardly counts
FOLDS = 5


def families(data: dict[str, Any]) -> dict[str, list[tuple[dict[str, float], int, Operation]]]:
    """Group the points by kernel and core; what several runs measured alike is taken once."""
    found: dict[str, list[Any]] = defaultdict(list)
    seen = set()
    for key, points in data["points"].items():
        core = key.rpartition(".")[2]
        for values, count in points:
            op = operation(values)
            if (op, core) in seen:
                continue
            seen.add((op, core))
            family, terms = family_and_terms(op, core)
            found[f"{family}.{core}"].append((terms, count, op))
    return found


def fit(rows: list[Any]) -> dict[str, float]:
    """Return a factor for each term that a family's cost grows with."""
    names = sorted({name for terms, *_ in rows for name in terms})
    matrix = np.array([[terms.get(name, 0.0) for name in names] for terms, *_ in rows])
    counts = np.array([count for _, count, _ in rows], float)
    weights = 1 / (counts + SMALL)
    scaled = matrix * weights[:, None]
    norms = np.linalg.norm(scaled, axis=0)
    norms[norms == 0] = 1
    factors, _ = nnls(scaled / norms, counts * weights, maxiter=50 * len(names))
    return {name: float(f"{f / n:.6g}") for name, f, n in zip(names, factors, norms, strict=True) if f > 0}


def errors(rows: list[Any], factors: dict[str, float]) -> list[float]:
    """Return relative errors, those of small counts made small."""
    predicted = [sum(f * terms.get(name, 0.0) for name, f in factors.items()) for terms, *_ in rows]
    return [(p - row[1]) / (row[1] + SMALL) for p, row in zip(predicted, rows, strict=True)]


def unseen(rows: list[Any]) -> list[float]:
    """Return each point's error by a fit without it and its fold; of few points, each is a fold of its own."""
    folds = FOLDS if len(rows) >= 2 * FOLDS else len(rows)
    if folds < 2:
        return errors(rows, fit(rows))
    found = []
    for fold in range(folds):
        kept = [row for k, row in enumerate(rows) if k % folds != fold]
        found += errors(rows[fold::folds], fit(kept))
    return found


def main() -> None:
    """Fit, print, and write if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=Path, default=POINTS)
    parser.add_argument("--write", action="store_true", help="write the table into the package")
    parser.add_argument("--worst", action="store_true", help="print each family's worst point")
    options = parser.parse_args()
    data = read_json(options.points)
    old = read_json(TABLE) if TABLE.is_file() else {}
    table: dict[str, Any] = {"schema": 1, "runtime": data["runtime"], "families": {}, "checks": old.get("checks", [])}
    everything = []
    for family, rows in sorted(families(data).items()):
        off = np.abs(unseen(rows))
        everything += list(off)
        print(f"{family:44} {len(rows):4} points, unseen: mean {off.mean():6.3f}, worst {off.max():6.3f}")
        factors = fit(rows)
        table["families"][family] = {"points": len(rows), "error": round(float(off.mean()), 4), "factors": factors}
        if options.worst:
            own = errors(rows, factors)
            for k in np.argsort(-np.abs(own))[:4]:
                op = rows[k][2]
                what = f"{op.inputs} {op.output} {op.kernel} {op.strides} {op.activation} {op.variant}"
                print(f"   {own[k]:+.3f} {rows[k][1]:9} {what}")
    table["points"], table["sweep_error"] = len(everything), round(float(np.mean(everything)), 4)
    most = np.quantile(everything, 0.9)
    print(f"{len(everything)} points, unseen: mean {np.mean(everything):.3f}, nine in ten {most:.3f}")
    if options.write:
        write_json(TABLE, table)


if __name__ == "__main__":
    main()
