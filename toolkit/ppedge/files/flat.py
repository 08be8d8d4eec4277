"""A reader of FlatBuffers tables that trusts nothing.

Every offset is checked, and the work is bounded by the size of the buffer. Standard library only.
The encoding is described in the FlatBuffers documentation, "FlatBuffers internals".
"""

from __future__ import annotations

import struct
from typing import Any

_SIZES = {"?": 1, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8}


class DamagedError(ValueError):
    """The bytes are not what they should be; the message says where."""


class Buffer:
    """Bytes that hold one FlatBuffers root table.

    Offsets may point many times at the same bytes, so that a small hostile file unfolds without end. Each read is
    therefore paid from a budget of a few times the buffer's size, more than any real file needs.

    Args:
        data: The bytes.
        what: The name of this part of the file, for errors.
    """

    def __init__(self, data: memoryview, what: str) -> None:
        self.data = data
        self.what = what
        self.budget = 4 * len(data) + 1024

    def unpack(self, form: str, at: int, count: int = 1) -> tuple[Any, ...]:
        """Read ``count`` little-endian values of the `struct` format letter ``form``."""
        self._pay(at, _SIZES[form] * count)
        return struct.unpack_from(f"<{count}{form}", self.data, at)

    def number(self, form: str, at: int) -> Any:
        """Read one value."""
        return self.unpack(form, at)[0]

    def _pay(self, at: int, size: int) -> None:
        if at < 0 or at + size > len(self.data):
            raise DamagedError(f"an offset in the {self.what} points outside it (to byte {at})")
        self.budget -= size
        if self.budget < 0:
            raise DamagedError(f"the {self.what} refers to itself over and over")

    def text(self, at: int) -> str:
        """Read the string (a length and UTF-8 bytes) at ``at``."""
        length = self.number("I", at)
        self._pay(at + 4, length)
        try:
            return str(self.data[at + 4 : at + 4 + length], "utf-8")
        except UnicodeDecodeError as error:
            raise DamagedError(f"a name in the {self.what} is not UTF-8") from error

    def root(self) -> Table:
        """The root table."""
        return Table(self, self.number("I", 0))


class Table:
    """One table: its fields are read by number; a field that is left out has its default.

    Args:
        buffer: Where it lies.
        at: Its position.
    """

    def __init__(self, buffer: Buffer, at: int) -> None:
        self.buffer = buffer
        self.at = at
        self.vtable = at - buffer.number("i", at)
        self.vtable_size = buffer.number("H", self.vtable)

    def _field(self, index: int) -> int | None:
        slot = 4 + 2 * index
        if slot + 2 > self.vtable_size:
            return None
        offset = self.buffer.number("H", self.vtable + slot)
        return self.at + offset if offset else None

    def _target(self, index: int) -> int | None:
        field = self._field(index)
        return None if field is None else field + self.buffer.number("I", field)

    def number(self, index: int, form: str, default: Any = 0) -> Any:
        """A scalar field."""
        field = self._field(index)
        return default if field is None else self.buffer.number(form, field)

    def text(self, index: int) -> str:
        """A string field; empty if left out."""
        target = self._target(index)
        return "" if target is None else self.buffer.text(target)

    def table(self, index: int) -> Table:
        """A table field that must be there."""
        target = self._target(index)
        if target is None:
            raise DamagedError(f"a part of the {self.buffer.what} is missing")
        return Table(self.buffer, target)

    def vector(self, index: int) -> tuple[int, int]:
        """Length and position of a vector field's elements; (0, 0) if left out."""
        target = self._target(index)
        return (0, 0) if target is None else (self.buffer.number("I", target), target + 4)

    def numbers(self, index: int, form: str) -> list[Any]:
        """A vector of scalars."""
        count, at = self.vector(index)
        return list(self.buffer.unpack(form, at, count))

    def blob(self, index: int) -> int:
        """The length in bytes of a vector of bytes, without reading them."""
        count, at = self.vector(index)
        if at + count > len(self.buffer.data):
            raise DamagedError(f"the data of the {self.buffer.what} ends too early")
        return count

    def _targets(self, index: int) -> list[int]:
        count, at = self.vector(index)
        offsets = self.buffer.unpack("I", at, count)
        return [at + 4 * k + offset for k, offset in enumerate(offsets)]

    def tables(self, index: int) -> list[Table]:
        """A vector of tables."""
        return [Table(self.buffer, at) for at in self._targets(index)]

    def texts(self, index: int) -> list[str]:
        """A vector of strings."""
        return [self.buffer.text(at) for at in self._targets(index)]
