"""Progress of long work: a bar with an ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ppedge.errors import printable

LINE_EVERY = 30.0
MINUTES_FROM = 90.0


class Reporter:
    """Tells a person how work goes, on standard error, so that standard output stays for results."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            self.console.print(printable(text))

    def say_once(self, text: str) -> None:
        """Print one line, unless it was printed before: a command may run several stages."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Step]:
        """Show the progress of ``total`` steps, of which ``done`` are behind us already."""
        if self.quiet or not sys.stderr.isatty():
            yield Step(self, title, total, done)
            return
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
                   TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False))  # fmt: skip
        with Progress(*columns, console=self.console, transient=True) as bar:
            step = Step(self, title, total, done)
            identity = bar.add_task(printable(title), total=total, completed=done, note="")
            step.show = lambda: bar.update(identity, completed=step.done, note=printable(step.note))
            yield step


def roughly(seconds: float) -> str:
    """Return a time as one says it before it has passed: ``about 40 s``, ``about 5 minutes``."""
    return f"about {seconds:.0f} s" if seconds < MINUTES_FROM else f"about {seconds / 60:.0f} minutes"


class Step:
    """One piece of work under way."""

    def __init__(self, reporter: Reporter, title: str, total: int, done: int) -> None:
        self.reporter, self.title, self.total, self.done = reporter, title, total, done
        self.note = ""
        self._began = self._told = time.monotonic()
        self._first = done
        self.show = self._line

    def advance(self, note: str = "", steps: int = 1) -> None:
        """Count ``steps`` more steps; ``note`` is shown beside the bar."""
        self.done += steps
        self.note = note
        self.show()

    def _line(self) -> None:
        now = time.monotonic()
        if now - self._told < LINE_EVERY:
            return
        self._told = now
        left = (now - self._began) / max(self.done - self._first, 1) * (self.total - self.done)
        self.reporter.say(f"{self.title} {self.done}/{self.total}, {left:.0f} s left {self.note}".rstrip())
