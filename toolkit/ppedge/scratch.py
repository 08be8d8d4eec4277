"""Temporary folders, which the next command removes where the process that made them was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ppedge.errors import MissingError, named_if_full

PREFIX = "ppedge-scratch-"


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """Yield a new folder in the machine's folder for temporary files, and remove it at the end.

    Args:
        purpose: A word for its name.

    Raises:
        MissingError: There is no such folder that can be written to.
    """
    try:
        parent = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise MissingError(
            "No folder for temporary files can be written to.", "Make room in /tmp, or set TMPDIR to a folder."
        ) from error
    with temporary(parent, f"{PREFIX}{purpose}-") as folder:
        yield folder


def sweep_scratch() -> None:
    """Remove what `scratch` made for processes of this user that were killed."""
    try:
        sweep(Path(tempfile.gettempdir()), f"{PREFIX}*")
    except FileNotFoundError:  # there is no folder for temporary files
        return


@contextmanager
def temporary(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder, locked as long as this process lives and the block lasts; remove it at the end.

    Args:
        parent: Where it is made; must exist.
        prefix: What its name begins with. The block may rename the folder, and thereby keep it.
    """
    folder, handle = _make(parent, prefix)
    try:
        with named_if_full(parent, below=True):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep(parent: Path, pattern: str) -> None:
    """Remove folders that `temporary` made for processes that were killed, if they are this user's.

    Args:
        parent: Where to look.
        pattern: Of the folders' names.
    """
    for folder in parent.glob(pattern):
        handle = _open(folder)
        if handle is None:
            continue
        try:
            if os.fstat(handle).st_uid == os.getuid() and _lock(handle):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _make(parent: Path, prefix: str) -> tuple[Path, int]:
    """Return a new folder and the handle that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        handle = _open(folder)
        if handle is not None:
            if _lock(handle) and folder.is_dir():
                return folder, handle
            os.close(handle)  # another process took the folder for one that was left, before it was locked


def _open(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # gone, a link, or another user's
        return None


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
