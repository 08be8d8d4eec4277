"""Limits that a recipe sets, and which of them hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ppedge.figures import held
from ppedge.metrics.agreement import BoxAgreement
from ppedge.metrics.drop import Drop
from ppedge.metrics.tensors import finite
from ppedge.recipe.road import Gates
from ppedge.validate.parity import Parity
from ppedge.validate.spec_changes import Change

SLIMMING = "slim.max_metric_drop"
"""The gate that holds what slimming lost against the recipe's limit."""


@dataclass(frozen=True)
class Row:
    """One limit.

    Attributes:
        gate: The key of the recipe's ``validate.gates``, or ``slim.max_metric_drop``, or ``broken_outputs``,
            ``repeat_differences`` or ``changed_keys``, which are always 0 at most.
        model: The file it was checked on.
        cpu: The core; None where no core matters.
        value: What was found; not a number where it could not be.
        limit: What is allowed: at least, if the gate's name begins with ``min``, else at most.
        note: What a person should know beside it.
        by_chance: Whether a value beyond the limit may be the doing of the few samples it was measured on.
    """

    gate: str
    model: str
    cpu: str | None
    value: float
    limit: float
    note: str = ""
    by_chance: bool = False

    @property
    def passed(self) -> bool:
        """Whether the limit holds, or may hold for all that is known; a value that is not a number does not."""
        if self.by_chance:
            return True
        return self.value >= self.limit if self.gate.startswith("min") else self.value <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON values: a value that is not finite is null."""
        return {**asdict(self), "value": finite(self.value), "passed": self.passed}


def told(row: dict[str, Any]) -> str:
    """Return a row of the report as one line: ``max_metric_drop 0.0012 <= 0.005 (det.onnx on cortex-a53)``."""
    wanted = "<= >=" if row["passed"] and not row.get("by_chance") else "> <"
    sign = wanted.split()[row["gate"].startswith("min")]
    where = row["model"] + (f" on {row['cpu']}" if row["cpu"] else "")
    note = f"; {row['note']}" if row["note"] else ""
    value, limit = held(row["value"], row["limit"])
    return f"{row['gate']} {value} {sign} {limit} ({where}{note})"


def key_of(row: dict[str, Any]) -> str:
    """Return the recipe's key under which the limit of a row of the report stands."""
    return SLIMMING if row["gate"] == SLIMMING else "validate.gates"


def check_parity(gates: Gates, model: str, precision: str, cpu: str, parity: Parity) -> list[Row]:
    """Hold one model's parity against the limits that are set, and against those that always are.

    A drop of the metric beyond its limit passes where its confidence interval reaches 0, unless nothing is left of the
    metric: two pictures of a quantized network, whose roundings fall otherwise on every runtime, would fail at random.
    More samples narrow the interval.
    The largest difference of single values is asked of fp32 models only: a quantized network may turn one rounding
    into a whole step, and half precision has three digits.

    Args:
        gates: The recipe's limits.
        model: The file's name.
        precision: ``fp32``, ``fp16`` or ``int8``.
        cpu: The emulated core.
        parity: Differences and metrics.
    """
    boxes = isinstance(parity.agreement, BoxAgreement)
    drop = parity.drop(gates.max_metric_drop)
    rows = [
        (0.0, "broken_outputs", parity.broken_outputs, ""),
        (0.0, "repeat_differences", parity.repeat_differences, ""),
        (gates.min_found, "min_found", parity.agreement.found, _found_words(boxes)),
        (gates.max_difference if precision == "fp32" else None, "max_difference", parity.max_difference, ""),
        (gates.max_metric_drop, "max_metric_drop", drop.value, drop.note),
        (gates.min_box_agreement if boxes else None, "min_box_agreement", parity.agreement.share, ""),
        (None if boxes else gates.min_string_agreement, "min_string_agreement", parity.agreement.share, ""),
    ]
    return [
        Row(gate, model, cpu, float(value), float(limit), note, drop.by_chance and gate == "max_metric_drop")
        for limit, gate, value, note in rows
        if limit is not None
    ]


def _found_words(boxes: bool) -> str:
    return f"{'boxes' if boxes else 'lines with text'} that the PC finds"


def check_slimming(drop: Drop | None) -> list[Row]:
    """Return what the slim stage lost, from the network as trained, as a row; none where it was not held to a limit.

    Args:
        drop: As the slim stage measured it.
    """
    if drop is None or drop.limit is None:
        return []
    note = f"{drop.metric} {drop.before:.4f} as trained, {drop.after:.4f} slimmed; {drop.note}"
    return [Row(SLIMMING, "slim", None, drop.value, drop.limit, note, drop.by_chance)]


def check_spec(changed: Sequence[Change]) -> Row:
    """Hold the specification that ships with the models against the recipe's: it may change nothing.

    Args:
        changed: What it changes.
    """
    keys = ", ".join(change.key for change in changed)
    return Row("changed_keys", "manifest.json", None, float(len(changed)), 0.0, keys)


def check_cost(gates: Gates, model: str, cpu: str, instructions: int, baseline: int | None) -> list[Row]:
    """Hold the cost of one model on one core against the limits that are set.

    Args:
        gates: The recipe's limits.
        model: The file's name.
        cpu: The emulated core.
        instructions: Of one inference.
        baseline: Of the network before slimming on the same core; None if there is none, and then no speed-up either.
    """
    speedup = float("nan") if baseline is None else baseline / instructions
    note = "this run has no network before slimming" if baseline is None else ""
    rows = [
        (gates.max_instructions, "max_instructions", float(instructions), ""),
        (gates.min_speedup, "min_speedup", speedup, note),
    ]
    return [Row(gate, model, cpu, value, float(limit), note) for limit, gate, value, note in rows if limit is not None]
