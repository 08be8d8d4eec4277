"""Several processes: Paddle's own launcher, told to run this command line again in each of them."""

from __future__ import annotations

import os
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
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise PpedgeError(f"One of {processes} processes {death(done.returncode)}.", f"See {logs}/workerlog.*")
