"""Folders that appear whole or not at all."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ppedge.errors import PpedgeError
from ppedge.scratch import sweep, temporary


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden sibling of ``out`` to work in, and rename it to ``out`` when the block ends well.

    Args:
        out: The folder to make; it must not exist, or be empty.

    Raises:
        PpedgeError: ``out`` holds something already, now or by the time the block ends.
    """
    taken = PpedgeError(f"{out}: there already, and not an empty folder.", "Name another folder, or delete this one.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise taken
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}.partial."
    sweep(out.parent, f"{glob.escape(prefix)}*")
    with temporary(out.parent, prefix) as partial:
        yield partial
        partial.chmod(0o755)
        try:
            partial.rename(out)
        except OSError as error:
            raise taken from error
