"""Several engines with the same model, which share the work: a guest emulates one core, a PC has more."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import numpy as np
from typing_extensions import Self

from ppedge.engines.base import Engine

Tag = TypeVar("Tag")
Series = list[np.ndarray]
_AHEAD = 2  # series an engine, done or under way before the first of them is taken


class Candidate(Engine, Protocol):
    """An engine that one thread can end while another waits for it."""

    runtime: str

    def kill(self) -> None:
        """End what is under way at once; `close` is still to be called."""
        ...


class Workers(Generic[Tag]):
    """Opens engines, one a thread, and runs series of inputs on whichever is free.

    What a network puts out must not depend on the engine or on what it ran before, so results do not depend on how many
    there are. The engines are opened once, all at the same time.

    Args:
        openers: Each opens an engine.
        keep: Leave the engines open at the end, unless it is an error's.

    Attributes:
        engines: The engines, for work that is not shared, while `run` is not under way.

    Raises:
        PpedgeError: One of them cannot be opened; the others are closed.
    """

    def __init__(self, openers: Sequence[Callable[[], Candidate]], *, keep: bool = False) -> None:
        self._keep = keep
        self._pool = ThreadPoolExecutor(len(openers))
        opening = [self._pool.submit(open_one) for open_one in openers]
        try:
            self.engines = [one.result() for one in opening]
        except BaseException:
            self._pool.shutdown(wait=True, cancel_futures=True)
            for one in opening:
                if not one.cancelled() and one.exception() is None:
                    one.result().close()
            raise
        self._free: SimpleQueue[Candidate] = SimpleQueue()
        for engine in self.engines:
            self._free.put(engine)
        self.name, self.runtime = self.engines[0].name, self.engines[0].runtime

    def run(self, work: Iterable[tuple[Tag, Series]]) -> Iterator[tuple[Tag, Series, Series]]:
        """Run series of inputs of a network with one input and one output.

        Args:
            work: Each with a tag of the caller's; one series is run on one engine, in its order. They are taken as they
                are needed: few are in memory at a time.

        Yields:
            Tag, inputs and outputs, in the order of ``work``.

        Raises:
            PpedgeError: An engine failed.
        """
        pending: deque[tuple[Tag, Series, Future[Series]]] = deque()
        for tag, inputs in work:
            pending.append((tag, inputs, self._pool.submit(self._run_one, inputs)))
            if len(pending) >= _AHEAD * len(self.engines):
                tag, inputs, outputs = pending.popleft()
                yield tag, inputs, outputs.result()
        for tag, inputs, outputs in pending:
            yield tag, inputs, outputs.result()

    def _run_one(self, inputs: Series) -> Series:
        engine = self._free.get()
        try:
            return [engine.run([x])[0] for x in inputs]
        finally:
            self._free.put(engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for engine in self.engines:
                engine.kill()  # nobody waits for what is under way
        self._pool.shutdown(wait=True, cancel_futures=True)
        if error is None and self._keep:
            return
        for engine in self.engines:
            engine.close()


def cores() -> int:
    """Return how many of the PC's cores this process may use."""
    return len(os.sched_getaffinity(0))
