"""``report.json``, read again: as much of it as the table at the end of ``ppedge run`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from ppedge.runs import Run
from ppedge.storage import read_state

REPORT = "report.json"


class _Instructions(TypedDict):
    total: float


class _Metric(TypedDict):
    reference: dict[str, float]
    candidate: NotRequired[dict[str, float]]


class _Model(TypedDict):
    file: str
    precision: str
    cpu: str
    instructions: NotRequired[_Instructions]
    metric: NotRequired[_Metric]
    samples: NotRequired[int]


class _Gate(TypedDict):
    gate: str
    model: str
    cpu: str | None
    value: float | None
    limit: float
    note: str
    by_chance: NotRequired[bool]
    passed: bool


class _Report(TypedDict):
    cpus: list[str]
    models: Annotated[list[_Model], Field(min_length=1)]
    gates: list[_Gate]
    pictures: NotRequired[str]


def read_report(run: Run) -> dict[str, Any]:
    """Return the report of a run's validate stage.

    Raises:
        PpedgeError: There is none, or it is damaged.
    """
    path = run.artifact("validate", REPORT)
    report: dict[str, Any] = read_state(path, _Report, "a report", "Run `ppedge validate` with --force.")
    return report


def dearer_in_8_bits(report: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each core on which the network in 8 bits takes more instructions than in float."""
    totals = {
        (model["cpu"], model["precision"]): model["instructions"]["total"]
        for model in report["models"]
        if "instructions" in model and not model.get("baseline")
    }
    ratios = {cpu: total / totals[cpu, "fp32"] for (cpu, precision), total in totals.items()
              if precision == "int8" and (cpu, "fp32") in totals}  # fmt: skip
    if report.get("engine") == "onnxruntime":
        kernels = "by onnxruntime's kernels"
        more = "those of Paddle Lite, which a phone runs, differ: `ppedge cost RUN` predicts what they take"
    else:
        kernels = "by Paddle Lite's kernels"
        more = "`ppedge slim --quant arm` leaves in float what does not gain by 8 bits"
    return [
        f"In 8 bits the network takes {ratio:.2f} times the instructions of float on {cpu}, {kernels}; {more}."
        for cpu, ratio in ratios.items()
        if ratio > 1
    ]
