"""All that one course of training depends on, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppedge.models.network import Network
from ppedge.progress import Reporter
from ppedge.recipe.train import Schedule
from ppedge.runs import RESUMED_FROM
from ppedge.train.task import Task
from ppedge.train.trainees.base import Trainee

BEST, LAST, METRICS = "best.pdparams", RESUMED_FROM["train"], "metrics.jsonl"


@dataclass(frozen=True)
class Result:
    """What a course of training came to.

    Attributes:
        first: Metrics of the first evaluation; with ``evaluate_first``, those of the network as it came. Empty in all
            but the first of several processes.
        best: Metrics of the best evaluation; likewise.
        steps: Steps of the whole course.
        seconds: Time of this process alone.
    """

    first: dict[str, float]
    best: dict[str, float]
    steps: int
    seconds: float


@dataclass
class Course:
    """All that one course of training depends on.

    Attributes:
        title: For the progress bar: ``train``, ``fine-tune``, ``QAT``.
        trainee: What is trained; at the end its network holds the best weights.
        task: The data, and how the network is measured.
        schedule: Epochs, rates, intervals.
        train: Samples to train on.
        eval: Samples to evaluate on.
        folder: Where best.pdparams, last.ckpt and metrics.jsonl go.
        workers: Processes that prepare batches.
        heights: Of a recogniser's lines; by default that of evaluation.
        amp: Mixed precision.
        resume: Go on from ``folder``'s last.ckpt if there is one.
        evaluate_first: Measure the network as it came; unless a later evaluation is better, it stays as it came. One
            that finds nothing (the metric is 0) gives way to later weights that find nothing either.
        reporter: Progress.
        log: Is given each entry of metrics.jsonl too.
        original: What the network is to stay near to: of its evaluations the one that is the nearest is then the best,
            whatever the metric says.
    """

    title: str
    trainee: Trainee
    task: Task
    schedule: Schedule
    train: Sequence[Any]
    eval: Sequence[Any]
    folder: Path
    workers: int = 0
    heights: Sequence[int] = ()
    amp: bool = False
    resume: bool = False
    evaluate_first: bool = False
    reporter: Reporter = field(default_factory=lambda: Reporter(quiet=True))
    log: Callable[[Mapping[str, Any]], None] = lambda entry: None
    original: Network | None = None

    @property
    def seed(self) -> int:
        """The recipe's seed."""
        return self.task.recipe.seed

    def evaluate(self) -> dict[str, float]:
        """Measure the network as it stands on the evaluation data."""
        return self.task.compare(self.trainee.net, self.original, self.eval)
