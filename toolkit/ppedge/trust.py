"""What is loaded or executed from the cache: whose it is, and whether it has the bytes that were written."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
from pathlib import Path

from ppedge.errors import MissingError, PpedgeError
from ppedge.storage import read_json, sha256, write_json

SUMS = "sums.json"
"""In a sealed folder: what every file in it is, by its path there."""


class UntrustedError(MissingError):
    """Code that another user may have written."""


def require_own(path: Path, base: Path) -> None:
    """Refuse a file or folder that another user may have written, or may put another in the place of.

    Args:
        path: What is to be loaded, executed or looked into; what is not there is nobody's.
        base: The folder from which on down all on the way to ``path`` is looked at.

    Raises:
        UntrustedError: It, or a folder above it, belongs to another user than this one and root, or others may write
            to it.
    """
    path, base = path.resolve(), base.resolve()
    above = [folder for folder in path.parents if folder.is_relative_to(base)]
    for place in (path, *(above or [path.parent])):
        try:
            found = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        _require_own(place, found)


def _require_own(place: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise _untrusted(place, f"belongs to another user (uid {found.st_uid})")
    by_group = found.st_mode & stat.S_IWGRP and not _of_this_user_alone(found.st_gid)
    # In a sticky folder, such as /tmp, nobody can replace what is another's.
    if (by_group or found.st_mode & stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
        raise _untrusted(place, "may be written to by others")


def _of_this_user_alone(group: int) -> bool:
    """Whether nobody else is in a group: many systems give each user one, and let it write to the user's files."""
    try:
        members = {*grp.getgrgid(group).gr_mem, *(one.pw_name for one in pwd.getpwall() if one.pw_gid == group)}
        return members <= {pwd.getpwuid(os.geteuid()).pw_name, "root"}
    except KeyError:  # a group or user that the system does not know
        return False


def _untrusted(place: Path, why: str) -> UntrustedError:
    return UntrustedError(
        f"{place}: {why}, so no code is taken from it.",
        "Delete it, or set XDG_CACHE_HOME to a folder that only you may write to.",
    )


def make_own(folder: Path) -> None:
    """Make a folder, and those above it, which nobody else may write to, whatever the umask."""
    if not folder.is_dir():
        make_own(folder.parent)
        folder.mkdir(mode=0o755, exist_ok=True)


def seal(folder: Path) -> None:
    """Write down what all files of a folder are; nobody else may write to them from now on."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))
    sums = {path.relative_to(folder).as_posix(): _is(path, path.lstat().st_mode) for path in sorted(folder.rglob("*"))}
    write_json(folder / SUMS, {name: what for name, what in sums.items() if name != SUMS})


def damage(folder: Path) -> str | None:
    """Say what in a sealed folder is not as it was sealed; None if all is.

    Raises:
        UntrustedError: Another user may have written a file of it.
    """
    try:
        sums = dict(read_json(folder / SUMS))
    except (PpedgeError, TypeError, ValueError):
        return f"{SUMS} is damaged"
    # A sandbox has thousands of files, and each command looks at all of them: each file is asked once what it is, each
    # folder once whose it is.
    own: set[Path] = set()
    for name, what in sums.items():
        path = folder / name
        try:
            found = path.lstat()
        except (OSError, ValueError):
            return f"{name} is missing"
        if not stat.S_ISLNK(found.st_mode):
            _require_own(path, found)
            if path.parent not in own:
                _require_own(path.parent, path.parent.stat())
                own.add(path.parent)
        if _is(path, found.st_mode) != what:
            return f"{name} has changed"
    return None


def _is(path: Path, mode: int) -> str:
    """Return what a file is: where a link leads, or whether it can be executed, and its bytes' sha256."""
    if stat.S_ISLNK(mode):
        return f"-> {path.readlink()}"
    if stat.S_ISDIR(mode):
        return "folder"
    return f"{'x' if os.access(path, os.X_OK) else '-'} {sha256(path)}"


def name_sum(path: Path) -> str:
    """Return the first letters of a file's sha256, by which its name says what bytes it has."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
