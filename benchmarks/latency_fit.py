"""Fits the latency model to published rows and counted instructions, and says how wrong it is on rows left out.

Every form of the model is fitted by non-negative least squares on relative errors, for each kind of core on its own. A
form's error is measured on rows that took no part in the fit: each row left out in turn; each network with both its
precisions; each chip, where another one has the same cores; each precision. Rows of an older release, among them a
network that no fit has seen, are a check from outside. ``--write`` puts costs, errors and band into the data file.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.storage import read_json, write_json
from ppedge.validate.latency import DATA, milliseconds

SHIPPED = "instructions + bytes"


@dataclass(frozen=True)
class Row:
    """A published time and what was counted of the same network.

    Attributes:
        network: Name.
        precision: ``fp32`` or ``int8``.
        soc: The chip.
        kind: The kind of core, which has costs of its own.
        ghz: Clock rate as published.
        ms: The published time.
        counts: Instructions by class.
        file_bytes: Size of the ``.nb`` file.
    """

    network: str
    precision: str
    soc: str
    kind: str
    ghz: float
    ms: float
    counts: dict[str, int]
    file_bytes: int

    @property
    def cycles(self) -> float:
        """The published time in cycles."""
        return self.ms * self.ghz * 1e6


def _vector(c: dict[str, int]) -> int:
    return c["fma"] + c["dot"] + c["simd"]


FORMS: dict[str, Callable[[Row], list[int]]] = {
    "instructions": lambda r: [r.counts["total"]],
    SHIPPED: lambda r: [r.counts["total"], r.file_bytes],
    "vector, rest": lambda r: [_vector(r.counts), r.counts["total"] - _vector(r.counts)],
    "vector, rest + bytes": lambda r: [_vector(r.counts), r.counts["total"] - _vector(r.counts), r.file_bytes],
    "vector, load and store, rest": lambda r: [
        _vector(r.counts),
        r.counts["load"] + r.counts["store"],
        r.counts["branch"] + r.counts["integer"],
    ],
    "multiply, simd, load and store, rest": lambda r: [
        r.counts["fma"] + r.counts["dot"],
        r.counts["simd"],
        r.counts["load"] + r.counts["store"],
        r.counts["branch"] + r.counts["integer"],
    ],
}
SCHEMES: dict[str, Callable[[Row, Row], bool]] = {
    "row": lambda other, left_out: other is left_out,
    "network": lambda other, left_out: other.network == left_out.network,
    "soc": lambda other, left_out: other.soc == left_out.soc,
    "precision": lambda other, left_out: other.precision == left_out.precision,
}


def read_rows(data: dict[str, Any], section: str) -> list[Row]:
    """Return the rows of a section of the data file: ``rows`` or ``checks``."""
    rows = []
    for model, times in data[section].items():
        network, precision = model.split(".")
        for soc, ms in times.items():
            about, counts = data["socs"][soc], data["counts"][model]
            emulated = data["costs"][about["costs"]]["emulated"]
            rows.append(
                Row(network, precision, soc, about["costs"], about["ghz"], ms, counts[emulated], counts["bytes"])
            )
    return rows


def fit(rows: Sequence[Row], features: Callable[[Row], list[int]]) -> np.ndarray:
    """Return the non-negative costs, in cycles, with the least sum of squared relative errors.

    With so few columns every subset of them is tried: the best solution with no negative cost is the constrained one.
    """
    cycles = np.array([row.cycles for row in rows])
    matrix = np.array([features(row) for row in rows], dtype=np.float64) / cycles[:, None]
    width = matrix.shape[1]
    best, least = np.zeros(width), math.inf
    for size in range(1, width + 1):
        for columns in map(list, itertools.combinations(range(width), size)):
            costs = np.zeros(width)
            costs[columns] = np.linalg.lstsq(matrix[:, columns], np.ones(len(rows)), rcond=None)[0]
            error = float(np.square(matrix @ costs - 1).sum())
            if costs.min() >= 0 and error < least:
                best, least = costs, error
    return best


def left_out(
    rows: Sequence[Row], features: Callable[[Row], list[int]], together: Callable[[Row, Row], bool]
) -> list[tuple[Row, float]]:
    """Estimate each row from a fit without it and what belongs to it; return estimate / published.

    A row whose kind of core has no other rows then is skipped.
    """
    ratios = []
    for row in rows:
        others = [other for other in rows if other.kind == row.kind and not together(other, row)]
        if others:
            ratios.append((row, float(np.dot(features(row), fit(others, features))) / row.cycles))
    return ratios


def summary(ratios: Sequence[float]) -> dict[str, float]:
    """Return the number of ratios and their errors as factors, never below 1: mean, 90th percentile and worst."""
    logs = np.abs(np.log(np.array(ratios)))
    values = {"geometric_mean": logs.mean(), "percentile_90": np.quantile(logs, 0.9), "worst": logs.max()}
    return {"rows": len(logs), **{name: round(math.exp(value), 3) for name, value in values.items()}}


def fitted(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with costs, errors and band made anew from its rows and counts."""
    rows, features = read_rows(data, "rows"), FORMS[SHIPPED]
    costs = {}
    for kind, about in data["costs"].items():
        instruction, byte = fit([row for row in rows if row.kind == kind], features)
        costs[kind] = {
            "emulated": about["emulated"],
            "cycles_per_instruction": round(float(instruction), 4),
            "cycles_per_byte": round(float(byte), 4),
        }
    errors = {
        name: summary([ratio for _, ratio in left_out(rows, features, scheme)]) for name, scheme in SCHEMES.items()
    }
    checks = read_rows(data, "checks")
    errors["checks"] = summary(
        [milliseconds(costs[r.kind], r.ghz, r.counts["total"], r.file_bytes) / r.ms for r in checks]
    )
    # Of new networks on known chips, which is what estimates are made for.
    worst = max(errors[name]["worst"] for name in ("row", "network", "checks"))
    return {**data, "costs": costs, "errors": errors, "band": math.ceil(worst * 10) / 10}


def main() -> None:
    """Print every form's errors and the shipped one's costs and worst rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="rows and counts")
    parser.add_argument("--write", action="store_true", help="put costs, errors and band into the data file")
    options = parser.parse_args()
    data = fitted(read_json(options.data))
    rows = read_rows(data, "rows")
    print("errors as factors: geometric mean / 90th percentile / worst of the rows left out")
    for name, features in FORMS.items():
        cells = []
        for scheme, together in SCHEMES.items():
            error = summary([ratio for _, ratio in left_out(rows, features, together)])
            figures = " / ".join(f"{error[key]:.2f}" for key in ("geometric_mean", "percentile_90", "worst"))
            cells.append(f"{scheme} {figures}")
        print(f"{name} ({len(features(rows[0])) * len(data['costs'])} costs, {len(rows)} rows): {'; '.join(cells)}")
    print(f"\n{SHIPPED}, worst networks left out (estimate / published):")
    ranked = sorted(left_out(rows, FORMS[SHIPPED], SCHEMES["network"]), key=lambda pair: -abs(math.log(pair[1])))
    for row, ratio in ranked[:8]:
        print(f"  {row.network} {row.precision} on {row.soc}: {ratio:.2f}")
    print(f"rows of the older release: {data['errors']['checks']}")
    for kind, costs in data["costs"].items():
        print(f"{kind}: {costs['cycles_per_instruction']} cycles an instruction, {costs['cycles_per_byte']} a byte")
    print(f"band: x{data['band']}")
    if options.write:
        write_json(options.data, data)


if __name__ == "__main__":
    main()
