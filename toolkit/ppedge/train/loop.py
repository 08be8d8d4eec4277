"""One course of training: the same loop trains, fine-tunes after pruning and trains with quantizers."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing, nullcontext
from typing import Any

import numpy as np
import paddle
from paddle.utils import unique_name

from ppedge.data.samples import ratios_of
from ppedge.errors import Interrupted, PpedgeError
from ppedge.models.depthwise import accelerate
from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.weights import load_weights, read_pdparams, state_of, write_pdparams
from ppedge.progress import Step
from ppedge.train import checkpoint
from ppedge.train.average import Average
from ppedge.train.batches import Batches, drawn, steps_per_epoch
from ppedge.train.checkpoint import Position
from ppedge.train.course import BEST, LAST, METRICS, Course, Result
from ppedge.train.fingerprint import fingerprint
from ppedge.train.loader import load
from ppedge.train.log import ANEW, evaluations
from ppedge.train.loss_scaling import LossScaling
from ppedge.train.optimizer import build_optimizer, learning_rate
from ppedge.train.stopping import stop_requests
from ppedge.train.task import OUTPUT_ERROR


def fit(course: Course) -> Result:
    """Train to the end of the schedule, or on from the last checkpoint.

    On CPU, and with the same number of processes, a resumed course ends with the same bytes as an uninterrupted one.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; last.ckpt is written.
        PpedgeError: There is no data for a batch, the checkpoint does not fit, or the loss is not finite.
    """
    with unique_name.guard():  # the optimizer's names must not depend on what ran before in this process
        return _Fit(course).run()


class _Fit:
    def __init__(self, course: Course) -> None:
        self.course = course
        schedule = course.schedule
        self.rank, self.world = paddle.distributed.get_rank(), paddle.distributed.get_world_size()
        longest = course.trainee.longest_text
        self.dataset = course.task.dataset(course.train, seed=course.seed, longest=longest)
        self.ratios = ratios_of(self.dataset.samples)
        count = drawn(self.ratios)
        if count < self.world:
            left = f"only {count} are left for {self.world} processes" if count else "none is left"
            raise PpedgeError(
                f"{course.title}: of the training samples {left}.", "Check data.charset, max_text_length and ratios."
            )
        if left_out := len(course.train) - len(self.dataset):
            limit = "" if longest is None else f" (the guides take {longest} characters)"
            course.reporter.say(
                f"{course.title}: {left_out} of {len(course.train)} lines are left out: "
                f"they are too long{limit} or have characters outside the character set"
            )
        if count < len(self.dataset):
            course.reporter.say(f"{course.title}: each epoch draws {count} of {len(self.dataset)} samples")
        self.per_epoch = steps_per_epoch(count, schedule.batch_size, self.world, course.heights)
        self.total = min(schedule.epochs * self.per_epoch, schedule.max_steps or 1 << 60)
        self.trainee = course.trainee
        self.optimizer = build_optimizer(self.trainee, schedule)
        self.scaling = LossScaling(course.amp)
        self.average = None if schedule.ema is None else Average(self.trainee.net, schedule.ema)
        self.position = Position(fingerprint=fingerprint(course, self.dataset.samples, self.world))
        if schedule.freeze_bn:
            freeze_batch_norm(self.trainee)
        accelerate(self.trainee)

    def run(self) -> Result:
        began = time.monotonic()
        course = self.course
        course.folder.mkdir(parents=True, exist_ok=True)
        if course.resume and (course.folder / LAST).is_file():
            self._resume()
        elif not self.rank:
            for name in (BEST, LAST, METRICS):
                (course.folder / name).unlink(missing_ok=True)
            if course.evaluate_first or self.total == 0:
                self._evaluate()
        if self.position.step < self.total and not self._no_better():
            self.trainee.begin()
            try:
                self._steps()
            finally:
                self.trainee.end()
        if self.rank:  # the first process writes, and may not be done yet
            return Result({}, {}, self.position.step, time.monotonic() - began)
        best = read_pdparams(course.folder / BEST)
        load_weights(self.trainee.net, best, course.folder / BEST)
        metrics = evaluations(course.folder / METRICS)
        if self.position.best_step not in metrics:
            raise PpedgeError(
                f"{course.folder / METRICS}: lacks the evaluation after step {self.position.best_step}.", ANEW
            )
        result = Result(
            next(iter(metrics.values())),
            metrics[self.position.best_step],
            self.position.step,
            time.monotonic() - began,
        )
        self._say_if_in_vain(result)
        return result

    def _say_if_in_vain(self, result: Result) -> None:
        """Say so where the course brought nothing: nothing over its start, or nothing at all."""
        course, main, step = self.course, self.course.task.main_metric, self.position.best_step
        if result.best[main] == 0:
            course.reporter.say(f"{course.title}: {main} is 0 at every evaluation")
            return
        what, *ties = course.task.ranking(result.first)
        first, best = result.first[what], result.best[what]
        in_vain = step == 0 if what == OUTPUT_ERROR else best <= first
        if course.evaluate_first and self.total and in_vain:
            told = "".join(
                f", of {name} {result.first[name]:.4f} before, {result.best[name]:.4f} after" for name in ties
            )
            kept = f"the weights of step {step} are kept{told}" if step else "its start is kept"
            course.reporter.say(
                f"{course.title}: no better than its start: {what} {first:.4f} before, {best:.4f} after; {kept}"
            )

    def _steps(self) -> None:
        course, schedule = self.course, self.course.schedule
        trainee = paddle.DataParallel(self.trainee) if self.world > 1 else self.trainee
        batches = Batches(len(self.dataset), schedule.batch_size, self.total, course.seed, self.position.step,
                          self.rank, self.world, self.dataset.widths(), self.ratios, course.heights)  # fmt: skip
        with (
            stop_requests() as stop,
            course.reporter.task(course.title, self.total, self.position.step) as bar,
            closing(load(self.dataset, batches, course.task.collate, course.workers)) as loaded,
        ):
            for batch in loaded:
                began = time.monotonic()
                loss, parts = self._step(trainee, batch)
                self._log_step(bar, loss, parts, began, len(batch["image"]))
                evaluated = self._epoch_ends(schedule.eval_every)
                if evaluated:
                    self._evaluate()
                if stop or self._checkpoint_due():
                    self._save()
                if stop:  # after the last step too: what follows may be another course
                    raise Interrupted(
                        f"Interrupted at step {self.position.step} of {self.total}; {course.folder / LAST} is written.",
                        "Go on with --resume.",
                    )
                if evaluated and self._no_better():
                    break

    def _step(self, trainee: paddle.nn.Layer, batch: dict[str, paddle.Tensor]) -> tuple[float, dict[str, float]]:
        course, schedule, step = self.course, self.course.schedule, self.position.step
        paddle.seed((course.seed << 20) + step)  # the network's own noise, as a function of the step
        self.optimizer.set_lr(learning_rate(step, self.total, self.per_epoch, schedule))
        trainee.train()
        with paddle.amp.auto_cast(enable=course.amp, level="O1"):
            outputs = trainee(batch)
        parts = self.trainee.losses(outputs, batch, step / self.total)
        loss = parts["loss"]
        value = float(loss)
        if value != value or value in (float("inf"), float("-inf")):
            raise PpedgeError(
                f"{course.title}: the loss is {value} at step {step + 1}.",
                "Lower the learning rate, or lengthen the warm-up.",
            )
        self.scaling.step(loss, self.optimizer)
        self.optimizer.clear_grad()
        self.trainee.after_step()
        self.position.step = step + 1
        if self.average is not None:
            self.average.update(self.position.step)
        return value, {name: float(part) for name, part in parts.items() if name != "loss"}

    def _epoch_ends(self, every: int) -> bool:
        step = self.position.step
        return step == self.total or step % (self.per_epoch * every) == 0

    def _no_better(self) -> bool:
        """Whether the course ends early: so many evaluations in a row were no better than the best before them."""
        patience = self.course.schedule.patience
        if patience is None:
            return False
        since = 0 if self.rank else self._since_better()
        if self.world > 1:  # the first process alone evaluates
            told = paddle.to_tensor([since])
            paddle.distributed.broadcast(told, src=0)
            since = int(told.item())
        return since >= patience

    def _since_better(self) -> int:
        """Return how many evaluations in a row, up to the last, were no better than the best before them."""
        best, since = None, 0
        for metrics in evaluations(self.course.folder / METRICS).values():
            rank = self.course.task.rank(metrics)
            better = best is None or rank > best
            best, since = (rank, 0) if better else (best, since + 1)
        return since

    def _checkpoint_due(self) -> bool:
        return self.position.step % self.course.schedule.checkpoint_every == 0 or self._epoch_ends(1)

    def _evaluate(self) -> None:
        """Measure the network, or its average, and keep the weights that `_replaces` those kept before.

        Only the first process does.
        """
        course, position = self.course, self.position
        if self.rank:
            return
        began = time.monotonic()
        self._require_finite()
        with nullcontext() if self.average is None else self.average.applied():
            metrics = course.evaluate()
            best = evaluations(course.folder / METRICS).get(position.best_step)
            if best is None or self._replaces(metrics, best):
                position.best_step = position.step
                write_pdparams(course.folder / BEST, state_of(self.trainee.net))
        self.trainee.train()
        seconds = round(time.monotonic() - began, 2)
        self._log({"step": position.step, "eval": metrics, "seconds": seconds, **self.trainee.log()})
        shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        course.reporter.say(f"{course.title} {position.step}/{self.total}: {shown}")

    def _replaces(self, metrics: dict[str, float], best: dict[str, float]) -> bool:
        """Whether weights take the place of the best before them: they do if they are better, or as good and later.

        A start that finds anything gives way to better weights alone: a training that gains nothing changes nothing.
        One that finds nothing has hardly been trained, so that whatever comes later is of more use.
        """
        task = self.course.task
        new, old = task.rank(metrics), task.rank(best)
        is_start = self.position.best_step == 0
        return new > old if is_start and best[task.main_metric] > 0 else new >= old

    def _require_finite(self) -> None:
        """Refuse to keep a network that has diverged; the loss alone does not tell, since relu makes 0 of NaN."""
        broken = [name for name, value in state_of(self.trainee).items() if not np.isfinite(value).all()]
        if broken:
            raise PpedgeError(
                f"{self.course.title}: {len(broken)} weights are not finite after step {self.position.step}, "
                f"first {broken[0].removeprefix('net.')}.",
                "Lower the learning rate, or lengthen the warm-up.",
            )

    def _log_step(self, bar: Step, loss: float, parts: dict[str, float], began: float, samples: int) -> None:
        rate = samples * self.world / max(time.monotonic() - began, 1e-9)
        bar.advance(f"loss {loss:.3f}  {rate:.1f} images/s")
        entry = {"step": self.position.step, "lr": self.optimizer.get_lr(), "loss": loss, **parts}
        if not self.rank:
            self._log({**entry, "images_per_second": round(rate, 2)})

    def _log(self, entry: dict[str, Any]) -> None:
        with (self.course.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.course.log(entry)

    def _save(self) -> None:
        if self.rank:
            return
        self._require_finite()
        metrics = self.course.folder / METRICS
        self.position.metrics_bytes = metrics.stat().st_size if metrics.is_file() else 0
        average = {} if self.average is None else self.average.state()
        path, scaling = self.course.folder / LAST, self.scaling.state()
        checkpoint.save(path, self.trainee, self.optimizer, self.position, average, scaling)

    def _resume(self) -> None:
        path = self.course.folder / LAST
        kept = checkpoint.read(path)
        position = kept.position
        if position.fingerprint != self.position.fingerprint:
            raise PpedgeError(
                f"{path}: was written with other data (label files, character set), settings or number of processes.",
                "Restore them, or start anew with --force.",
            )
        metrics = self.course.folder / METRICS
        written = metrics.stat().st_size if metrics.is_file() else 0
        if position.step > self.total or position.best_step > position.step or position.metrics_bytes > written:
            raise PpedgeError(f"{path}: stands beyond its course or its log.", ANEW)
        kept.restore(self.trainee, self.optimizer)
        self.scaling.restore(kept.scaling, path)
        if self.average is not None:
            self.average.restore(kept.average, path)
        self.position = position
        if metrics.is_file() and not self.rank:
            os.truncate(metrics, position.metrics_bytes)
        self.course.reporter.say(f"{self.course.title}: going on after step {position.step} of {self.total}")
