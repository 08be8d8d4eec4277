"""The part of a run's page on its trainings: each course's loss and metric, step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ppedge.page.charts import curves
from ppedge.page.markup import Html, tag
from ppedge.runs import Run

LOGS = {"train": (("training", "metrics.jsonl"),),
        "slim": (("fine-tuning", "finetune.jsonl"), ("distillation", "distil.jsonl"),
                 ("8-bit training", "qat.jsonl"))}  # fmt: skip
"""By stage, the logs that it may leave, and what each is of."""
POINTS = 80
"""Of a curve of losses: each is the mean of as many steps in a row."""


def trainings(run: Run, metric: str) -> list[Html]:
    """Return a figure for each course of a run that took a step.

    Args:
        run: The run.
        metric: The task's.
    """
    found = []
    for stage, logs in LOGS.items():
        for name, file in logs:
            path = run.stage(stage) / file
            entries = _entries(path) if run.done(stage) and path.is_file() else []
            if any("loss" in entry for entry in entries):
                found.append(_figure(name, entries, metric))
    return found


def _figure(name: str, entries: Sequence[Mapping[str, Any]], metric: str) -> Html:
    losses = [(float(entry["step"]), float(entry["loss"])) for entry in entries if "loss" in entry]
    values = [(float(entry["step"]), float(entry["eval"][metric])) for entry in entries
              if metric in entry.get("eval", {})]  # fmt: skip
    charts = [curves(f"Loss of {name}", f"Mean loss over {len(losses)} steps.", ("step", "loss"),
                     [("loss", _thinned(losses))])]  # fmt: skip
    if values:
        best = max(y for _, y in values)
        charts.append(curves(f"{metric} in {name}", f"On data.eval; the best is {best:.4f}.", ("step", metric),
                             [(metric, values)]))  # fmt: skip
    seconds = sum(float(entry.get("seconds", 0.0)) for entry in entries)
    words = f"{name}: {len(losses)} steps; {len(values)} evaluation{'' if len(values) == 1 else 's'} in {seconds:.0f} s"
    return tag("figure", tag("figcaption", words), tag("div", *charts, class_="columns"))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = max(1, len(points) // POINTS)
    parts = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return [(part[-1][0], sum(y for _, y in part) / len(part)) for part in parts]


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return a log's lines; what is damaged is left out, since the page is no judge of the log."""
    found = []
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            found.append(value)
    return found
