"""A font that has a character which none that ships has."""

import struct
from importlib import resources

from ppedge.ocr.fonts import PLATE_FONT


def moved(path, old, new):
    """Write the font for plates with one character at another code point, between the same two, and return its path."""
    data = bytearray((resources.files("ppedge") / "data" / "fonts" / PLATE_FONT).read_bytes())
    entries = range(12, 12 + 16 * data[5], 16)
    tables = {bytes(data[at : at + 4]): struct.unpack_from(">II", data, at + 8) for at in entries}
    begin, length = tables[b"cmap"]
    table = bytes(data[begin : begin + length])
    ends = table.index(struct.pack(">H", ord(old)))
    starts = table.index(struct.pack(">H", ord(old)), ends + 2)
    deltas = starts + (starts - ends - 2)
    for at in (ends, starts):
        struct.pack_into(">H", data, begin + at, ord(new))
    delta = struct.unpack_from(">H", data, begin + deltas)[0] + ord(old) - ord(new)
    struct.pack_into(">H", data, begin + deltas, delta % 65536)
    path.write_bytes(data)
    return path
