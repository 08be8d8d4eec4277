"""Reading protobuf messages with the standard library: fields by their numbers, without their descriptions.

The encoding is described in the documentation of Protocol Buffers, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator


class DamagedError(ValueError):
    """The bytes are not what they should be; the error's message says why."""


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a protobuf message; what is no integer, as its bytes.

    Raises:
        DamagedError: It is no such message, or is cut off.
    """
    at, end = 0, len(data)
    while at < end:
        # Nearly all tags and sizes are of one byte, and a program has a hundred thousand of them.
        tag = data[at]
        tag, at = (tag, at + 1) if tag < 128 else _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0 or wire not in (0, 1, 2, 5):
            raise DamagedError("it is not a protobuf message")
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        size, at = _varint(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        if at + size > end:
            raise DamagedError(f"it ends too early, {at + size - end} bytes are missing")
        yield number, data[at : at + size]
        at += size


def messages(data: memoryview, number: int) -> list[memoryview]:
    """Return the values of a repeated field of messages, or of texts."""
    return [value for n, value in fields(data) if n == number and isinstance(value, memoryview)]


def integers(data: memoryview, number: int) -> list[int]:
    """Return the integers of a repeated field, as signed 64-bit."""
    values = [value for n, value in fields(data) if n == number and isinstance(value, int)]
    return [value - (1 << 64) if value >> 63 else value for value in values]


def text(data: memoryview) -> str:
    """Return a text; what in it is not UTF-8 becomes the sign for that."""
    return bytes(data).decode("utf-8", "replace")


def parts_of(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, content and all bytes of each field of a protobuf message; numbers have no content.

    Args:
        message: Of a file that has been found whole: see `ppedge.files.inference_model.InferenceModel.check`.
    """
    data, at = memoryview(message), 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        if tag & 7 == 2:
            size, at = _varint(data, at)
            content, at = data[at : at + size], at + size
        else:
            content = memoryview(b"")
            at = _varint(data, at)[1] if tag & 7 == 0 else at + {1: 8, 5: 4}[tag & 7]
        yield tag >> 3, bytes(content), bytes(data[start:at])


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise DamagedError("a number in it does not end")
