"""Picture files: the one reader that checking, training, measuring and reading share.

Pillow decodes, since it refuses a file that is cut off; OpenCV fills the rest of a JPEG up with grey and says nothing.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile

from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.geometry import MAX_SIDE

FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP", "TIFF", "JPEG2000")
"""Pillow's names of the formats that are read."""

# What Pillow logs of a damaged file stands in the error; without a handler Python would print it too.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_PNG_END = b"\xaeB`\x82"  # the checksum of the chunk IEND, the last bytes of every PNG
_ROWS = 128  # converted at a time, so that a large picture is not held several times over
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets a picture upright, by the EXIF tag Orientation."""

_SIDEWAYS = (5, 6, 7, 8)
"""Orientations that exchange width and height."""

_ANOTHER = "Convert it to PNG or JPEG, or leave it out."


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
    orientation: int = 1

    @property
    def stored(self) -> PictureSize:
        """The size of the pixels as they are stored, before the turn."""
        if self.orientation in _SIDEWAYS:
            return PictureSize(self.height, self.width)
        return PictureSize(self.width, self.height)

    def __str__(self) -> str:
        """Say the size, and the turn if there is one."""
        turn = f" after its EXIF turn (orientation {self.orientation})" if self.orientation != 1 else ""
        return f"{self.width} x {self.height} pixels{turn}"


def read_image(path: Path | str) -> npt.NDArray[np.uint8]:
    """Read a picture, turned as its EXIF data says and laid on white where it is transparent.

    Of an animation the first frame is read. Of 16 bits a channel the upper 8 are kept.

    Returns:
        (H, W, 3), uint8, BGR; grey pictures are given three channels.

    Raises:
        PpedgeError: The file cannot be opened, is empty, cut off, damaged or none of `FORMATS`, or has several pages,
            numbers without a range for pixels, or (told by its header, before any is decoded) too many of them.
        MissingError: There is not enough memory for it.
    """
    with _opened(path) as (file, image):
        if image.format == "PNG":
            _verify_png(file)
        if image.format == "TIFF" and (pages := getattr(image, "n_frames", 1)) > 1:
            raise PpedgeError(f"{path}: holds {pages} pages.", "Save each page as a picture of its own.")
        key = _transparent_grey(image)
        image.load()
        orientation = _orientation(image)
        if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
            image = _eight_bits(image, key)
        elif image.mode in ("I", "F"):
            raise PpedgeError(f"{path}: its pixels are 32-bit numbers, whose white is not known.", _ANOTHER)
        elif key is not None:
            image.info["transparency"] = key
        return _to_bgr(image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image)


def picture_size(path: Path | str) -> PictureSize:
    """Return a picture's size, turned as `read_image` turns it, from its header alone.

    Raises:
        PpedgeError: The header cannot be read.
    """
    with _opened(path) as (_, image):
        width, height = image.size
        if image.format == "TIFF":  # Pillow turns it by itself
            return PictureSize(width, height, _known(getattr(image, "tag_v2", {}).get(ExifTags.Base.Orientation)))
        orientation = _orientation(image)
        if orientation in _SIDEWAYS:
            width, height = height, width
        return PictureSize(width, height, orientation)


def on_white(bgra: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Lay a picture on white; the Java class Image rounds alike.

    Args:
        bgra: (H, W, 4), uint8, the last channel being the opacity.

    Returns:
        (H, W, 3), uint8: ``(colour * alpha + 255 * (255 - alpha)) / 255``, rounded to the nearest.
    """
    alpha = bgra[..., 3:].astype(np.uint16)
    mixed = bgra[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


@contextmanager
def _opened(path: Path | str) -> Iterator[tuple[BinaryIO, Image.Image]]:
    """Open a picture and yield it before anything is decoded; whatever goes wrong is one sentence."""
    try:
        with _open_file(path) as file, Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if max(width, height) > MAX_SIDE:
                raise PpedgeError(
                    f"{path}: too large: {width} x {height} pixels, and a side may have {MAX_SIDE}.",
                    "Scale it down, or cut it into several.",
                )
            yield file, image
    except PpedgeError:
        raise
    except UnidentifiedImageError as error:
        raise PpedgeError(f"{path}: not a picture of a known format, or damaged.", _ANOTHER) from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise PpedgeError(f"{path}: too large: more than {most} pixels.", "Scale it down.") from error
    except MemoryError as error:
        raise MissingError(f"{path}: not enough memory for this picture.", "Free some, or scale it down.") from error
    except Exception as error:  # on damaged files, Pillow's decoders raise whatever they stumble over
        reason = str(error) or type(error).__name__
        raise PpedgeError(f"{path}: the picture is damaged ({reason}).", _ANOTHER) from error


def _open_file(path: Path | str) -> BinaryIO:
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # to open a named pipe is to wait for who writes into it
            raise PpedgeError(f"{path}: cannot be read (not a regular file).", "Name a picture file.")
        if status.st_size == 0:
            raise PpedgeError(f"{path}: the file is empty.", "Copy the picture again, or leave it out.")
        return Path(path).open("rb")
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).", "Check path and permissions.") from error


def _verify_png(file: BinaryIO) -> None:
    """Check what Pillow's decoder passes over: the checksums of a PNG's pixels, and its end.

    Raises:
        Exception: Of Pillow, or of this function, if the file is damaged.
    """
    file.seek(0)
    with Image.open(file, formats=["PNG"]) as image:
        image.verify()
    if file.read(len(_PNG_END)) != _PNG_END:
        raise EOFError("truncated PNG file")


def _orientation(image: Image.Image) -> int:
    """Return the EXIF tag Orientation; 1, as it stands, where there is none. TIFF files are turned by Pillow."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return _known(exif.get(ExifTags.Base.Orientation))
    except Exception:  # damaged EXIF data do not make the picture unreadable
        return 1


def _known(orientation: Any) -> int:
    """Return an EXIF tag Orientation; 1 for a value that is none."""
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _transparent_grey(image: Image.Image) -> int | None:
    """Return the grey that a PNG of 2, 4 or 16 bits marks as transparent, in the range of its decoded pixels."""
    key = image.info.get("transparency")
    if not isinstance(image, PngImageFile) or not isinstance(key, int):
        return None
    scale = {"L;2": 255 // 3, "L;4": 255 // 15, "I;16B": 1}.get(str(image.tile[0].args))
    return None if scale is None else key * scale


def _eight_bits(image: Image.Image, key: int | None) -> Image.Image:
    """Return a grey picture of up to 16 bits as one of 8, with an opacity if one of its values is transparent."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})  # of a TIFF file
    bits = tags.get(ExifTags.Base.BitsPerSample, (16,))[0]
    grey = (values >> (bits - 8)).astype(np.uint8)
    if tags.get(ExifTags.Base.PhotometricInterpretation) == 0:  # white is 0; Pillow heeds it for 8 bits alone
        grey = 255 - grey
    return Image.fromarray(grey if key is None else np.dstack([grey, np.where(values == key, 0, 255).astype(np.uint8)]))


def _to_bgr(image: Image.Image) -> npt.NDArray[np.uint8]:
    bgr = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _ROWS):
        rows = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        if rows.has_transparency_data:
            strip = on_white(cv2.cvtColor(np.asarray(rows.convert("RGBA")), cv2.COLOR_RGBA2BGRA))
        else:
            strip = cv2.cvtColor(np.asarray(rows.convert("RGB")), cv2.COLOR_RGB2BGR)
        bgr[top : top + _ROWS] = strip
    return bgr
