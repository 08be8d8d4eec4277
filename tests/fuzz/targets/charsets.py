"""Character sets: files of one character a line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from fuzz.contract import Files, Target, WrongResultError
from fuzz.mutations import NAMES, damaged
from ppedge.ocr.charset import Charset

_FILE = "charset.txt"


_WHOLE = "0\n1\nA\n车\n \n".encode()


def _inputs() -> st.SearchStrategy[Files]:
    entries = st.characters() | st.sampled_from([*NAMES, " ", "  ", "\u2028", "\ufeff", "e\u0301", "\x85", "\x0b"])
    lines = st.lists(entries, max_size=12, unique=True)
    ends = st.sampled_from(["\n", "\n", "\r\n", "\r"])
    written = st.builds(lambda lines, end: (end.join(lines) + end).encode(errors="surrogatepass"), lines, ends)
    return (written | damaged([_WHOLE, "皖\n沪\n".encode("utf-16")])).map(lambda data: {_FILE: data})


def _read(folder: Path) -> None:
    """Read a file; what is accepted must encode and decode each of its characters."""
    charset = Charset.from_name_or_file(folder / _FILE)
    for character in charset.characters:
        if charset.decode(charset.encode(character)) != character:
            raise WrongResultError(f"{character!r} is read as another character")


TARGETS = [Target("file", lambda: {_FILE: _WHOLE}, _inputs, _read)]
