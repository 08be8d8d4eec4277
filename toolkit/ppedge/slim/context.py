"""What the steps of the slim stage share: what they work on, pictures for them, a course of training."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paddle

from ppedge.data.samples import joined
from ppedge.data.source import spread
from ppedge.metrics.scores import Metric
from ppedge.models.network import Network
from ppedge.progress import Reporter
from ppedge.recipe.road import Recipe
from ppedge.recipe.train import Schedule
from ppedge.runs import Run
from ppedge.slim.arm.budget import Counter, Price
from ppedge.train.course import METRICS, Course
from ppedge.train.loop import fit
from ppedge.train.optimizer import small_steps
from ppedge.train.task import Task
from ppedge.train.trainees.base import Trainee

Metrics = dict[str, float]
# Read by pydantic where an interrupted stage goes on: a key that is not known is of another version of ppedge.
_STRICT = {"extra": "forbid"}


@dataclass
class Findings:
    """What the steps of the stage have found and written so far.

    Attributes:
        metrics: Of the stage, by step.
        outputs: Names of files in the stage's folder.
        chosen_by: The same on the evaluation data, where the metrics are of test data.
        int8: Names of the layers that a budget wants in 8 bits; None where none chose them.
        domain: How training and evaluation pictures differ; None where that was not looked at or cannot be told.
        box_thresh: The score that boxes of a slimmed detector need; None where it is the recipe's.
    """

    __pydantic_config__ = _STRICT

    metrics: dict[str, Metrics | float] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    chosen_by: dict[str, Metrics] = field(default_factory=dict)
    int8: Sequence[str] | None = None
    domain: dict[str, Any] | None = None
    box_thresh: float | None = None


@dataclass
class Stage:
    """What the stage works on, what it counts with, and what its steps have found and written so far.

    Attributes:
        recipe: The run's recipe, with what the command line changed in its ``slim`` section.
        run: The run.
        task: Of the recipe.
        folder: The stage's working folder.
        reporter: Progress.
        train: Training samples.
        eval: Evaluation samples, which choose.
        test: Samples that only report; None where the recipe keeps none aside.
        device: Which Paddle computes on.
        count: Counts a network's ARM instructions.
        price: Predicts them.
        resume: Go on where an interrupted attempt stopped.
        found: What its steps have found so far.
    """

    recipe: Recipe
    run: Run
    task: Task
    folder: Path
    reporter: Reporter
    train: Sequence[Any]
    eval: Sequence[Any]
    device: str
    count: Counter | None = None
    price: Price | None = None
    resume: bool = False
    test: Sequence[Any] | None = None
    skip_bad: bool = False
    found: Findings = field(default_factory=Findings)

    def report(self, net: Network) -> Metric:
        """Measure a network on the samples that report: those that only report, or where there are none, on `eval`."""
        return self.task.measure(net, self.eval if self.test is None else self.test)

    def tested(self, net: Network) -> Metrics | None:
        """Return a network's metrics on the samples that only report; None where there are none."""
        return None if self.test is None else self.report(net).summary()

    def note(self, step: str, chose: Metrics, reported: Metrics | None) -> None:
        """Note a step's metrics: those on test data where there are any, and beside them what chose.

        Args:
            step: What the metrics call the network.
            chose: On evaluation data.
            reported: On test data, as `tested` gives them.
        """
        self.found.metrics[step] = chose if reported is None else reported
        if self.test is not None:
            self.found.chosen_by[step] = chose


def batches(stage: Stage, samples: int, size: int) -> Iterator[paddle.Tensor]:
    """Yield training pictures as the network sees them, evenly spread over the data.

    If more are wanted than there are, each is seen once more in the next epoch, changed at random in another way.
    """
    dataset = stage.task.dataset(stage.train, seed=stage.recipe.seed)
    count = len(dataset)
    keys = [(0, index) for index in spread(range(count), samples)]
    keys += [(number // count, number % count) for number in range(count, samples)]
    for begin in range(0, samples, size):
        items = [dataset[key] for key in keys[begin : begin + size]]
        yield paddle.to_tensor(stage.task.collate(items)["image"])


def train_course(
    stage: Stage,
    title: str,
    trainee: Trainee,
    schedule: Schedule,
    before: str,
    after: str | None = None,
    *,
    more: Sequence[Any] = (),
    original: Network | None = None,
) -> None:
    """Train for a while, or go on; the log becomes a file of the stage.

    Args:
        stage: This stage.
        title: Of the course.
        trainee: What is trained; at the end its network holds the weights that the evaluation data chose.
        schedule: Of the course.
        before: What the stage's metrics call the network as it came.
        after: What they call it at its best; None leaves that out.
        more: Samples to train on beside the training data.
        original: The network that nothing else is learned from: what comes nearest to it is then what evaluation data
            choose.
    """
    as_it_came = stage.tested(trainee.net)
    course = Course(
        title, trainee, stage.task, schedule, joined([stage.train, more]), stage.eval, stage.folder / f".{title}",
        workers=stage.recipe.train.workers, amp=stage.recipe.train.amp and stage.device != "cpu",
        evaluate_first=True, reporter=stage.reporter, resume=stage.resume, original=original,
    )  # fmt: skip
    with small_steps(trainee.net):
        result = fit(course)
    log = f"{title.lower().replace('-', '')}.jsonl"
    shutil.copyfile(course.folder / METRICS, stage.folder / log)
    stage.found.outputs.append(log)
    stage.note(before, result.first, as_it_came)
    if after is not None:
        stage.note(after, result.best, stage.tested(trainee.net))
