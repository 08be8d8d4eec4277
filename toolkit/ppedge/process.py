"""Child processes for everything that may abort: Paddle Lite's ``opt``, exporters, Paddle2ONNX.

These end in SIGABRT or SIGSEGV on bad input, which Python cannot catch. Run apart, their death becomes an error.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from ppedge.errors import MissingError, PpedgeError, first_full

T = TypeVar("T")
MORE_MEMORY = "Close other programs, raise `ulimit -v`, or lower the recipe's batch sizes and workers."
_NO_MEMORY = (
    "MemoryError", "bad_alloc", "bad allocation", "Cannot allocate memory", "cannot allocate memory",
    "failed to map segment", "Unable to reserve", "Out of memory", "out of memory", "can't start new thread",
)  # fmt: skip
# What Python adds to it is the file's name, where it knows that.
_NO_ROOM = re.compile(r"(?:No space left on device|Disk quota exceeded)(?:: (?P<quote>['\"])(?P<file>.+)(?P=quote))?")
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
# Looked up once, here: between fork and exec of a process with threads, loading anything may wait for ever.
_PRCTL = ctypes.CDLL(None).prctl


class Process(Protocol):
    """A child process that has been started; `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Return its exit code, less than 0 for a signal; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code; `subprocess.TimeoutExpired` if it does not come in time."""

    def kill(self) -> None:
        """Have it end at once."""


@dataclass(frozen=True)
class Child:
    """A command to run in a process of its own.

    Attributes:
        argv: The command and its arguments; no shell is involved. What is given as a `Path` is named where the disk is
            full.
        what: What the child does and to which file, for the error: ``"converting model.pdmodel with opt"``.
        cause: The likely cause of a death, added to the error.
        timeout: Seconds until the child is killed.
        env: Variables added to the environment.
        cwd: The child's working folder.
    """

    argv: Sequence[str | Path]
    what: str
    cause: str = ""
    timeout: float = 600.0
    env: Mapping[str, str] | None = None
    cwd: Path | None = None


Start = Callable[[Child, IO[bytes]], "Process | None"]


def run_child(argv: Sequence[str | Path], what: str, **options: Any) -> str:
    """Run a command to its end and return what it printed (stdout and stderr together).

    The child ends with this process, however that ends, and at once when this call is interrupted.

    Args:
        argv: As of `Child`.
        what: Likewise.
        options: Further attributes of `Child`.

    Raises:
        MissingError: The program is not on this machine, or it says by its exit code that something else is missing.
        PpedgeError: The child failed, died by a signal or took too long.
    """
    (ended,) = run_children([Child(argv, what, **options)])
    if isinstance(ended, PpedgeError):
        raise ended
    return ended


def module(name: str, arguments: Sequence[str | Path]) -> list[str | Path]:
    """Return the command ``python -m name arguments...``, by this Python."""
    return [sys.executable, "-m", name, *arguments]


def dealt(pieces: Sequence[T], most: int = 2) -> list[list[T]]:
    """Deal pieces of work out to processes that run side by side: at most so many, and no more than there are cores."""
    count = min(most, len(pieces), len(os.sched_getaffinity(0)))
    return [list(pieces[k::count]) for k in range(count)]


def run_children(children: Sequence[Child], start: Start | None = None) -> list[str | PpedgeError]:
    """Run commands side by side, each to its end; they end with this process, and at once when it is interrupted.

    Args:
        children: The commands.
        start: Starts one whose output goes to the file, and returns None if there is no such program; by default it
            runs the program that the command names.

    Returns:
        For each what it printed (stdout and stderr together), or the error that `run_child` would raise.
    """
    started: list[Process | None] = []
    with ExitStack() as stack:
        # In memory, since on a full disk a child could not say that it is full.
        outputs = [stack.enter_context(os.fdopen(os.memfd_create("output"), "w+b")) for _ in children]
        stack.callback(_kill, started)
        for child, output in zip(children, outputs, strict=True):
            started.append((start or _start)(child, output))
        began = time.monotonic()
        return [
            _end(one, process, output, began) for one, process, output in zip(children, started, outputs, strict=True)
        ]


def _start(child: Child, output: IO[bytes]) -> Process | None:
    """Return the process; None if there is no such program."""
    try:
        return subprocess.Popen(
            [str(word) for word in child.argv],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(child.env or {})},
            cwd=child.cwd,
            preexec_fn=tied_to_this_process(),
        )
    except FileNotFoundError:
        return None


def _kill(processes: Sequence[Process | None]) -> None:
    for process in filter(None, processes):
        if process.poll() is None:
            process.kill()
            process.wait()


def _end(child: Child, process: Process | None, output: IO[bytes], began: float) -> str | PpedgeError:
    """Wait for the end of a child and return what it printed, or its failure."""
    what = child.what
    if process is None:
        return MissingError(f"{what}: the program {child.argv[0]} was not found.", "Run `ppedge doctor`.")
    try:
        code = process.wait(max(0.0, began + child.timeout - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill([process])
        return PpedgeError(f"{what}: no end after {child.timeout:.0f} s, stopped.", child.cause)
    output.seek(0)
    text = output.read().decode("utf-8", "replace")
    if code == 0:
        return text
    if no_room := _NO_ROOM.search(text):
        place = no_room["file"] or _full_folder(child)
        where = f"{what}: {place}" if place else what
        return MissingError(f"{where}: the disk is full.", "Free some space and repeat the command.")
    if memory_ran_out(text) or code == -signal.SIGKILL:  # the kernel's way where all memory is used up
        return MissingError(f"{what}: too little memory.", MORE_MEMORY)
    kind = MissingError if code == MissingError.exit_code else PpedgeError
    return kind(f"{what} {death(code)}: {last_words(text)}", child.cause)


def _full_folder(child: Child) -> Path | None:
    """Return the folder, of those that a child may have written to, on whose file system no room is left."""
    paths = [word for word in child.argv if isinstance(word, Path)]
    folders = [path if path.is_dir() else path.parent for path in paths]
    with suppress(OSError):  # one that is not to be looked at, or no folder for temporary files
        return first_full([*folders, child.cwd or Path(), Path(tempfile.gettempdir())])
    return None


def run_module(name: str, arguments: Sequence[str | Path], what: str, **options: Any) -> str:
    """Run ``python -m name arguments...`` as `run_child` does."""
    return run_child(module(name, arguments), what, **options)


def memory_ran_out(text: str) -> bool:
    """Whether what a program or a library said of its end means that it was not given memory."""
    return any(sign in text for sign in _NO_MEMORY)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, however that happens; Linux only, as all of ppedge."""
    _PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def tied_to_this_process() -> Callable[[], None]:
    """Return a ``preexec_fn`` by which a child dies with this process.

    More exactly, with the thread that starts it: that thread must live as long as the child is needed.
    """
    parent = os.getpid()

    def tie() -> None:
        die_with_parent()
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return tie


def death(returncode: int) -> str:
    """Say how a process ended: ``"died of SIGABRT"``, ``"ended with exit code 3"``."""
    number = -returncode if returncode < 0 else returncode - 128
    try:
        return f"died of {signal.Signals(number).name}"
    except ValueError:
        return f"ended with exit code {returncode}"


def last_words(text: str, limit: int = 300) -> str:
    """Return the last telling line of a program's output, cut to ``limit`` characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "heck failed" in line or "F /" in line]
    line = (telling or lines or ["it said nothing"])[-1]
    return line if len(line) <= limit else line[: limit - 3] + "..."
