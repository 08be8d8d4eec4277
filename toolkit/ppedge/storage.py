"""Files and folders that appear whole or not at all, and JSON that ppedge wrote and reads again."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ppedge.errors import PpedgeError, cut, named_if_full, shown
from ppedge.state import checked


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary sibling for writing and rename it to ``path`` at the end; on any error nothing of it stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with named_if_full(path), os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def swap_in(made: Path, place: Path, old: Path) -> None:
    """Put a folder that is whole in the place of another, or of none; all three lie on one file system.

    A kill between the two renames leaves ``old`` and no ``place``: whoever looks next renames ``old`` back.
    """
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    made.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    data = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with atomic_write(path) as file:
        file.write(data)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        PpedgeError: The file is missing or is not JSON, a number in it is not finite, or a text is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text, parse_constant=_not_finite, parse_float=_finite)
        if "\\u" in text:  # half of a surrogate pair, escaped, is no text and could never be written again
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except FileNotFoundError as error:
        raise PpedgeError(f"{path}: no such file.") from error
    except (ValueError, RecursionError) as error:
        raise PpedgeError(f"{path}: not JSON ({cut(str(error))}).", "Repeat the stage that writes it.") from error


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_finite(text)


def _not_finite(text: str) -> float:
    raise ValueError(f"the number {shown(text)} is not finite")


def read_state(path: Path, kind: Any, what: str, hint: str) -> Any:
    """Read a JSON file that ppedge wrote, as the type that it is to have; see `state.checked`.

    Raises:
        PpedgeError: The file is missing or is not JSON, or holds something else.
    """
    return checked(kind, read_json(path), path, what, hint)


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    digest, block = hashlib.sha256(), memoryview(bytearray(1 << 16))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            digest.update(block[:size])
    return digest.hexdigest()
