"""Several processes: Paddle's own launcher, told to run this command line again in each of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ppedge.errors import PpedgeError
from ppedge.process import death


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
        PpedgeError: A process failed; the launcher has ended the others.
    """
    script = str(files("ppedge") / "__main__.py")
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(processes)]
    command += ["--log_dir", str(logs), script, *arguments]
    process = subprocess.Popen(command)
    # A terminal's Ctrl-C reaches the launcher too, which ends its processes; here we wait until it has.
    earlier = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, frame: process.terminate()),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        # The launcher writes the whole environment down, secrets included, and a run's folder is for showing around.
        for file in (*logs.glob("envlog.*"), *logs.glob("backup_env.*"), *logs.glob("default.*.log")):
            file.unlink()
    if code:
        raise PpedgeError(f"One of {processes} processes {death(code)}.", f"See {logs}/workerlog.*")
