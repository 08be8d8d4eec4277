"""Reading an ELF file's header and segments, with the standard library alone.

After the System V ABI's chapters "Object Files" and "Dynamic Linking": the identification, the file header, the program
headers, the dynamic section. Only what tells whether a phone can load a library is kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from ppedge.errors import PpedgeError

MACHINES = {3: "x86", 40: "arm", 62: "x86-64", 183: "arm64"}
_MAGIC = b"\x7fELF"
_LITTLE = 1
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS = 0, 1, 5  # entries of the dynamic section
_SHARED = 3
# After the 16 bytes of identification: type, machine, version, entry, offset of the program headers, ..., their size
# and number. Class 1 is 32 bits, class 2 is 64.
_HEADER = {1: struct.Struct("<HHIIIIIHHH"), 2: struct.Struct("<HHIQQQIHHH")}
# Of a program header: type, offset in the file, address, size in the file, alignment.
_SEGMENT = {1: struct.Struct("<III4xI8xI"), 2: struct.Struct("<I4xQQ8xQ8xQ")}
_ENTRY = {1: struct.Struct("<II"), 2: struct.Struct("<QQ")}


@dataclass(frozen=True)
class Elf:
    """What an ELF file says of itself.

    Attributes:
        bits: 32 or 64.
        machine: ``arm64``, ``arm``, ``x86-64``, ``x86``, or ``machine N``.
        shared: Whether it is a shared library.
        alignments: In bytes, of the segments that are loaded.
        needed: Names of the libraries that have to be loaded with it.
    """

    bits: int
    machine: str
    shared: bool
    alignments: tuple[int, ...]
    needed: tuple[str, ...]


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
        needed = _needed(data, segments, _ENTRY[data[4]])
    except (struct.error, ValueError) as error:
        raise PpedgeError(f"{path}: damaged: {error}.", "Unpack the release again.") from error
    return Elf(
        bits=32 * data[4],
        machine=MACHINES.get(machine, f"machine {machine}"),
        shared=kind == _SHARED,
        alignments=tuple(segment[4] for segment in segments if segment[0] == _LOAD),
        needed=needed,
    )


def _needed(data: bytes, segments: list[tuple[int, ...]], entry: struct.Struct) -> tuple[str, ...]:
    """Return the names of the needed libraries, which the dynamic section gives as places in a table of strings."""
    names, strings = [], 0
    for kind, offset, _, size, _ in segments:
        for at in range(offset, offset + size, entry.size) if kind == _DYNAMIC else ():
            tag, value = entry.unpack_from(data, at)
            if tag == _END:
                break
            if tag == _NEEDED:
                names.append(value)
            elif tag == _STRINGS:
                strings = _in_file(value, segments)
    return tuple(data[strings + name : data.index(b"\0", strings + name)].decode("ascii") for name in names)


def _in_file(address: int, segments: list[tuple[int, ...]]) -> int:
    for kind, offset, begin, size, _ in segments:
        if kind == _LOAD and begin <= address < begin + size:
            return offset + address - begin
    raise ValueError("the names of libraries lie beyond the end")
