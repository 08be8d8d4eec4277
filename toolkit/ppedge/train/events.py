"""What metrics.jsonl holds, for TensorBoard as well: event files beside the stages of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ppedge.errors import MissingError

FOLDER = "tensorboard"
"""In a run's folder."""
Log = Callable[[Mapping[str, Any]], None]
"""Is given each entry of metrics.jsonl."""


def require_writer() -> Any:
    """Return the class that writes event files.

    Raises:
        MissingError: Its package is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise MissingError(
            f"--tensorboard needs the package tensorboardX ({error}).", 'Install it: pip install "ppedge[tensorboard]".'
        ) from error
    return SummaryWriter


@contextmanager
def events(folder: Path) -> Iterator[Log]:
    """Yield what writes the entries of metrics.jsonl to an event file.

    A step's numbers are ``train/loss``, ``train/lr`` and so on, an evaluation's ``eval/exact`` and so on. What earlier
    files have of the first entry's step and of later ones, TensorBoard leaves out: a training that goes on after a
    checkpoint repeats them, and one that starts anew begins before them.

    Args:
        folder: Where the file goes.

    Raises:
        MissingError: There is no package to write it with.
    """
    open_writer = require_writer()
    writer = None

    def log(entry: Mapping[str, Any]) -> None:
        nonlocal writer
        step = entry["step"]
        if writer is None:
            # Names differ by the second alone, and the writer replaces a file that has its name.
            number = len(list(folder.glob("events.out.tfevents.*")))
            writer = open_writer(str(folder), purge_step=step, flush_secs=10, filename_suffix=f".{number:04d}")
        kind = "eval" if "eval" in entry else "train"
        for name, value in entry.get("eval", entry).items():
            if name != "step" and isinstance(value, int | float):
                writer.add_scalar(f"{kind}/{name}", value, step)

    try:
        yield log
    finally:
        if writer is not None:
            writer.close()
