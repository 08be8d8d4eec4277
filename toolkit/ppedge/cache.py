"""The user's cache folder, and the small C sources of the package that are compiled into it on first use."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ppedge.errors import MissingError
from ppedge.process import run_child


def cache_root() -> Path:
    """Return ppedge's folder in the user's cache: ``$XDG_CACHE_HOME/ppedge``, by default ``~/.cache/ppedge``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path there is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "ppedge"


def compiled(source: Path, folder: Path, options: Sequence[str], purpose: str, *, depends: str = "") -> Path:
    """Return a shared library made from a C source, compiling it unless the folder has it.

    Args:
        source: The C file.
        folder: Where the library is kept, under a name that depends on the source and the options.
        options: Of the compiler.
        purpose: What it is for, for the error: ``Counting ARM instructions``.
        depends: What else the library depends on, for instance the processor it is made for.

    Raises:
        MissingError: There is no C compiler.
        PpedgeError: The compiler failed.
    """
    key = hashlib.sha256("\0".join([source.read_text(encoding="utf-8"), *options, depends]).encode()).hexdigest()[:12]
    path = folder / f"{source.stem}-{key}.so"
    if path.is_file():
        return path
    compiler = shutil.which("cc")
    if compiler is None:
        raise MissingError(f"{purpose} needs the C compiler cc, which is not on this machine.", "Install gcc.")
    folder.mkdir(parents=True, exist_ok=True)
    # Renamed into place, so that two processes that start together are safe.
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{source.stem}-") as scratch:
        built = Path(scratch) / path.name
        run_child([compiler, *options, "-shared", "-fPIC", "-o", built, source], f"compiling {source.name}")
        built.rename(path)
    return path
