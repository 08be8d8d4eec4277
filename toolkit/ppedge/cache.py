"""The user's cache folder; small C sources compiled into it, folders built in it and wheels put there, on first use."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ppedge.errors import MissingError, PpedgeError
from ppedge.process import run_child
from ppedge.scratch import sweep, temporary
from ppedge.storage import swap_in
from ppedge.trust import UntrustedError, make_own, name_sum, require_own, seal

Progress = Callable[[str], None]
_HINT = "Make room, or set XDG_CACHE_HOME to a folder you may write to."


def cache_base() -> Path:
    """Return the folder of all of the user's caches: ``$XDG_CACHE_HOME``, by default ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path there is to be ignored.
    return Path(base) if base.startswith("/") else Path.home() / ".cache"


def cache_root() -> Path:
    """Return ppedge's folder in the user's cache."""
    return cache_base() / "ppedge"


def own_folder(folder: Path) -> Path:
    """Make a folder of the cache if it is not there, and return it.

    Raises:
        UntrustedError: Another user may write to it.
        OSError: It cannot be made.
    """
    make_own(folder)
    require_own(folder, cache_base())
    return folder


def compiled(source: Path, folder: Path, options: Sequence[str], purpose: str, *, depends: str = "") -> Path:
    """Return a shared library made from a C source, compiling it unless the folder has it.

    The library's name ends in its own sha256: one that has other bytes by now is built anew, and that is said.

    Args:
        source: The C file.
        folder: Where the library is kept, under a name that depends on the source and the options.
        options: Of the compiler.
        purpose: What it is for, for the error: ``Counting ARM instructions``.
        depends: What else the library depends on, for instance the processor it is made for.

    Raises:
        UntrustedError: Another user may have written the library, or may write to the folder.
        MissingError: There is no C compiler, or the folder cannot be written.
        PpedgeError: The compiler failed.
    """
    key = hashlib.sha256("\0".join([source.read_text(encoding="utf-8"), *options, depends]).encode()).hexdigest()[:12]
    require_own(folder, cache_base())
    damaged = None
    for path in sorted(folder.glob(f"{source.stem}-{key}-*.so")):
        require_own(path, path)
        if path.stem.endswith(f"-{name_sum(path)}"):
            return path
        damaged = path
    compiler = shutil.which("cc")
    if compiler is None:
        raise MissingError(f"{purpose} needs the C compiler cc, which is not on this machine.", "Install gcc.")
    try:
        path = _compile(compiler, source, folder, options, key)
    except OSError as error:
        raise MissingError(
            f"{purpose} needs {source.name} compiled into {folder}: {error.strerror or error}.", _HINT
        ) from error
    if damaged is not None:
        if damaged != path:
            damaged.unlink(missing_ok=True)
        say(f"{damaged}: was damaged, and has been built anew.")
    return path


def _compile(compiler: str, source: Path, folder: Path, options: Sequence[str], key: str) -> Path:
    make_own(folder)
    prefix = f".{source.stem}-"
    sweep(folder, f"{prefix}*")
    # Renamed into place, so that two processes that start together are safe.
    with temporary(folder, prefix) as work:
        built = work / "built.so"
        run_child([compiler, *options, "-shared", "-fPIC", "-o", built, source], f"compiling {source.name}")
        built.chmod(0o755)
        path = folder / f"{source.stem}-{key}-{name_sum(built)}.so"
        built.replace(path)
    return path


def library_for_this_processor(source: Path, options: Sequence[str], purpose: str, without: str) -> ctypes.CDLL | None:
    """Return a C source as a library compiled for this processor, or None where that cannot be had, which is said.

    Args:
        source: The C file.
        options: Of the compiler, beside ``-O3 -march=native``.
        purpose: What it is for; see `compiled`.
        without: What becomes of it without the library: the beginning of what is said.

    Raises:
        UntrustedError: Another user may have written the library in the cache, or may write to it.
    """
    # No -ffast-math: the order of additions is the source's, so that a resumed training repeats an uninterrupted one.
    every = ("-O3", "-march=native", *options)
    try:
        return ctypes.CDLL(str(compiled(source, cache_root(), every, purpose, depends=_processor())))
    except UntrustedError:
        raise
    except (PpedgeError, OSError) as error:
        say(f"{without}: {error}")
        return None


def _processor() -> str:
    """Return a hash of what the processor can do: a cache folder may be shared by several machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = [platform.processor()]
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()


def say(sentence: str) -> None:
    """Tell a person what became of something in the cache."""
    from ppedge.progress import Reporter  # only where there is something to say: its library takes a while to import

    Reporter().say(sentence)


def built_once(
    kind: str,
    name: str,
    build: Callable[[Path, Progress], None],
    failed: str,
    progress: Progress | None = None,
    *,
    anew: bool = False,
) -> Path:
    """Return a folder of the cache, building it unless it is there; safe when several processes start together.

    Args:
        kind: What the folder's name begins with; folders of one kind are built one at a time.
        name: The folder's name, which should depend on everything it is made from.
        build: Fills a temporary sibling, which is sealed (see `ppedge.trust`) and renamed when it is whole.
        failed: Begins the error's sentence, before the cache's folder: ``... could not be built in``.
        progress: Told what is being done, one sentence a step.
        anew: Build it even if it is there.

    Raises:
        UntrustedError: Another user may have written the folder, or may write to it.
        MissingError: There is no room, or the cache folder cannot be written.
    """
    tell = progress or (lambda _: None)
    root = cache_root()
    folder = root / name
    require_own(folder, cache_base())
    if folder.is_dir() and not anew:
        return folder
    try:
        make_own(root)
        with locked(root / f"{kind}.lock", tell):
            if anew or not folder.is_dir():
                _build(kind, folder, build, tell)
    except OSError as error:
        raise MissingError(f"{failed} {root}: {error.strerror or error}.", _HINT) from error
    return folder


def _build(kind: str, folder: Path, build: Callable[[Path, Progress], None], tell: Progress) -> None:
    prefix = f".{kind}-partial-"
    sweep(folder.parent, f"{prefix}*")
    with temporary(folder.parent, prefix) as work:
        work.chmod(0o755)
        build(work, tell)
        seal(work)
        swap_in(work, folder, folder.with_name(f".{folder.name}.old"))


@contextmanager
def locked(path: Path, tell: Progress) -> Iterator[None]:
    """Hold a lock file for the time of the block; the kernel lets go of it when a process dies."""
    make_own(path.parent)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"Another process is at work in {path.parent}: waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_wheels(lock: Path, folder: Path, python: str, platforms: Sequence[str], what: str) -> None:
    """Install the wheels of a lock file, checked against its hashes, for another Python than this one.

    Args:
        lock: Requirements with hashes.
        folder: Where they go.
        python: The version they are for: ``3.11``.
        platforms: Platform tags that fit, best first.
        what: They are for, for the error: ``The ARM emulator``.

    Raises:
        MissingError: pip is not installed, or the wheels cannot be had.
    """
    tags = [argument for tag in platforms for argument in ("--platform", tag)]
    command: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--target", folder]
    command += [*tags, "--python-version", python, "--only-binary=:all:", "--no-deps", "--no-compile"]
    try:
        run_child([*command, "--require-hashes", "-r", lock], f"installing the wheels of {lock.name}", timeout=1200)
    except PpedgeError as error:
        hint = "Check the network and pip's settings, then try again."
        if "No module named pip" in error.message:
            hint = f"Install pip beside ppedge: `{sys.executable} -m ensurepip`."
        raise MissingError(f"{what}'s wheels could not be had: {error.message}", hint) from error
