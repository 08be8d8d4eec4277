"""Ctrl-C and SIGTERM: both end a command by the same exception, and Paddle's own handler of SIGTERM is kept out."""

from __future__ import annotations

import atexit
import importlib
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PADDLE_TAKES = 800_000_000
"""Bytes of address space that Paddle's libraries take when they are loaded, rounded up."""
_came = False


def interrupt_on_signals() -> None:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt; whoever started ppedge with one of them ignored is obeyed.

    A second SIGTERM does nothing: `timeout`, for one, sends it to the process and again to its group, and what cleans
    up must not be cut short. A second Ctrl-C is a person's wish to end at once.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        # Python puts the default back at its very end, where a SIGTERM would turn what is done into a failure.
        atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)


def interrupted() -> bool:
    """Whether Ctrl-C or SIGTERM has come: libraries that are cut short may make another error of it."""
    return _came


def _interrupt(number: int, frame: object) -> None:
    global _came
    _came = True
    signal.signal(signal.SIGTERM, _pass)  # not SIG_IGN, which children would inherit
    raise KeyboardInterrupt


def _pass(number: int, frame: object) -> None:
    pass


def import_paddle() -> None:
    """Import Paddle, and let neither signal cut that short.

    Paddle sets its own handler of SIGTERM in C++ when it is imported, which prints a stack of its own and ends the
    process; and an exception in the midst of its C++ makes an ImportError of it, or a lock that nobody opens. What
    comes meanwhile is heeded at the end.

    Raises:
        MemoryError: This process may not have as much address space as the libraries take; some of them end in a
            segmentation fault then, or never.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < PADDLE_TAKES:
        raise MemoryError
    if threading.current_thread() is not threading.main_thread():  # handlers can be set in the main thread only
        importlib.import_module("paddle")
        return
    caught: list[int] = []
    handlers = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with sigterm_held():
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, lambda number, frame: caught.append(number))
        try:
            importlib.import_module("paddle")
        finally:
            for number, handler in handlers.items():
                if handler is not None:
                    signal.signal(number, handler)
    for number in caught[:1]:
        signal.raise_signal(number)


@contextmanager
def sigterm_held() -> Iterator[None]:
    """Let a SIGTERM wait for the end of the block, in this thread and in those and the processes that it starts."""
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
