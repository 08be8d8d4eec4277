"""The user's cache folder; small C sources compiled into it, and folders built in it, on first use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ppedge.errors import MissingError
from ppedge.process import run_child

Progress = Callable[[str], None]


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


def built_once(
    kind: str, name: str, build: Callable[[Path, Progress], None], failed: str, progress: Progress | None = None
) -> Path:
    """Return a folder of the cache, building it unless it is there; safe when several processes start together.

    Args:
        kind: What the folder's name begins with; folders of one kind are built one at a time.
        name: The folder's name, which should depend on everything it is made from.
        build: Fills a temporary sibling, which is renamed when it is whole.
        failed: Begins the error's sentence, before the cache's folder: ``... could not be built in``.
        progress: Told what is being done, one sentence a step.

    Raises:
        MissingError: There is no room, or the cache folder cannot be written.
    """
    tell = progress or (lambda _: None)
    root = cache_root()
    folder = root / name
    if folder.is_dir():
        return folder
    try:
        with locked(root / f"{kind}.lock", tell):
            if not folder.is_dir():
                for leftover in root.glob(f".{kind}-*.partial"):
                    shutil.rmtree(leftover, ignore_errors=True)
                _build(kind, folder, build, tell)
    except OSError as error:
        raise MissingError(
            f"{failed} {root}: {error.strerror or error}.",
            "Make room, or set XDG_CACHE_HOME to a folder you may write to.",
        ) from error
    return folder


def _build(kind: str, folder: Path, build: Callable[[Path, Progress], None], tell: Progress) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{kind}-", suffix=".partial", dir=folder.parent))
    try:
        work.chmod(0o755)
        build(work, tell)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


@contextmanager
def locked(path: Path, tell: Progress) -> Iterator[None]:
    """Hold a lock file for the time of the block; the kernel lets go of it when a process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"Another process is at work in {path.parent}: waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
