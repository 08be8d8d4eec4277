"""Which Python runs Paddle Lite's ``opt``: this one, or a Python 3.10 with a folder in the user's cache.

The last wheel of ``paddlelite`` is for Python 3.10. On a newer Python `prepare` fetches that wheel, checked against the
hashes of ``opt.lock``, and keeps it beside a link to a Python 3.10 of this machine:

    $XDG_CACHE_HOME/ppedge/opt-<key>/
        python    a link to the interpreter
        site/     paddlelite
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ppedge.cache import Progress, built_once, cache_base, cache_root, install_wheels
from ppedge.errors import WITH_PADDLE, MissingError, PpedgeError
from ppedge.process import run_child
from ppedge.trust import damage, require_own

LOCK = Path(__file__).with_name("opt.lock")
PYTHON = (3, 10)
PLATFORMS = ("manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64")
_VERSION = f"{PYTHON[0]}.{PYTHON[1]}"
_MISSING = "Paddle Lite's opt (the package paddlelite) is not installed"


def opt_python() -> tuple[Path, dict[str, str]]:
    """Return the interpreter that can import ``paddlelite``, and the variables that it needs in its environment.

    Raises:
        UntrustedError: Another user may have written what lies in the cache.
        MissingError: There is none, or what lies in the cache is damaged.
    """
    if find_spec("paddlelite") is not None:
        return Path(sys.executable), {}
    if sys.version_info[:2] <= PYTHON:
        raise MissingError(f"{_MISSING}.", WITH_PADDLE)
    folder = _folder()
    require_own(folder, cache_base())
    if not folder.is_dir():
        raise MissingError(
            f"{_MISSING}: it has no wheel for Python {sys.version_info[0]}.{sys.version_info[1]}.",
            f"Run `ppedge doctor --fix`, which lets a Python {_VERSION} run it, or write ONNX only: --format onnx.",
        )
    if (found := _damage(folder)) is not None:
        raise MissingError(f"Paddle Lite's opt in {folder} is damaged: {found}.", "Run `ppedge doctor --fix`.")
    return folder / "python", {"PYTHONPATH": str(folder / "site")}


def prepare(tell: Progress) -> None:
    """Let a Python 3.10 of this machine run opt, where this Python cannot.

    Args:
        tell: Told what is being done, one sentence a step.

    Raises:
        UntrustedError: Another user may have written what lies in the cache.
        MissingError: There is no Python 3.10, or the wheel cannot be had or imported.
    """
    if find_spec("paddlelite") is not None or sys.version_info[:2] <= PYTHON:
        return
    anew = _folder().is_dir() and _damage(_folder()) is not None
    built_once("opt", _folder().name, _build, "Paddle Lite's opt could not be put into", tell, anew=anew)
    _damage.cache_clear()


def _folder() -> Path:
    return cache_root() / f"opt-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


@functools.cache
def _damage(folder: Path) -> str | None:
    if not (folder / "python").exists():
        return f"its Python {_VERSION} is gone"
    return damage(folder)


def _build(work: Path, tell: Progress) -> None:
    (work / "python").symlink_to(_interpreter())
    tell(f"Fetching paddlelite for Python {_VERSION}.")
    install_wheels(LOCK, work / "site", _VERSION, PLATFORMS, "Paddle Lite's opt")
    try:
        run_child(
            [work / "python", "-B", "-c", "from paddlelite.lite import Opt; Opt()"],
            "trying Paddle Lite's opt",
            env={"PYTHONPATH": str(work / "site")},
        )
    except PpedgeError as error:
        raise MissingError(f"Paddle Lite's opt was fetched, but does not work: {error}", error.hint) from error


def _interpreter() -> Path:
    """Return a Python 3.10 of this machine."""
    for candidate in _candidates():
        # Asked, since pyenv's shims are there for versions too that are not.
        told = _said([candidate, "-I", "-c", "import sys; print(*sys.version_info[:2], sys.executable)"])
        version, _, path = told.rpartition(" ")
        if version == f"{PYTHON[0]} {PYTHON[1]}":
            return Path(path)
    raise MissingError(
        f"There is no Python {_VERSION} on this machine, which Paddle Lite's opt needs.",
        f"Install one (`uv python install {_VERSION}`, or your system's package), then run `ppedge doctor --fix`.",
    )


def _candidates() -> Iterator[str]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if found := shutil.which(f"python{_VERSION}", path=folder or "."):
            yield found
    if (uv := shutil.which("uv")) and (found := _said([uv, "python", "find", "--no-project", _VERSION])):
        yield found


def _said(command: list[str]) -> str:
    """Return the last line that a command prints; nothing if it fails."""
    try:
        return (run_child(command, f"running {command[0]}", timeout=60).strip().splitlines() or [""])[-1]
    except PpedgeError:
        return ""
