"""``report.json``, read again: as much of it as the table at the end of ``ppedge run`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from ppedge.cost.dearer import dearer_in_8_bits
from ppedge.runs import Run
from ppedge.storage import read_state

REPORT = "report.json"
_FILES = {"onnxruntime": "the ONNX files by onnxruntime", "paddlelite": "the .nb files by Paddle Lite"}


class _Instructions(TypedDict):
    total: float


class _Metric(TypedDict):
    reference: dict[str, float]
    candidate: NotRequired[dict[str, float]]


class _Model(TypedDict):
    file: str
    precision: str
    baseline: NotRequired[bool]
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
    engine: NotRequired[Literal["onnxruntime", "paddlelite"]]
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


def what_ran(report: Mapping[str, Any]) -> str:
    """Return which files ran on the emulated cores and what ran them; empty where nothing did."""
    return _FILES.get(report.get("engine", ""), "") if report.get("cpus") else ""


def what_ran_where(report: Mapping[str, Any]) -> str:
    """Return a sentence on what figures of an emulated core are of, and how to have those of the files that ship."""
    ran = what_ran(report)
    if not ran:
        return ""
    if report["engine"] == "paddlelite":
        more = ""
    else:
        more = "; no .nb file has been run: `ppedge validate RUN --engine paddlelite` does, with a runtime registered"
    return f"on ARM, and instructions: {ran} on an emulated {report['cpus'][0]}{more}."


def dearer(report: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each core on which the network in 8 bits takes more instructions than in float."""
    totals = {
        (model["cpu"], model["precision"]): model["instructions"]["total"]
        for model in report["models"]
        if "instructions" in model and not model.get("baseline")
    }
    return dearer_in_8_bits(totals, report.get("engine", "onnxruntime"))
