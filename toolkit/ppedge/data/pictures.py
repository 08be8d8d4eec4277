"""Samples' pictures and their sizes, and the lines that are cut out of them."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ppedge.data.jpeg import read_ordinary
from ppedge.data.labelled import RecSample
from ppedge.errors import PpedgeError
from ppedge.ocr.geometry import UPRIGHT_RATIO, crop_quad
from ppedge.ocr.image_file import picture_size, read_image


def line_size(sample: RecSample) -> tuple[float, float]:
    """Return a line's width and height in pixels without decoding its picture; (0, 0) if that cannot be read."""
    if sample.quad is not None:
        top, right, bottom, left = np.linalg.norm(sample.quad - np.roll(sample.quad, -1, axis=0), axis=1)
        width, height = float(max(top, bottom)), float(max(left, right))
        return (height, width) if height >= UPRIGHT_RATIO * width else (width, height)
    return size_of(sample.image)


def size_of(path: Path) -> tuple[float, float]:
    """Return a picture's width and height in pixels without decoding it; (0, 0) if it cannot be read."""
    try:
        size = picture_size(path)
        return size.width, size.height
    except PpedgeError:  # whoever decodes it says what is wrong
        return 0.0, 0.0


def cut_out(image: npt.NDArray[np.uint8], sample: RecSample) -> npt.NDArray[np.uint8]:
    """Return a sample's line (h, w, 3), uint8, of its decoded picture (H, W, 3).

    Raises:
        PpedgeError: It cannot be cut out; the error names the label.
    """
    if sample.quad is None:  # the file is the line and nothing else is cut out of it
        return image
    try:
        return crop_quad(image, sample.quad)
    except PpedgeError as error:
        raise PpedgeError(f"{sample.where}: {error.message}", error.hint) from error


class Pictures:
    """The pictures decoded last, of samples that have been checked: one that is cut into fifty lines is decoded once.

    Args:
        limit: How many bytes of pictures are held; one picture is, whatever its size.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Path, npt.NDArray[np.uint8]] = OrderedDict()

    def read(self, path: Path) -> npt.NDArray[np.uint8]:
        """Return a picture (H, W, 3), uint8, read-only: the next reader is given the same array.

        Raises:
            PpedgeError: It cannot be read.
        """
        if (image := self._held.get(path)) is not None:
            self._held.move_to_end(path)
            return image
        image = self._held[path] = _read_checked(path)
        while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > self._limit:
            self._held.popitem(last=False)
        return image

    def crop(self, sample: RecSample) -> npt.NDArray[np.uint8]:
        """Return a sample's line as a picture (h, w, 3), uint8, read-only.

        Raises:
            PpedgeError: The picture cannot be read, or the line cannot be cut out of it.
        """
        if sample.quad is None:  # read once, and not to take the place of one that is cut into many
            return _read_checked(sample.image)
        return _read_only(cut_out(self.read(sample.image), sample))

    def __getstate__(self) -> dict[str, Any]:
        """A worker starts with nothing held."""
        return {"_limit": self._limit, "_held": OrderedDict()}


def _read_checked(path: Path) -> npt.NDArray[np.uint8]:
    """Return a picture that was whole when `ppedge.data.check.readable` decoded it, read-only."""
    image = read_ordinary(path)
    return _read_only(read_image(path) if image is None else image)


def _read_only(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Make whoever writes into a picture fail, instead of changing what others are given."""
    image.flags.writeable = False
    return image
