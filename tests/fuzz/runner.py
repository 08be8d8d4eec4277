"""The campaign: workers that run batches, a watchdog that ends those which hang, and a folder for what was found."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fuzz.contract import ABORT, FINDINGS, HANG, PACKAGE, Files, Outcome, find_target
from fuzz.files import read_files, write_files
from fuzz.worker import INPUT, LOG, Batch, Limits, run_input, serve

BATCH = 250
KEPT = 3
"""How many inputs are kept of findings that have the same kind and place."""
FINDING = "finding.json"
_START_SECONDS = 120.0  # the imports of a target and the making of what it mutates, on a busy machine


@dataclass
class Tally:
    """What became of a target's inputs.

    Attributes:
        counts: Inputs by kind.
        memory: Largest growth of a worker's memory, in bytes.
        slowest: Seconds of the slowest input.
        findings: How often each (kind, place) was found.
        kept: For each of these the folders of inputs that show it.
    """

    counts: Counter[str] = field(default_factory=Counter)
    memory: int = 0
    slowest: float = 0.0
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: dict[tuple[str, str], list[Path]] = field(default_factory=lambda: defaultdict(list))

    def add(self, outcome: Outcome) -> None:
        """Count an input."""
        self.counts[outcome.kind] += 1
        self.memory = max(self.memory, outcome.memory)
        self.slowest = max(self.slowest, outcome.seconds)
        if outcome.kind in FINDINGS:
            self.findings[outcome.kind, outcome.place] += 1


class _Worker:
    """A process and the batch that it is at.

    Args:
        folder: Its own.
        limits: Of one input.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")  # a forked one would inherit locks of threads it has not
        self.pipe, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=serve, args=(other, folder, limits), daemon=True)
        self.process.start()
        other.close()
        self.batch: Batch | None = None
        self.index: int | None = None  # of the input that is being run
        self.began = time.monotonic()

    def take(self, batch: Batch) -> None:
        """Begin a batch."""
        self.batch, self.index, self.began = batch, None, time.monotonic()
        self.pipe.send(batch)

    @property
    def late(self) -> bool:
        """Whether the input, or what comes before the first, takes longer than it may."""
        limit = _START_SECONDS if self.index is None else self.limits.seconds
        return time.monotonic() - self.began > limit

    def hear(self) -> tuple[Outcome, Files | None] | None:
        """Take in one message; return an outcome, and of a finding the input, if it is one.

        Raises:
            EOFError: The process has died.
        """
        message = self.pipe.recv()
        if message is None:
            self.batch = None
        self.index = message if isinstance(message, int) else None
        self.began = time.monotonic()
        return message if isinstance(message, tuple) else None

    def kill(self) -> int:
        """End the process if it has not ended; return its exit code, negative for a signal."""
        if self.late:
            self.process.kill()
        self.process.join()
        self.pipe.close()
        return self.process.exitcode or 0

    def dismiss(self) -> None:
        """Let an idle process end."""
        self.pipe.send(None)
        self.process.join()
        self.pipe.close()


class Campaign:
    """Runs inputs and keeps the findings.

    Args:
        folder: Where findings are kept, below the target's name; and meanwhile the workers' folders.
        limits: Of one input.
        workers: How many processes.
        say: Told how far it is, after each batch.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits | None = None,
        workers: int = 2,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder = folder.resolve()
        self.limits = limits or Limits()
        self.workers = workers
        self.say = say
        self.tallies: dict[str, Tally] = defaultdict(Tally)

    def run(self, targets: Iterable[str], count: int, seed: int) -> dict[str, Tally]:
        """Run ``count`` inputs of each target and return what became of them, by target.

        Raises:
            RuntimeError: A worker died or hung before its first input: the target itself is at fault.
        """
        waiting = deque(_batches(targets, count, seed))
        scratch = self.folder / ".workers"
        running: list[_Worker] = []
        number = 0
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    running.append(_Worker(scratch / str(number), self.limits))
                    running[-1].take(waiting.popleft())
                    number += 1
                self._listen(running, waiting)
        finally:
            for worker in running:
                worker.process.kill()
                worker.process.join()
            shutil.rmtree(scratch, ignore_errors=True)
        return dict(self.tallies)

    def _listen(self, running: list[_Worker], waiting: deque[Batch]) -> None:
        """Take in what the workers say, and put an end to those that are late."""
        pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in running}
        for pipe in wait(list(pipes), timeout=min(1.0, self.limits.seconds)):
            worker = pipes[pipe]
            index = worker.index
            try:
                told = worker.hear()
            except (EOFError, ConnectionResetError):
                self._lost(worker, running, waiting)
                continue
            if told is not None and worker.batch is not None:
                self._add(worker.batch, index, *told)
            if worker.batch is None:
                done = sum(tally.counts.total() for tally in self.tallies.values())
                found = sum(tally.findings.total() for tally in self.tallies.values())
                self.say(f"{done} inputs, {found} findings")
            if worker.batch is None and waiting:
                worker.take(waiting.popleft())
            elif worker.batch is None:
                running.remove(worker)
                worker.dismiss()
        for worker in [worker for worker in running if worker.late]:
            self._lost(worker, running, waiting)

    def _lost(self, worker: _Worker, running: list[_Worker], waiting: deque[Batch]) -> None:
        """Count the input that a worker died of, or hung at, and have another go on behind it."""
        running.remove(worker)
        late, batch, index = worker.late, worker.batch, worker.index
        code = worker.kill()
        log = (worker.folder / LOG).read_text(errors="replace")
        if batch is None or index is None:
            raise RuntimeError(f"A worker ended (exit code {code}) before an input of {batch} was run:\n{log}")
        if late:
            outcome = Outcome(HANG, f"no end in {self.limits.seconds:g} s", _innermost(log), log, self.limits.seconds)
        else:
            cause = (
                f"killed by {signal.Signals(-code).name}" if code < 0 else f"the process ended with exit code {code}"
            )
            outcome = Outcome(ABORT, cause, f"{cause}, {_innermost(log)}", log)
        self._add(batch, index, outcome, read_files(worker.folder / INPUT))
        waiting.appendleft(Batch(batch.target, batch.seed, batch.count, index + 1))

    def _add(self, batch: Batch, index: int | None, outcome: Outcome, files: Files | None) -> None:
        tally = self.tallies[batch.target]
        tally.add(outcome)
        if files is None or len(kept := tally.kept[outcome.kind, outcome.place]) >= KEPT:
            return
        place = self.folder / batch.target / f"{batch.seed}-{index}"
        write_files(files, place / INPUT)
        about = {"target": batch.target, "seed": batch.seed, "index": index, "batch": batch.count, **asdict(outcome)}
        (place / FINDING).write_text(json.dumps(about, indent=2))
        kept.append(place)


def repeat(place: Path, limits: Limits | None = None) -> Outcome:
    """Run the input of a finding alone, in this process."""
    target = find_target(json.loads((place / FINDING).read_text())["target"])
    return run_input(target, read_files(place.resolve() / INPUT), place.resolve() / "again", limits or Limits())


def _batches(targets: Iterable[str], count: int, seed: int) -> Iterator[Batch]:
    """Yield batches so that one target's follow each other: a worker keeps what it has imported."""
    for target in targets:
        for number, begin in enumerate(range(0, count, BATCH)):
            yield Batch(target, seed + number, min(BATCH, count - begin))


def _innermost(log: str) -> str:
    """Return the innermost line of the package in a dump of `faulthandler`."""
    frames = [line.strip() for line in log.splitlines() if "File " in line]
    return next((line for line in frames if PACKAGE in line), (frames or ["nowhere"])[0]).replace(PACKAGE, "")
