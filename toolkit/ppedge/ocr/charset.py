"""Character sets: which classes a recogniser tells apart, and in which order."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path

from ppedge.errors import PpedgeError

BLANK = 0
"""CTC's blank is class 0 and is never written down: a character set lists the classes from 1 on."""

PROVINCES = "皖沪津渝冀晋蒙辽吉黑苏浙京闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新"
"""First characters of mainland Chinese licence plates."""


_MAX_BYTES = 4 << 20  # all of Unicode, one character a line, is as much


def _code_points(first: str, last: str) -> str:
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


BUILT_IN: dict[str, str] = {
    # The order of PaddleOCR's English and digit recogniser, whose weights have one class for each of two spaces.
    "en_number": _code_points("0", "9") + _code_points(":", "~") + _code_points("!", "/") + "  ",
    "plates": PROVINCES + string.ascii_uppercase + string.digits,
    "ascii": _code_points("!", "~") + " ",
}
"""ppedge's own character sets, by name; those of PaddleOCR's recognisers are `dictionaries`."""

_DICTIONARIES = resources.files("ppedge.ocr") / "dictionaries"
_ENDINGS = (".txt", "_dict.txt")
_DICTIONARY_NAME = re.compile(r"\w{1,40}", re.ASCII)
_EXISTING = (
    "The dictionary of a network that exists stays as it is: bring the network in by --from-inference or train.weights."
)


class Charset:
    """The classes of a recogniser: CTC's blank (class 0, implied), then ``characters`` from class 1 on.

    Args:
        characters: One entry per class, or one string of one character per class. An entry is what its class reads as:
            mostly one character; in dictionaries of others it may be several, or none. An entry may occur twice
            (``en_number`` has two spaces): both classes decode to it, and `encode` uses the last, which is the one that
            PaddleOCR's labels name and its networks have learned.

    Raises:
        PpedgeError: There are no characters, or an entry holds a line break.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters: tuple[str, ...] = tuple(characters)
        if not self.characters:
            raise PpedgeError("A character set has no characters.", "List at least one.")
        self._classes: dict[str, int] = {}
        for number, character in enumerate(self.characters, 1):
            if "\n" in character:
                raise PpedgeError(f"Character set: class {number} is {character!r}, which holds a line break.")
            self._classes[character] = number
        longer = {len(character) for character in self.characters} - {0, 1}
        self._lengths = (1, *sorted(longer, reverse=True))

    @classmethod
    def from_name_or_file(cls, source: str | Path, *, as_is: bool = False) -> Charset:
        """Return the built-in character set of that name, or read a UTF-8 file with one character a line.

        Args:
            source: A key of `BUILT_IN`, one of the `dictionaries`, or a path. A space is written as a line that holds
                one space.
            as_is: The file is the dictionary of a network that exists: each line is a class, whatever it holds. One of
                the `dictionaries` always is.

        Raises:
            PpedgeError: Neither a name nor a readable file; or, without ``as_is``, a line is empty, holds several
                characters or repeats an earlier one.
        """
        if str(source) in BUILT_IN:
            return cls(BUILT_IN[str(source)])
        dictionary = _dictionary(str(source))
        if dictionary is not None:
            return cls(_lines(dictionary))
        lines = _read_lines(Path(source))
        if not as_is:
            _require_new(Path(source), lines)
        return cls(lines)

    @property
    def size(self) -> int:
        """Number of classes, the blank included."""
        return len(self.characters) + 1

    def canonical(self, *, ignore_case: bool = False) -> list[int]:
        """Return for each class, the blank included, the first class that reads the same.

        Args:
            ignore_case: The two cases of a letter of the Latin alphabet read the same.
        """
        first: dict[str, int] = {}
        keys = (c.upper() if ignore_case and c.isascii() else c for c in self.characters)
        return [BLANK, *(first.setdefault(key, number) for number, key in enumerate(keys, 1))]

    def encode(self, text: str) -> list[int]:
        """Return the classes of a text, without blanks.

        Raises:
            PpedgeError: The text has characters that are not in the set.
        """
        try:
            return [self._classes[entry] for entry in self._entries(text)]
        except KeyError as error:
            raise PpedgeError(
                f"Text {text!r}: not in the character set: {self.missing(text)!r}.",
                "Choose another character set, or add them to it.",
            ) from error

    def covers(self, text: str) -> bool:
        """Whether no character of a text is `missing`."""
        return self._classes.keys() >= set(text) or not self.missing(text)

    def missing(self, text: str) -> str:
        """Return the characters of a text that are not in the set, each once, in order of appearance."""
        return "".join(dict.fromkeys(self.unknown(text)))

    def unknown(self, text: str) -> Iterator[str]:
        """Yield the characters of a text that are not in the set, each as often as it occurs."""
        return (entry for entry in self._entries(text) if entry not in self._classes)

    def _entries(self, text: str) -> Iterator[str]:
        """Split a text into entries; a character that begins none comes alone.

        A character that has a class of its own is read by that one, as networks whose dictionaries have longer entries
        too have learned it; else the longest entry is taken.
        """
        if self._lengths == (1,):
            yield from text
            return
        begin = 0
        while begin < len(text):
            parts = (text[begin : begin + length] for length in self._lengths)
            entry = next((part for part in parts if part in self._classes), text[begin])
            yield entry
            begin += len(entry)

    def decode(self, indices: Sequence[int]) -> str:
        """Return the text of classes from which blanks and repeats have been removed.

        Args:
            indices: Classes, each in ``1 .. size - 1``.

        Raises:
            PpedgeError: A class is out of range, or is the blank.
        """
        for index in indices:
            if not BLANK < index < self.size:
                raise PpedgeError(f"Class {index} is outside 1 .. {self.size - 1} of the character set.")
        return "".join(self.characters[index - 1] for index in indices)


def dictionaries() -> list[str]:
    """Return the names of the dictionaries of PaddleOCR's recognisers, as PaddleOCR names its files.

    The ending ``_dict`` may be left out of a name. As PaddleOCR has it, most do not list the space, which
    ``data.use_space_char`` adds; where one does, there are two classes of it then.
    """
    return sorted(entry.name.removesuffix(".txt") for entry in _DICTIONARIES.iterdir() if entry.name.endswith(".txt"))


def ships(name: str) -> bool:
    """Whether a name is that of a character set which ships with ppedge, and no file's."""
    return name in BUILT_IN or _dictionary(name) is not None


def _dictionary(name: str) -> str | None:
    """Return the text of the built-in dictionary of that name; None if there is none."""
    if not _DICTIONARY_NAME.fullmatch(name):
        return None
    files = (_DICTIONARIES / f"{name}{ending}" for ending in _ENDINGS)
    return next((file.read_text(encoding="utf-8") for file in files if file.is_file()), None)


def _lines(text: str) -> list[str]:
    # Not splitlines(): it also splits at characters that a set may list, such as U+2028.
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.strip("\r") for line in lines]


def _read_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)  # a device need not end
        if len(data) > _MAX_BYTES:
            raise PpedgeError(f"{path}: longer than a character set, {_MAX_BYTES} bytes.", "Name a character set.")
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PpedgeError(
            f"{path}: neither a readable UTF-8 file nor a built-in character set.",
            f"Built in are {', '.join(BUILT_IN)}, and PaddleOCR's dictionaries, such as ppocr_keys_v1 and en_dict.",
        ) from error
    lines = _lines(text)
    if not lines:
        raise PpedgeError(f"{path}: holds no characters.", "Write one character a line.")
    return lines


def _require_new(path: Path, lines: Sequence[str]) -> None:
    """Check that a network which is yet to be trained can tell the lines of a file apart."""
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if len(line) != 1:
            problem = "an empty line" if not line else f"{line!r} is more than one character"
            raise PpedgeError(f"{path}, line {number}: {problem}.", f"Write one character a line. {_EXISTING}")
        if line in first_line:
            raise PpedgeError(
                f"{path}, line {number}: {line!r} is on line {first_line[line]} already.",
                f"For a new network remove one of them. {_EXISTING}",
            )
        first_line[line] = number
