"""Folders that are replaced whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ppedge.errors import PpedgeError, named_if_full
from ppedge.storage import swap_in


@contextmanager
def whole_folder(out: Path, *, replace: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a hidden sibling of ``out`` to work in, and put it in the place of ``out`` when the block ends well.

    A kill leaves ``out`` as it was, and hidden remains that the next call removes. (A kill between the two renames at
    the end leaves the old folder under its hidden name; the next call puts it back.)

    Args:
        out: The folder to make.
        replace: Asked whether an ``out`` that is there, and not empty, may be replaced; may raise instead.

    Raises:
        PpedgeError: ``out`` may not be replaced, or another process is making it.
    """
    place = out.resolve()  # "." has no name to work beside
    partial, old = (place.with_name(f".{place.name}.{word}") for word in ("partial", "old"))
    if old.exists() and not place.exists():
        old.rename(place)
    if place.exists() and not (place.is_dir() and (not any(place.iterdir()) or replace(out))):
        raise PpedgeError(f"{out}: there already, and not a bundle.", "Name another folder.")
    partial.mkdir(parents=True, exist_ok=True)
    with _alone(partial, out):
        try:
            for path in partial.iterdir():  # what a killed attempt left
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            with named_if_full(out, below=True):
                yield partial
            swap_in(partial, place, old)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def _alone(folder: Path, out: Path) -> Iterator[None]:
    """Hold a lock on a folder, which a process loses when it dies."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _locked(handle) or not folder.exists() or os.fstat(handle).st_ino != folder.stat().st_ino:
            # The last two: it was renamed to its place between our two looks at it.
            raise PpedgeError(f"{out}: another process is making it.", "Wait for it to end.")
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
