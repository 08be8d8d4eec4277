"""Limits that a recipe sets, and which of them hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ppedge.recipe import Gates
from ppedge.validate.parity import Parity, finite


@dataclass(frozen=True)
class Row:
    """One limit.

    Attributes:
        gate: The recipe's key.
        model: The file it was checked on.
        value: What was found.
        limit: What the recipe allows at most.
    """

    gate: str
    model: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the limit holds; a value that is not a number does not."""
        return self.value <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON values: a value that is not finite is null."""
        return {**asdict(self), "value": finite(self.value), "passed": self.passed}


def shown(value: float | None, digits: int = 6) -> str:
    """Return a report's figure for a person."""
    return "not finite" if value is None else f"{value:.{digits}g}"


def check(gates: Gates, model: str, precision: str, main: str, parity: Parity, instructions: int) -> list[Row]:
    """Hold one model's figures against the limits that are set.

    The largest difference of single values is asked of float models only: a quantized network may turn one rounding
    into a whole step.

    Args:
        gates: The recipe's limits.
        model: The file's name.
        precision: ``fp32`` or ``int8``.
        main: The metric whose drop counts.
        parity: Differences and metrics.
        instructions: ARM instructions of one inference.
    """
    drop = parity.reference_metrics[main] - parity.candidate_metrics[main]
    rows = [
        (gates.max_difference if precision == "fp32" else None, "max_difference", parity.max_difference),
        (gates.max_metric_drop, "max_metric_drop", drop),
        (gates.max_instructions, "max_instructions", float(instructions)),
    ]
    return [Row(gate, model, value, float(limit)) for limit, gate, value in rows if limit is not None]
