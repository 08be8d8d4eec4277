"""The cost of operators by the table that ships with ppedge: for those who have no runtime, and for planning."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

from ppedge.cost.operators import CORES, Operation
from ppedge.cost.terms import family_and_terms
from ppedge.errors import PpedgeError
from ppedge.storage import read_json

TABLE = Path(__file__).with_name("table.json")


def predict(op: Operation, core: str, precision: str | None = None) -> float:
    """Predict the instructions of one operation in a warm inference, one thread.

    Args:
        op: The operation, as `ppedge.cost.operators.operations` gives it or as it is planned.
        core: ``cortex-a53`` or ``cortex-a76``.
        precision: ``fp32`` or ``int8`` instead of the operation's own; int8 is then taken to give int8
            (``int8_out``) where the operation says nothing else. A border's ``calib`` is an operation of its own.

    Returns:
        Instructions; how far off they may be, `about` says.

    Raises:
        PpedgeError: The table has no such core, or no such kernel.
    """
    if core not in CORES:
        raise PpedgeError(f"{core}: the cost table has no such core.", f"Use one of {', '.join(CORES)}.")
    if precision is not None and precision != op.precision:
        op = _in_precision(op, precision)
    family, terms = family_and_terms(op, core)
    factors = _table()["families"].get(f"{family}.{core}")
    if factors is None:
        raise PpedgeError(
            f"{op.type}: the cost table has no kernel like it ({family}).",
            "Measure it with a registered runtime instead (`ppedge arm setup --lite DIR`).",
        )
    return float(sum(factor * terms.get(name, 0.0) for name, factor in factors["factors"].items()))


def int8_gain(op: Operation, core: str) -> float:
    """Predict how many instructions a float convolution or matrix product saves if it alone computes in int8.

    It then gives float, and a ``calib`` before it makes int8 of what it is given: its neighbours are taken to be float.
    Of two neighbours that are both int8 this says less than they save.

    Args:
        op: The float operation.
        core: ``cortex-a53`` or ``cortex-a76``.

    Returns:
        Instructions, below 0 if int8 is dearer.

    Raises:
        PpedgeError: The table has no such core, or no such kernel.
    """
    border = Operation("calib", op.inputs[:1], op.inputs[0], "int8", "fp32_to_int8")
    quantized = replace(op, precision="int8", variant="fp32out" if op.type == "fc" else "fp32_out")
    return predict(op, core) - predict(quantized, core) - predict(border, core)


def _in_precision(op: Operation, precision: str) -> Operation:
    variant = "def" if precision == "fp32" else op.variant if op.variant != "def" else "int8_out"
    return replace(op, precision=precision, variant=variant)


def about() -> dict[str, Any]:
    """Return where the table comes from: ``runtime``, ``points``, ``sweep_error`` and ``checks`` on whole networks."""
    return {key: value for key, value in _table().items() if key != "families"}


@functools.cache
def _table() -> dict[str, Any]:
    return dict(read_json(TABLE))
