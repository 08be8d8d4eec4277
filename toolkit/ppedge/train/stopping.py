"""Requests to stop: Ctrl-C and SIGTERM while a course of training runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM, so that a step is never cut in half; a second Ctrl-C ends at once."""
    caught: list[int] = []
    earlier: dict[int, Any] = {}

    def note(number: int, frame: object) -> None:
        caught.append(number)
        signal.signal(signal.SIGINT, earlier[signal.SIGINT])

    for wanted in (signal.SIGINT, signal.SIGTERM):
        earlier[wanted] = signal.getsignal(wanted)
        signal.signal(wanted, note)
    try:
        yield caught
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
