"""The metric of one network side by side: as trained, as slimmed, and as it ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ppedge.metrics.bootstrap import Measured
from ppedge.metrics.few import told


class Form(NamedTuple):
    """A form that training or slimming gave the network.

    Attributes:
        stage: ``trained``, ``pruned`` or ``quantized``.
        precision: ``fp32`` or ``int8``.
        metrics: As the slim stage measured them.
    """

    stage: str
    precision: str
    metrics: Mapping[str, float]


def forms(slim: Mapping[str, Any]) -> list[Form]:
    """Return the forms whose metrics a slim stage's manifest holds, in the order of the road."""
    metrics = slim["metrics"]
    found = [
        ("trained", "fp32", metrics.get("float", {})),
        ("pruned", "fp32", metrics.get("finetuned") or metrics.get("distilled")),
        ("quantized", "int8", metrics.get("quantized")),
    ]
    return [Form(stage, precision, form) for stage, precision, form in found if form is not None]


def rows(slim: Mapping[str, Any] | None, models: Sequence[Mapping[str, Any]], split: str) -> list[dict[str, Any]]:
    """Return the report's key ``accuracy``: each form of the network with its main metric.

    Args:
        slim: The slim stage's manifest; None of a run that has none.
        models: The report's models.
        split: Of the data, that the models were compared on.

    Returns:
        Rows with ``network`` (a form, or a file), ``precision``, ``on`` (``training`` for Paddle's dynamic graph on the
        PC, or the core), ``metric``, ``value``, ``interval`` (of 95 %; None where none was computed), ``measured_on``
        (the split) and ``samples`` (None: all of the split).
    """
    compared = [model for model in models if not model["baseline"]]
    if not compared:
        return []
    main = compared[0]["metric"]["main"]
    found: list[dict[str, Any]] = []
    if slim is not None:
        found += [
            {"network": form.stage, "precision": form.precision, "on": "training", "metric": main,
             "value": form.metrics[main], "interval": None, "measured_on": slim.get("measured_on", "eval"),
             "samples": None}
            for form in forms(slim)
        ]  # fmt: skip
    for model in compared:
        files = {"network": model["file"], "precision": model["precision"], "metric": main, "interval": None,
                 "measured_on": split, "samples": model["samples"]}  # fmt: skip
        reference = {**files, "on": "pc", "value": model["metric"]["reference"][main]}
        if reference not in found:
            found.append(reference)
        found.append({**files, "on": model["cpu"], "value": model["metric"]["candidate"][main],
                      "interval": model["metric"].get("interval")})  # fmt: skip
    return found


def figure(row: Mapping[str, Any]) -> str:
    """Return a row's value, and its interval where it has one: of few samples it says more than the value."""
    return told(Measured(row["value"], *(row.get("interval") or (None, None))))


def measured(row: Mapping[str, Any]) -> str:
    """Return what a row was measured on, in words."""
    return f"data.{row['measured_on']}, {'all' if row['samples'] is None else row['samples']}"


def compared_on(report: Mapping[str, Any]) -> str:
    """Return on how many samples of which split a report's models were compared, as the end of a sentence.

    Gates that hold on two samples say little, so that whoever reads that they hold is to see the number too. It is
    empty where nothing was compared. A classifier's lines count twice, once each way, and are called samples.
    """
    counts = [model["samples"] for model in report["models"] if "samples" in model]
    if not counts:
        return ""
    count, unit = min(counts), {"det": "picture", "rec": "line"}.get(report["task"], "sample")
    return f", on {count} {unit}{'' if count == 1 else 's'} of data.{report.get('pictures', 'eval')}"
