"""Several processes: Paddle's own launcher, told to run this command line again in each of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ppedge.errors import Interrupted, PpedgeError
from ppedge.process import death, tied_to_this_process


def launched() -> bool:
    """Whether this process is one of several that the launcher started."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1")) > 1


def launch(arguments: Sequence[str], processes: int, logs: Path) -> None:
    """Run ``ppedge ARGUMENTS`` in several processes and wait for them.

    Args:
        arguments: The command line after ``ppedge``.
        processes: How many, each with its own GPU, or sharing the CPU.
        logs: Folder for what each process prints.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; the launcher has passed it on.
        PpedgeError: A process failed; the launcher has ended the others.
    """
    script = str(files("ppedge") / "__main__.py")
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(processes)]
    command += ["--log_dir", str(logs), script, *arguments]
    process = subprocess.Popen(command, preexec_fn=tied_to_this_process())
    stopped: list[int] = []

    def stop(number: int, frame: object) -> None:
        stopped.append(number)
        if number == signal.SIGTERM:  # a terminal's Ctrl-C reaches the launcher by itself
            process.terminate()

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = process.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        # The launcher writes the whole environment down, secrets included, and a run's folder is for showing around.
        for file in (*logs.glob("envlog.*"), *logs.glob("backup_env.*"), *logs.glob("default.*.log")):
            file.unlink()
    if stopped:
        raise Interrupted(f"Interrupted; {processes} processes have ended.", "Go on with --resume.")
    if code:
        raise PpedgeError(f"One of {processes} processes {death(code)}.", f"See {logs}/workerlog.*")
