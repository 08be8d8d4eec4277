"""The emulated processes of one core: each counts its own model, compares it, and then helps with the models after it.

To start a guest takes longer than to run a small network many times: onnxruntime's imports alone take 1.5 s of a
processor under the emulator. So each file has one guest of its own. Its cost is counted there first, while nothing else
has run in it, since the history of a process moves a count; then its samples go through the same guest. Where
several guests are to share them, those whose own model is done open this one, and only what they lack is started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from typing_extensions import Self

from ppedge.cost.inference import Cost, Counting, count_inference
from ppedge.validate.jobs import Model
from ppedge.validate.workers import Candidate, Workers


class Guest(Candidate, Counting, Protocol):
    """An engine under the emulator."""

    def stop_counting(self) -> None:
        """Run the network once a call from now on."""
        ...

    def reopen(self, path: Path) -> None:
        """Put another model in the place of this one."""
        ...


class CoreGuests:
    """The guests of one core; leaving the block ends all of them.

    Args:
        start: Starts a guest with a model; the second argument says whether it counts.
        path_of: A model's file.
        most: How many guests share the samples of one model.
        threads: How many guests are started, or count, at a time.
    """

    def __init__(
        self, start: Callable[[Model, bool], Guest], path_of: Callable[[Model], Path], most: int, threads: int
    ) -> None:
        self._start_one, self._path_of, self._most = start, path_of, most
        # A guest ends with the thread that started it, see `process.tied_to_this_process`: these outlive all of them.
        self._pool = ThreadPoolExecutor(threads)
        self._started: list[Guest] = []
        self._own: dict[Model, Guest] = {}
        self._idle: list[Guest] = []

    def count(self, models: Sequence[Model], size: tuple[int, int], advance: Callable[[], None]) -> dict[Model, Cost]:
        """Count each model in a guest of its own, several at a time: load does not move a count.

        Args:
            models: Each may be compared afterwards, but for those before slimming.
            size: Height and width of the input in pixels.
            advance: Called when one has been counted.

        Raises:
            PpedgeError: A guest cannot be started, or failed.
        """

        def one(model: Model) -> Cost:
            guest = self._start(model, True)
            cost = count_inference(guest, size)
            guest.stop_counting()
            self._own[model] = guest
            advance()
            return cost

        costs = dict(zip(models, self._pool.map(one, models), strict=True))
        self._spare([self._own.pop(model) for model in models if model.baseline])
        return costs

    @contextmanager
    def workers(self, model: Model) -> Iterator[Workers[Any]]:
        """Give a model that was counted its own guest and those that help; afterwards they may help others.

        Raises:
            PpedgeError: A guest cannot be started, or does not open the model.
        """
        own, helpers, self._idle = self._own.pop(model), self._idle, []
        lent = [partial(self._lend, guest, model) for guest in helpers]
        started = [lambda: self._pool.submit(self._start, model, False).result()] * (self._most - 1 - len(helpers))
        with Workers[Any]([lambda: own, *lent, *started], keep=True) as workers:
            yield workers
        self._spare(workers.engines)

    def _start(self, model: Model, count: bool) -> Guest:
        guest = self._start_one(model, count)
        self._started.append(guest)
        return guest

    def _lend(self, guest: Guest, model: Model) -> Guest:
        guest.reopen(self._path_of(model))
        return guest

    def _spare(self, guests: Sequence[Any]) -> None:
        """Keep guests for the next model, as many as it needs beside its own; the others end."""
        self._idle += guests
        self._idle, rest = self._idle[: self._most - 1], self._idle[self._most - 1 :]
        for guest in rest:
            guest.kill()
            guest.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nobody waits for what is under way; and all that is left of the others is to take their leave, of which a
        # Python makes some work.
        for guest in self._started:
            guest.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for guest in self._started:
            guest.close()
