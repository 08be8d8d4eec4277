"""The size of a picture from its header, without decoding it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

_ORIENTATION = 0x0112
_UPRIGHT = 1
_SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


@dataclass(frozen=True)
class PictureSize:
    """How large a picture is.

    Attributes:
        width: In pixels, after the turn that its EXIF data asks for.
        height: Likewise.
        orientation: Of the EXIF data, 1 to 8; 1 is upright.
    """

    width: int
    height: int
    orientation: int = _UPRIGHT

    @property
    def stored(self) -> PictureSize:
        """The size of the pixels as they are stored, before the turn."""
        if self.orientation in _SIDEWAYS:
            return PictureSize(self.height, self.width)
        return PictureSize(self.width, self.height)

    def __str__(self) -> str:
        """Say the size, and the turn if there is one."""
        turn = f" after its EXIF turn (orientation {self.orientation})" if self.orientation != _UPRIGHT else ""
        return f"{self.width} x {self.height} pixels{turn}"


def picture_size(path: Path) -> PictureSize:
    """Read how large a picture is once it is turned as its EXIF data says, as `read_image` turns it.

    Raises:
        OSError: The file cannot be opened, or is not a picture that Pillow knows, or is damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about large pictures, which are fine
            with Image.open(path) as image:
                return _size(image)
    except OSError:
        raise
    except Exception as error:  # on damaged files Pillow raises whatever it stumbles over
        raise OSError(f"{type(error).__name__}: {error}") from error


def _size(image: Image.Image) -> PictureSize:
    width, height = image.size
    orientation = _orientation(image)
    if orientation in _SIDEWAYS and image.format != "TIFF":  # Pillow gives the size of a TIFF turned already
        width, height = height, width
    return PictureSize(width, height, orientation)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception:  # on damaged EXIF data Pillow raises whatever it stumbles over; decoders pass over them
        return _UPRIGHT
    return value if isinstance(value, int) and 1 <= value <= 8 else _UPRIGHT
