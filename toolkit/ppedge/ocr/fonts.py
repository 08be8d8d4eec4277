"""Fonts for pictures of results: those that ship, one that is named, and those of this computer.

The fonts that ship have printable ASCII and what stands on Chinese licence plates. For other characters the well-known
folders of fonts are looked through, by Pillow alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from importlib import resources
from itertools import islice
from pathlib import Path

from PIL import ImageFont

from ppedge.errors import PpedgeError, cut

LATIN_FONT = "NotoSans-Regular.ttf"
PLATE_FONT = "NotoSansCJKsc-Bold.otf"
"""For printable ASCII; for Chinese plates, whose letters and digits it has too."""
SHIPPED = (LATIN_FONT, PLATE_FONT)
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/System/Library/Fonts",
           "/Library/Fonts", "~/Library/Fonts")  # fmt: skip
"""Where a computer has its fonts."""
_SUFFIXES = (".ttf", ".ttc", ".otf")
_MOST = 2000
"""Files that are looked at: a few milliseconds each."""
_SIZE = 20
_NOBODYS = "\U0010ffff"
"""A code point that is no character, for which a font draws what it draws for all that it lacks."""
_SHOWN = 12


@lru_cache(maxsize=128)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a font at a size in pixels.

    Args:
        name: Of one that ships, or a path.
        size: In pixels.

    Raises:
        OSError: It cannot be read as a font.
    """
    if name not in SHIPPED:
        return ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
    with resources.as_file(resources.files("ppedge") / "data" / "fonts" / name) as path:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def has_glyph(name: str, character: str) -> bool:
    """Whether a font has a character: what it lacks, it leaves blank, or draws as it draws what nobody has."""
    if character.isspace():
        return True
    mask = font(name, _SIZE).getmask(character)
    return mask.getbbox() is not None and bytes(mask) != _lacking(name)


@lru_cache(maxsize=128)
def _lacking(name: str) -> bytes:
    return bytes(font(name, _SIZE).getmask(_NOBODYS))


class Fonts:
    """Fonts for texts whose characters show themselves one picture after the other.

    Args:
        named: A font that is asked for; it goes before those of this computer.

    Raises:
        PpedgeError: It cannot be read as a font.

    Attributes:
        names: To draw with, behind those that ship.
        lacking: How often each character was wanted that no font has.
    """

    def __init__(self, named: Path | None = None) -> None:
        self.names: tuple[str, ...] = ()
        self.lacking: Counter[str] = Counter()
        self._sought: set[str] = set()
        if named is not None:
            try:
                font(str(named), _SIZE)
            except (OSError, ValueError) as error:
                raise PpedgeError(
                    f"{named}: cannot be read as a font ({error}).", "Name a .ttf, .ttc or .otf file."
                ) from error
            self.names = (str(named),)

    def take(self, texts: Iterable[str]) -> None:
        """Look for fonts that have what of some texts is new, and count what none has."""
        wanted = Counter("".join(texts))
        missing = {character for character in wanted if not self.has(character)}
        while new := missing - self._sought:
            found = self._best(new)
            if found is None:
                self._sought |= new
            else:
                self.names += (found,)
                missing = {character for character in missing if not self.has(character)}
        self.lacking.update({character: wanted[character] for character in missing})

    def has(self, character: str) -> bool:
        """Whether one of the fonts has a character."""
        return any(has_glyph(name, character) for name in (*SHIPPED, *self.names))

    @cached_property
    def _installed(self) -> list[Path]:
        return list(islice(_installed(), _MOST))

    def _best(self, characters: set[str]) -> str | None:
        """Return the font of this computer that has most of some characters, the first of them by its path."""
        best, most = None, 0
        for path in self._installed:
            try:
                count = sum(has_glyph(str(path), character) for character in characters)
            except (OSError, ValueError):  # no font of outlines, whatever its name says
                continue
            if count > most:
                best, most = str(path), count
        return best

    def told(self) -> str | None:
        """Return a sentence on what is drawn as empty boxes; None where nothing is."""
        if not self.lacking:
            return None
        listed = cut("".join(sorted(self.lacking)), _SHOWN)
        return (
            f"note: {sum(self.lacking.values())} characters ({len(self.lacking)} different: {listed}) are drawn as "
            "empty boxes, as no font here has them: name one that has by --font FILE"
        )


def _installed() -> Iterator[Path]:
    """Yield the font files of this computer, by their paths."""
    for folder in FOLDERS:
        try:
            below = sorted(Path(folder).expanduser().rglob("*"))
        except (OSError, RuntimeError):  # without a home
            continue
        for path in below:
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                yield path
