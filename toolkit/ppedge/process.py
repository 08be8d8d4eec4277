"""Child processes for everything that may abort: Paddle Lite's ``opt``, exporters, Paddle2ONNX.

These end in SIGABRT or SIGSEGV on bad input, which Python cannot catch. Run apart, their death becomes an error.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ppedge.errors import MissingError, PpedgeError

MORE_MEMORY = "Close other programs, raise `ulimit -v`, or lower the recipe's batch sizes and workers."
_NO_MEMORY = (
    "MemoryError", "bad_alloc", "bad allocation", "Cannot allocate memory", "cannot allocate memory",
    "failed to map segment", "Unable to reserve", "Out of memory", "out of memory", "can't start new thread",
)  # fmt: skip
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
# Looked up once, here: between fork and exec of a process with threads, loading anything may wait for ever.
_PRCTL = ctypes.CDLL(None).prctl


def run_child(
    argv: Sequence[str | Path],
    what: str,
    *,
    cause: str = "",
    timeout: float = 600.0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a command to its end and return what it printed (stdout and stderr together).

    The child ends with this process, however that ends, and at once when this call is interrupted.

    Args:
        argv: The command and its arguments; no shell is involved.
        what: What the child does and to which file, for the error: ``"converting model.pdmodel with opt"``.
        cause: The likely cause of a death, added to the error.
        timeout: Seconds until the child is killed.
        env: Variables added to the environment.
        cwd: The child's working folder.

    Raises:
        MissingError: The program is not on this machine, or it says by its exit code that something else is missing.
        PpedgeError: The child failed, died by a signal or took too long.
    """
    command = [str(a) for a in argv]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            check=False,
            preexec_fn=tied_to_this_process(),
        )
    except FileNotFoundError as error:
        raise MissingError(f"{what}: the program {command[0]} was not found.", "Run `ppedge doctor`.") from error
    except subprocess.TimeoutExpired as error:
        raise PpedgeError(f"{what}: no end after {timeout:.0f} s, stopped.", cause) from error
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode == 0:
        return text
    if "No space left on device" in text:
        raise MissingError(f"{what}: the disk is full.", "Free some space and repeat the command.")
    if memory_ran_out(text) or done.returncode == -signal.SIGKILL:  # the kernel's way where all memory is used up
        raise MissingError(f"{what}: too little memory.", MORE_MEMORY)
    kind = MissingError if done.returncode == MissingError.exit_code else PpedgeError
    raise kind(f"{what} {death(done.returncode)}: {last_words(text)}", cause)


def run_module(module: str, arguments: Sequence[str | Path], what: str, **options: object) -> str:
    """Run ``python -m module arguments...`` as `run_child` does."""
    return run_child([sys.executable, "-m", module, *arguments], what, **options)  # type: ignore[arg-type]


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
