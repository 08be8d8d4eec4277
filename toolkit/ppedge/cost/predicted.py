"""The cost of operators by the table that ships with ppedge: for those who have no runtime, and for planning."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ppedge.cost.operators import CORES, UNCOUNTED, Operation, fitting
from ppedge.cost.shapes import RULES, UnknownShapeError
from ppedge.cost.terms import family_and_terms
from ppedge.errors import PpedgeError
from ppedge.files.nb import NbFile
from ppedge.storage import read_json

TABLE = Path(__file__).with_name("table.json")


class UnpricedError(PpedgeError):
    """The table has no kernel for an operation."""


@dataclass(frozen=True)
class Estimate:
    """The predicted cost of a network's operators, of those that the table does not know left open.

    Attributes:
        instructions: Of each operator in its order; None for one that has no price.
        unpriced: How many operators the table does not know, by type and, where the type is known, precision.
        behind: How many have no price because they read what one of those gives, whose shape is not known.
    """

    instructions: list[float | None]
    unpriced: dict[str, int]
    behind: int

    @property
    def warning(self) -> str:
        """One sentence that says what has no price, so that the sum is a lower bound; empty if all have one."""
        if not self.unpriced:
            return ""
        told = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in self.unpriced.items())
        behind = f", and {self.behind} operator{'s' * (self.behind > 1)} behind" if self.behind else ""
        return f"Not in the cost table: {told}{behind}; what is predicted is a lower bound."


def estimate(nb: NbFile, found: Sequence[Operation | UnknownShapeError], core: str) -> Estimate:
    """Predict the instructions of a file's operators as far as the table knows them.

    Args:
        nb: The file.
        found: What `ppedge.cost.operators.operations_as_far_as_known` gives of it.
        core: ``cortex-a53`` or ``cortex-a76``.

    Raises:
        PpedgeError: The table has no such core, or an operator's attributes do not fit what it reads.
    """
    costs: list[float | None] = []
    unpriced: Counter[str] = Counter()
    types = [op.type for op in nb.operators if op.type not in UNCOUNTED]
    for op, kind in zip(found, types, strict=True):
        cost = None
        if isinstance(op, UnknownShapeError):
            unpriced[kind] += kind not in RULES
        else:
            with suppress(UnpricedError), fitting(nb.path, kind):
                cost = predict(op, core)
            unpriced[f"{kind} in {op.precision}"] += cost is None
        costs.append(cost)
    return Estimate(costs, dict(+unpriced), costs.count(None) - unpriced.total())


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
        UnpricedError: The table has no such kernel.
        PpedgeError: The table has no such core.
    """
    if core not in CORES:
        raise PpedgeError(f"{core}: the cost table has no such core.", f"Use one of {', '.join(CORES)}.")
    if precision is not None and precision != op.precision:
        op = _in_precision(op, precision)
    family, terms = family_and_terms(op, core)
    factors = _table()["families"].get(f"{family}.{core}")
    if factors is None:
        raise UnpricedError(
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
