"""Damage to bytes and to text: what copying, cutting and lying headers leave."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

_NUMBERS = [
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    65535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 62,
    -2,
]
"""What a field of length, offset or size may lie."""
NAMES = ["[/bold]", "[red]", "\x1b[2J", "\x9b31m", "\u202e", "a\nb", "\t", "", "../x", "/x", "é" * 300, "\0", "%s{0}"]
"""Names that a terminal, a markup or a file system may take for more than names."""


@st.composite
def damaged(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """Draw one of some contents with one to four kinds of damage done to it."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        change = draw(st.sampled_from(_CHANGES))
        data = change(draw, data, originals)
    return data


def _place(draw: st.DrawFn, data: bytes) -> int:
    """Draw a place, near the begin as often as anywhere: headers lie there."""
    return draw(st.integers(0, min(len(data), 64)) | st.integers(0, len(data)))


def _flip(draw: st.DrawFn, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    return data[:at] + bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in data[at : at + 1]) + data[at + 1 :]


def _cut(draw: st.DrawFn, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def _drop(draw: st.DrawFn, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    return data[:at] + data[at + draw(st.integers(1, 64)) :]


def _repeat(draw: st.DrawFn, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    piece = data[at : at + draw(st.integers(1, 64))]
    return data[:at] + piece * draw(st.integers(2, 20)) + data[at:]


def _lie(draw: st.DrawFn, data: bytes, _: Sequence[bytes]) -> bytes:
    form = draw(st.sampled_from(["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"]))
    size = struct.calcsize(form)
    at = _place(draw, data) // (2 if draw(st.booleans()) else 1)
    number = draw(st.sampled_from(_NUMBERS) | st.integers(0, 1 << 16)) % (1 << 8 * size)
    return data[:at] + struct.pack(form, number) + data[at + size :]


def _insert(draw: st.DrawFn, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    return data[:at] + draw(st.binary(min_size=1, max_size=16)) + data[at:]


def _splice(draw: st.DrawFn, data: bytes, originals: Sequence[bytes]) -> bytes:
    other = draw(st.sampled_from(originals))
    return data[: _place(draw, data)] + other[_place(draw, other) :]


_CHANGES: list[Callable[[st.DrawFn, bytes, Sequence[bytes]], bytes]] = [
    _flip, _cut, _drop, _repeat, _lie, _lie, _insert, _splice,
]  # fmt: skip


@st.composite
def renamed(draw: st.DrawFn, originals: Sequence[bytes], names: Sequence[bytes]) -> bytes:
    """Draw one of some contents with names in it overwritten by others of the same length.

    Args:
        draw: Of hypothesis.
        originals: The contents.
        names: What is overwritten, each wherever it occurs.
    """
    data = draw(st.sampled_from(originals))
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        odd = draw(st.sampled_from(NAMES)).encode()
        data = data.replace(name, odd[: len(name)].ljust(len(name), b"x"))
    return data
