"""Normalising in a third of the time, for training: a pass over the pixels in C, with the same numbers."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ppedge.cache import library_for_this_processor
from ppedge.ocr import preprocess

SOURCE = Path(__file__).with_name("normalising.c")


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return ``normalising.c``, compiled, or None where it cannot be had: OpenCV gives the same numbers."""
    without = "Pictures take longer to prepare"
    found = library_for_this_processor(SOURCE, ("-ffp-contract=off",), "Fast normalising", without)
    if found is not None:
        address, size = ctypes.c_void_p, ctypes.c_size_t
        found.normalise.argtypes = [address, size, size, address, address, address, size, size]
    return found


def normalise(
    image: npt.NDArray[np.uint8], means: Sequence[float], stds: Sequence[float], planes: npt.NDArray[np.float32]
) -> None:
    """Do what `ppedge.ocr.preprocess.normalise` does."""
    fast = library()
    plane, row, pixel = planes.strides
    fits = image.dtype == np.uint8 and planes.dtype == np.float32 and planes.shape == (3, *image.shape[:2])
    if fast is None or not fits or image.ndim != 3 or image.shape[2] != 3 or pixel != planes.itemsize:
        preprocess.normalise(image, means, stds, planes)
        return
    image = np.ascontiguousarray(image)
    constants = _constants(tuple(means), tuple(stds))
    height, width = image.shape[:2]
    fast.normalise(
        image.ctypes.data, height, width, *constants.places, planes.ctypes.data, plane // pixel, row // pixel
    )  # fmt: skip


class _Constants(NamedTuple):
    """Of each channel what its levels are multiplied by, and what is taken off then; and where the two lie."""

    values: npt.NDArray[np.float32]
    places: tuple[int, int]


@functools.lru_cache(maxsize=16)
def _constants(means: tuple[float, ...], stds: tuple[float, ...]) -> _Constants:
    pairs = [preprocess.factor_and_shift(mean, std) for mean, std in zip(means, stds, strict=True)]
    values = np.array(list(zip(*pairs, strict=True)), np.float32)
    return _Constants(values, (values[0].ctypes.data, values[1].ctypes.data))
