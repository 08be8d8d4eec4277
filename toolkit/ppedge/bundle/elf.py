"""Reading an ELF file's header, segments and symbols, with the standard library alone.

After the System V ABI's chapters "Object Files" and "Dynamic Linking": the identification, the file header, the program
headers, the dynamic section, the symbol table, whose length its hash table tells (also of the GNU kind, which Android's
libraries have). Only what tells whether a phone can load a library, and Java call it, is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ppedge.errors import PpedgeError

MACHINES = {3: "x86", 40: "arm", 62: "x86-64", 183: "arm64"}
_MAGIC = b"\x7fELF"
_LITTLE = 1
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _HASH, _STRINGS, _SYMBOLS, _GNU_HASH = 0, 1, 4, 5, 6, 0x6FFFFEF5  # entries of the dynamic section
_SHARED = 3
_GLOBAL, _WEAK = 1, 2  # what symbols others can see
_JNI, _LONGEST_NAME = b"Java_", 1024
# After the 16 bytes of identification: type, machine, version, entry, offset of the program headers, ..., their size
# and number. Class 1 is 32 bits, class 2 is 64.
_HEADER = {1: struct.Struct("<HHIIIIIHHH"), 2: struct.Struct("<HHIQQQIHHH")}
# Of a program header: type, offset in the file, address, size in the file, alignment.
_SEGMENT = {1: struct.Struct("<III4xI8xI"), 2: struct.Struct("<I4xQQ8xQ8xQ")}
_ENTRY = {1: struct.Struct("<II"), 2: struct.Struct("<QQ")}
# Of a symbol: where its name is, its kind and binding, its section (0: it is another library's).
_SYMBOL = {1: struct.Struct("<I8xBxH"), 2: struct.Struct("<IBxH16x")}
_WORD = struct.Struct("<I")
_GNU_HEADER = struct.Struct("<4I")  # number of buckets, first symbol, words of the filter, its shift


@dataclass(frozen=True)
class Elf:
    """What an ELF file says of itself.

    Attributes:
        bits: 32 or 64.
        machine: ``arm64``, ``arm``, ``x86-64``, ``x86``, or ``machine N``.
        shared: Whether it is a shared library.
        alignments: In bytes, of the segments that are loaded.
        needed: Names of the libraries that have to be loaded with it.
        natives: Names of the functions in it that Java calls.
    """

    bits: int
    machine: str
    shared: bool
    alignments: tuple[int, ...]
    needed: tuple[str, ...]
    natives: frozenset[str]


def read_elf(path: Path) -> Elf:
    """Read the headers of a little-endian ELF file.

    Raises:
        PpedgeError: The file cannot be read, is no such file, or ends too early.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).") from error
    if data[:4] != _MAGIC or len(data) < 16 or data[4] not in _HEADER or data[5] != _LITTLE:
        raise PpedgeError(f"{path}: not a library (ELF, little-endian).", "Name a folder of the official release.")
    header, segment = _HEADER[data[4]], _SEGMENT[data[4]]
    try:
        kind, machine, _, _, start, _, _, _, size, count = header.unpack_from(data, 16)
        if size < segment.size or start + size * count > len(data):
            raise struct.error("the segments lie beyond the end")
        segments = [segment.unpack_from(data, start + size * k) for k in range(count)]
        dynamic = _dynamic(data, segments, _ENTRY[data[4]])
        needed = tuple(_name(data, _strings(dynamic, segments) + at).decode() for at in dynamic.get(_NEEDED, ()))
        natives = frozenset(_natives(data, dynamic, segments, data[4]))
    except (struct.error, ValueError, OverflowError) as error:
        raise PpedgeError(f"{path}: damaged: {error}.", "Unpack the release again.") from error
    return Elf(
        bits=32 * data[4],
        machine=MACHINES.get(machine, f"machine {machine}"),
        shared=kind == _SHARED,
        alignments=tuple(segment[4] for segment in segments if segment[0] == _LOAD),
        needed=needed,
        natives=natives,
    )


def _dynamic(data: bytes, segments: list[tuple[int, ...]], entry: struct.Struct) -> dict[int, list[int]]:
    """Return the dynamic section: values by tag."""
    found: dict[int, list[int]] = {}
    for kind, offset, _, size, _ in segments:
        for at in range(offset, offset + size, entry.size) if kind == _DYNAMIC else ():
            tag, value = entry.unpack_from(data, at)
            if tag == _END:
                break
            found.setdefault(tag, []).append(value)
    return found


def _strings(dynamic: dict[int, list[int]], segments: list[tuple[int, ...]]) -> int:
    return _in_file(dynamic[_STRINGS][-1], segments) if _STRINGS in dynamic else 0


def _name(data: bytes, at: int) -> bytes:
    """Return the string that begins there: names in ELF end with a zero byte."""
    return data[at : data.index(b"\0", at, at + _LONGEST_NAME)]


def _natives(data: bytes, dynamic: dict[int, list[int]], segments: list[tuple[int, ...]], bits: int) -> Iterator[str]:
    """Yield the names of the functions that are defined here, can be seen from outside, and are JNI's."""
    if _SYMBOLS not in dynamic:
        return
    table, strings, symbol = _in_file(dynamic[_SYMBOLS][-1], segments), _strings(dynamic, segments), _SYMBOL[bits]
    for k in range(_symbol_count(data, dynamic, segments, bits)):
        name, info, section = symbol.unpack_from(data, table + k * symbol.size)
        if section and info >> 4 in (_GLOBAL, _WEAK) and data.startswith(_JNI, strings + name):
            yield _name(data, strings + name).decode("utf-8", "replace")


def _symbol_count(data: bytes, dynamic: dict[int, list[int]], segments: list[tuple[int, ...]], bits: int) -> int:
    """Return the length of the symbol table, which only the table that loaders look names up in tells."""
    if _HASH in dynamic:
        chains: int = _WORD.unpack_from(data, _in_file(dynamic[_HASH][-1], segments) + 4)[0]
        return chains
    if _GNU_HASH not in dynamic:
        return 0
    start = _in_file(dynamic[_GNU_HASH][-1], segments)
    buckets, first, words, _ = _GNU_HEADER.unpack_from(data, start)
    at = start + _GNU_HEADER.size + words * 4 * bits
    last: int = max(struct.unpack_from(f"<{buckets}I", data, at), default=0)
    if last < first:
        return first
    chain = at + 4 * buckets
    while not _WORD.unpack_from(data, chain + 4 * (last - first))[0] & 1:  # the last of a chain has this bit
        last += 1
    return last + 1


def _in_file(address: int, segments: list[tuple[int, ...]]) -> int:
    for kind, offset, begin, size, _ in segments:
        if kind == _LOAD and begin <= address < begin + size:
            return offset + address - begin
    raise ValueError("a table lies beyond the end")
