"""Reading what a Java class file declares, with the standard library alone.

After the Java Virtual Machine Specification (Java SE 8), chapter 4: the constant pool, the names, the members with
their descriptors, and the members of other classes that it refers to. Code and attributes are passed over.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ppedge.errors import PpedgeError

PUBLIC, STATIC, NATIVE = 0x0001, 0x0008, 0x0100
_MAGIC = 0xCAFEBABE
_UTF8, _LONG, _DOUBLE, _CLASS, _NAME_AND_TYPE = 1, 5, 6, 7, 12
_REFERENCES = (9, 10, 11)  # to a field, a method, an interface's method
_SIZES = {3: 4, 4: 4, _LONG: 8, _DOUBLE: 8, _CLASS: 2, 8: 2, 9: 4, 10: 4, 11: 4, _NAME_AND_TYPE: 4, 15: 3, 16: 2, 17: 4}
_SIZES |= {18: 4, 19: 2, 20: 2}


@dataclass(frozen=True)
class Member:
    """A field or a method.

    Attributes:
        name: As the source has it.
        descriptor: Its types, ``([F)Z`` of a method that takes floats and says whether it could.
        flags: `PUBLIC`, `STATIC`, `NATIVE` and others, added.
    """

    name: str
    descriptor: str
    flags: int


@dataclass(frozen=True)
class ClassFile:
    """A class.

    Attributes:
        name: With its package, ``com/baidu/paddle/lite/Tensor``.
        parent: The class it extends; empty for ``java/lang/Object``.
        fields: Those it declares.
        methods: Those it declares, constructors (``<init>``) among them.
        references: Class, name and descriptor of the members, its own or others', that its code uses.
    """

    name: str
    parent: str
    fields: tuple[Member, ...]
    methods: tuple[Member, ...]
    references: frozenset[tuple[str, str, str]]


class _Reader:
    """A class file from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, size: int) -> int:
        """Return the next whole number; they are big-endian."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        if self.at + size > len(self.data):
            raise ValueError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]


def read_class(data: bytes, where: str) -> ClassFile:
    """Read a class file.

    Args:
        data: The file.
        where: Its name, for errors.

    Raises:
        PpedgeError: It is no class file, or a damaged one.
    """
    reader = _Reader(data)
    try:
        if reader.number(4) != _MAGIC:
            raise ValueError("it does not begin as one")
        reader.take(4)  # its version
        pool = _constants(reader)
        reader.take(2)  # its own flags
        name, parent = _class_name(pool, reader.number(2)), _class_name(pool, reader.number(2))
        reader.take(2 * reader.number(2))  # interfaces
        fields, methods = _members(reader, pool), _members(reader, pool)
        references = frozenset(_references(pool))
    except ValueError as error:
        raise PpedgeError(f"{where}: damaged, or no class file: {error}.", "Unpack the release again.") from error
    return ClassFile(name, parent, fields, methods, references)


def _constants(reader: _Reader) -> dict[int, tuple[int, bytes]]:
    """Return the constant pool: kind and content by number."""
    pool: dict[int, tuple[int, bytes]] = {}
    count, number = reader.number(2), 1
    while number < count:
        kind = reader.number(1)
        if kind not in _SIZES and kind != _UTF8:
            raise ValueError(f"constant {number} is of the unknown kind {kind}")
        pool[number] = (kind, reader.take(reader.number(2) if kind == _UTF8 else _SIZES[kind]))
        number += 2 if kind in (_LONG, _DOUBLE) else 1  # these take two places
    return pool


def _content(pool: dict[int, tuple[int, bytes]], number: int, kinds: tuple[int, ...]) -> bytes:
    kind, content = pool.get(number, (0, b""))
    if kind not in kinds:
        raise ValueError(f"constant {number} is of kind {kind}")
    return content


def _text(pool: dict[int, tuple[int, bytes]], number: int) -> str:
    return _content(pool, number, (_UTF8,)).decode("utf-8", "surrogatepass")


def _class_name(pool: dict[int, tuple[int, bytes]], number: int) -> str:
    """Return the name of a class by the number of its constant; 0 is the parent of the class that has none."""
    return _text(pool, int.from_bytes(_content(pool, number, (_CLASS,)), "big")) if number else ""


def _members(reader: _Reader, pool: dict[int, tuple[int, bytes]]) -> tuple[Member, ...]:
    found = []
    for _ in range(reader.number(2)):
        flags, name, descriptor = reader.number(2), reader.number(2), reader.number(2)
        for _ in range(reader.number(2)):
            reader.take(2)  # an attribute's name
            reader.take(reader.number(4))
        found.append(Member(_text(pool, name), _text(pool, descriptor), flags))
    return tuple(found)


def _references(pool: dict[int, tuple[int, bytes]]) -> list[tuple[str, str, str]]:
    found = []
    for kind, content in pool.values():
        if kind in _REFERENCES:
            owner, member = struct.unpack(">HH", content)
            name, descriptor = struct.unpack(">HH", _content(pool, member, (_NAME_AND_TYPE,)))
            found.append((_class_name(pool, owner), _text(pool, name), _text(pool, descriptor)))
    return found
