"""Damage to pickles: instructions taken out, put in and swapped, lengths that lie, depth, and values of odd types."""

from __future__ import annotations

import pickle
import pickletools
import struct
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

_INSTRUCTIONS = [
    b"(", b"0", b"1", b"2", b"N", b"\x88", b"\x89", b"K\x01", b"M\x00\x01", b"J\xff\xff\xff\xff", b"\x8a\x01\x05",
    b"\x8a\xff" + b"\x7f" * 255, b"G" + struct.pack(">d", float("nan")), b"X\x01\x00\x00\x00a", b"\x8c\x01a", b"U\x01a",
    b"C\x01a", b"}", b"]", b")", b"s", b"u", b"a", b"e", b"t", b"\x85", b"\x86", b"\x87", b"q\x00", b"h\x00", b"h\x7f",
    b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\xff", b"\x94", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n",
    b"c_codecs\nencode\n", b"ccollections\nOrderedDict\n", b"cos\nsystem\n", b"\x93", b"R", b"b", b"\x81", b".",
    b"I5\n", b"Vx\n", b"P1\n", b"Q", b"\x82\x01", b"\x80\x05", b"\x95" + b"\xff" * 8, b"B\xff\xff\xff\x7f",
    b"\x8e" + b"\x7f" * 8, b"T\xff\xff\xff\xff", b"\x8d" + b"\xff" * 7 + b"\x00", b"\x96" + b"\x10" + b"\0" * 7,
    b"\x8f", b"\x90", b"\x91",
]  # fmt: skip


def instructions(data: bytes) -> list[bytes]:
    """Return a pickle's instructions, each with its argument."""
    begins = [place for _, _, place in pickletools.genops(data)]
    return [data[begin:end] for begin, end in zip(begins, [*begins[1:], len(data)], strict=True)]


@st.composite
def altered_pickle(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """Draw a pickle with one to four changes of its instructions."""
    parts = instructions(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(parts) - 1, 0)))
        kind = draw(st.sampled_from(["remove", "insert", "insert", "swap", "repeat", "replace"]))
        odd = draw(st.sampled_from(_INSTRUCTIONS))
        if kind == "remove":
            parts[at : at + 1] = []
        elif kind == "insert":
            parts.insert(at, odd)
        elif kind == "swap" and parts:
            other = draw(st.integers(0, len(parts) - 1))
            parts[at], parts[other] = parts[other], parts[at]
        elif kind == "repeat":
            parts[at:at] = parts[at : at + draw(st.integers(1, 3))] * draw(st.sampled_from([1, 2, 1000]))
        else:
            parts[at : at + 1] = [odd]
    return b"".join(parts)


def deep(depth: int, opening: bytes, closing: bytes, around: bytes = b"%s") -> bytes:
    """Return a pickle of ``depth`` containers in each other, put into what ``around`` makes of it."""
    return b"\x80\x04" + around % (opening * depth + b")" + closing * depth) + b"."


def memo_bomb(size: int, count: int) -> bytes:
    """Return a pickle of ``count`` arrays that share ``size`` bytes, which are in it once."""
    once = b"B" + struct.pack("<I", size) + bytes(size) + b"r" + struct.pack("<I", 1000) + b"0"
    no_more = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
    kind = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1K\x00K\x01tR(K\x03X\x01\x00\x00\x00|" + no_more + b"tb"
    array = (
        b"X\x08\x00\x00\x00%08dcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n)C\x01btR(K\x01J"
        + struct.pack("<i", size).replace(b"%", b"%%")
        + b"\x85" + kind + b"\x89j" + struct.pack("<I", 1000) + b"tb"
    )  # fmt: skip
    return b"\x80\x04" + once + b"}(" + b"".join(array % number for number in range(count)) + b"u."


_ARRAYS = [
    np.zeros((2, 3), np.float32), np.zeros(0, np.float32), np.float32(1), np.array(3), np.zeros((0, 1 << 40), np.int8),
    np.asfortranarray(np.ones((2, 3))), np.zeros(2, ">f4"), np.zeros(2, np.complex64), np.array(["a"]),
    np.array([None]), np.zeros(2, "M8[s]"), np.zeros(2, [("a", "f4")]), np.full(3, np.nan, np.float32),
    np.zeros((1,) * 32, np.int8), np.ones(3)[::2], np.ma.zeros(2), np.zeros(2, bool), np.array(b"x"),
    np.zeros((2, 2)).T,
]  # fmt: skip
_PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.binary(max_size=8),
    st.sampled_from(_ARRAYS),
    st.sampled_from([10**500, 1j, set(), frozenset([1]), bytearray(3), range(3), int, OrderedDict(a=1)]),
)  # fmt: skip
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.tuples(st.text(max_size=3), inner) | st.dictionaries(
        st.text(max_size=3) | st.integers() | st.tuples(st.text(max_size=2)), inner, max_size=3), max_leaves=6,
)  # fmt: skip


@st.composite
def odd_state(draw: st.DrawFn, original: Mapping[str, Any]) -> bytes:
    """Draw the pickle of a table with one to three entries that are missing, too many, or of another type."""
    state: dict[Any, Any] = dict(original)
    names = [*original, "x", "", "a/b", "StructuredToParameterName@@"]
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(names))
        if draw(st.booleans()):
            state[name] = draw(_VALUES)
        else:
            state.pop(name, None)
    return pickle.dumps(state, protocol=draw(st.integers(0, 5)))
