"""A process that runs inputs, one after the other, under limits of memory.

It says before each input that it begins, and afterwards what became of it. Who listens kills it if that does not come.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from hypothesis.strategies import SearchStrategy

from fuzz.contract import FINDINGS, Files, Outcome, Target, find_target, judge
from fuzz.drawing import draw
from fuzz.files import write_files
from ppedge.process import die_with_parent

INPUT = "input"
"""The folder of the input that is being run, in the worker's folder."""
LOG = "log.txt"
"""What libraries printed of it past Python, and where the process stood when it died or was about to be killed."""
_PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Limits:
    """What one input may take.

    Attributes:
        seconds: Before the process is killed.
        memory: Bytes of address space beyond what the process has when a batch begins.
    """

    seconds: float = 30.0
    memory: int = 1 << 30


@dataclass(frozen=True)
class Batch:
    """Inputs of one target, by the seed that draws them.

    Attributes:
        target: Its name.
        seed: Draws the inputs.
        count: How many there are.
        first: The first to run; those before it are done.
    """

    target: str
    seed: int
    count: int
    first: int = 0


def serve(pipe: Connection, folder: Path, limits: Limits) -> None:
    """Run the batches that come through a pipe until None comes.

    For each input the pipe is given its index, and then its outcome and, of a finding, the input; after a batch, None.
    """
    warnings.simplefilter("ignore")
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner, which then ends this process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log = os.open(folder / LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    faulthandler.enable(log)
    strategies: dict[str, SearchStrategy[Files]] = {}
    while (batch := pipe.recv()) is not None:
        target = find_target(batch.target)
        if batch.target not in strategies:
            strategies[batch.target] = target.inputs()
        inputs = draw(strategies[batch.target], batch.target, batch.seed, batch.count)
        before = _forget_largest_memory()
        for index, files in enumerate(inputs[batch.first :], start=batch.first):
            os.ftruncate(log, 0)
            pipe.send(index)
            faulthandler.dump_traceback_later(0.8 * limits.seconds, file=log)
            outcome = run_input(target, files, folder / INPUT, limits)
            faulthandler.cancel_dump_traceback_later()
            outcome = replace(outcome, memory=max(_largest_memory() - before, 0))
            pipe.send((outcome, files if outcome.kind in FINDINGS else None))
        pipe.send(None)


def run_input(target: Target, files: Files, folder: Path, limits: Limits) -> Outcome:
    """Write an input into a folder, made anew, and run it there.

    Args:
        target: What reads it.
        files: The input.
        folder: Where to; the current folder meanwhile.
        limits: Of which the memory is held here, and the time by who calls.
    """
    write_files(files, folder)
    os.chdir(folder)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + limits.memory, hard))
    began = time.monotonic()
    try:
        outcome = judge(target, folder, files)
    finally:
        seconds = time.monotonic() - began
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        os.chdir(folder.parent)
    return replace(outcome, seconds=seconds)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE


def _forget_largest_memory() -> int:
    """Have the kernel measure the process's largest memory from now on; return what it has now, in bytes."""
    with suppress(OSError):  # where that is not allowed, memory that was freed before hides a smaller growth
        Path("/proc/self/clear_refs").write_text("5")
    return _largest_memory()


def _largest_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
