"""``metrics.jsonl``: a line for each step and each evaluation of a course of training."""

from __future__ import annotations

import json
from pathlib import Path

from typing_extensions import TypedDict

from ppedge.errors import PpedgeError
from ppedge.state import Metrics, checked

ANEW = "Start anew with --force."


class _Evaluation(TypedDict):
    step: int
    eval: Metrics


def evaluations(path: Path) -> dict[int, Metrics]:
    """Return the metrics of each evaluation by its step; none of a log that is not there.

    Raises:
        PpedgeError: A line is damaged.
    """
    found = {}
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines() if path.is_file() else [], 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PpedgeError(f"{path}:{number}: not JSON ({error}).", ANEW) from error
        if not isinstance(value, dict) or "eval" in value:
            one = checked(_Evaluation, value, f"{path}:{number}", "an evaluation", ANEW)
            found[one["step"]] = one["eval"]
    return found
