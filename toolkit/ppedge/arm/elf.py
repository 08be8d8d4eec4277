"""Where a function lies in an arm64 shared library, read from its dynamic symbols (ELF-64, System V ABI, chapter 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from ppedge.errors import PpedgeError

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNAMIC_SYMBOLS = 11  # SHT_DYNSYM


@dataclass(frozen=True)
class Function:
    """A function of a library.

    Attributes:
        address: Relative to where the library is loaded, which is at a page's begin.
        code: Its instructions.
    """

    address: int
    code: bytes


def exported_function(library: Path, symbol: str) -> Function:
    """Find an exported function.

    Args:
        library: A shared library for arm64.
        symbol: The function's name as the linker knows it (mangled).

    Raises:
        PpedgeError: The file cannot be read, is no such library, or does not export that function.
    """
    try:
        data = library.read_bytes()
    except OSError as error:
        raise PpedgeError(f"{library}: cannot be read ({error.strerror}).") from error
    try:
        return _find(data, symbol.encode())
    except (struct.error, ValueError, IndexError) as error:
        raise PpedgeError(f"{library}: not an arm64 library, or damaged.", "Register Paddle Lite again.") from error
    except KeyError as error:
        raise PpedgeError(f"{library}: exports no {symbol}.", "Its operators cannot be told apart.") from error


def _find(data: bytes, symbol: bytes) -> Function:
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not ELF, 64 bits, little endian")
    (start,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [_SECTION.unpack_from(data, start + k * size) for k in range(count)]
    for _, kind, _, _, at, length, link, _, _, entry in sections:
        if kind != _DYNAMIC_SYMBOLS:
            continue
        strings = sections[link][4]
        for place in range(at, at + length, entry):
            name, _, _, section, address, bytes_ = _SYMBOL.unpack_from(data, place)
            begin = strings + name
            if section and data[begin : data.index(b"\0", begin)] == symbol:
                in_file = sections[section][4] + address - sections[section][3]
                return Function(address, data[in_file : in_file + bytes_])
    raise KeyError(symbol)
