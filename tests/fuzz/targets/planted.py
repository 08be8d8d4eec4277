"""Targets with a fault each: what tests the runner. They are no part of the campaign."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from hypothesis import strategies as st

from fuzz.contract import Target, WrongResultError
from ppedge.errors import MissingError, PpedgeError


def _hang(_: Path) -> None:
    while True:
        time.sleep(1)


def _abort(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _leave(_: Path) -> None:
    os._exit(0)


def _bug(folder: Path) -> None:
    raise ValueError(f"not looked for: {folder.name}")


def _eat(_: Path) -> None:
    bytearray(8 << 30)


def _swallow(_: Path) -> None:
    """Ask for more memory than there may be, and call that bad input."""
    try:
        bytearray(8 << 30)
    except MemoryError as error:
        raise PpedgeError("x.txt: damaged.") from error


def _refuse(_: Path) -> None:
    raise PpedgeError("x.txt: damaged.", "Copy it again.")


def _miss(_: Path) -> None:
    raise MissingError("x.txt: needs a library.")


class _RawError(PpedgeError):
    """One that is told as it is, whatever is done to the messages of others."""

    def __str__(self) -> str:
        return "x.txt: \x1b[31mdamaged."


def _escape(_: Path) -> None:
    raise _RawError("")


def _print_escape(_: Path) -> None:
    print("\x9b31m")


def _print_no_text(_: Path) -> None:
    print("\udc80")


def _ramble(_: Path) -> None:
    raise PpedgeError("x.txt: " + "damaged " * 1000)


def _name_nothing(_: Path) -> None:
    raise PpedgeError("Damaged.")


def _say_nothing(_: Path) -> None:
    raise SystemExit(2)


def _wrong(_: Path) -> None:
    raise WrongResultError("two and two are five")


def _accept(folder: Path) -> None:
    assert (folder / "x.txt").read_bytes()
    assert Path.cwd() == folder


def _sometimes(folder: Path) -> None:
    """Die, hang or answer, depending on the input."""
    [_abort, _hang, _bug, _accept][(folder / "x.txt").read_bytes()[-1] % 4](folder)


def _whole() -> dict[str, bytes]:
    return {"x.txt": b"xyz"}


def _inputs() -> st.SearchStrategy[dict[str, bytes]]:
    return st.fixed_dictionaries({"x.txt": st.binary(min_size=3, max_size=9)})


_CALLS = {
    "hang": _hang, "abort": _abort, "leave": _leave, "bug": _bug, "eat": _eat, "swallow": _swallow, "refuse": _refuse,
    "miss": _miss, "escape": _escape, "print_escape": _print_escape, "print_no_text": _print_no_text,
    "ramble": _ramble, "name_nothing": _name_nothing, "say_nothing": _say_nothing, "wrong": _wrong, "accept": _accept,
    "sometimes": _sometimes,
}  # fmt: skip
TARGETS = [Target(name, _whole, _inputs, call) for name, call in _CALLS.items()]
