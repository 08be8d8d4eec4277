"""From pictures to the networks' inputs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from ppedge.errors import PpedgeError
from ppedge.ocr.spec import ClsPreprocess, DetPreprocess, RecPreprocess

Normalise = Callable[[np.ndarray, Sequence[float], Sequence[float], np.ndarray], None]
"""Called as `normalise` is; training has a faster one with the same numbers."""


def det_size(height: int, width: int, spec: DetPreprocess) -> tuple[int, int]:
    """Return the size (height, width) in pixels at which a detector sees a picture of the given size.

    Both sides are scaled alike, then each is rounded (halves up) to a multiple of ``spec.multiple``. No side exceeds
    ``spec.max_side`` or, for ``limit_type: max``, ``spec.limit_side``, except that it is always at least one multiple.
    """
    longer, shorter = max(height, width), min(height, width)
    if spec.limit_type == "min":
        bound = spec.max_side
        scale = max(1.0, spec.limit_side / shorter)
    else:
        bound = min(spec.limit_side, spec.max_side)
        scale = 1.0
    scale = min(scale, bound / longer)
    most = max(bound // spec.multiple, 1)

    def fitted(side: int) -> int:
        return min(max(math.floor(side * scale / spec.multiple + 0.5), 1), most) * spec.multiple

    return fitted(height), fitted(width)


def normalise(image: np.ndarray, means: Sequence[float], stds: Sequence[float], planes: np.ndarray) -> None:
    """Write ``(image / 255 - mean) / std`` of a picture (h, w, 3), uint8, into planes (3, h, w), float32."""
    for channel, mean, std, plane in zip(cv2.split(image), means, stds, planes, strict=True):
        cv2.LUT(channel, _levels(mean, std), plane)


def factor_and_shift(mean: float, std: float) -> tuple[np.float32, np.float32]:
    """Return by what `normalise` multiplies a level, and what it takes off then."""
    return np.float32(1 / (255 * std)), np.float32(mean / std)


@functools.lru_cache(maxsize=16)
def _levels(mean: float, std: float) -> np.ndarray:
    """Return what each of the 256 levels is normalised to: looking them up is faster than computing each pixel's."""
    factor, shift = factor_and_shift(mean, std)
    return np.arange(256, dtype=np.float32) * factor - shift


def prepare_det(image: np.ndarray, spec: DetPreprocess, normalise: Normalise = normalise) -> np.ndarray:
    """Scale and normalise a picture for the detector.

    Args:
        image: (H, W, 3), uint8, BGR.
        spec: Size limits, mean and std; the latter apply to the channels as they come (B, G, R), as in PaddleOCR.
        normalise: Fills the planes.

    Returns:
        (1, 3, H', W'), float32, with H' and W' multiples of ``spec.multiple``.

    Raises:
        PpedgeError: The picture is not (H, W, 3) with at least one pixel.
    """
    _check(image, "picture")
    height, width = det_size(image.shape[0], image.shape[1], spec)
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    planes = np.empty((1, 3, height, width), np.float32)
    normalise(image, spec.mean, spec.std, planes[0])
    return planes


def rec_width(crop: np.ndarray, spec: RecPreprocess) -> int:
    """Return the width in pixels that a crop (h, w, 3) takes at the recogniser's height.

    Raises:
        PpedgeError: The crop is not (h, w, 3) with at least one pixel.
    """
    _check(crop, "crop")
    height, width = crop.shape[:2]
    return min(max(math.ceil(spec.height * width / height), 1), spec.max_width)


def rec_resized(crop: np.ndarray, spec: RecPreprocess) -> np.ndarray:
    """Return a crop (h, w, 3), uint8, at the recogniser's height: `rec_width` columns; itself where it is of that size.

    Raises:
        PpedgeError: The crop is not (h, w, 3) with at least one pixel.
    """
    size = rec_width(crop, spec), spec.height
    return crop if crop.shape[1::-1] == size else cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR)


def prepare_rec(crops: Sequence[np.ndarray], spec: RecPreprocess, normalise: Normalise = normalise) -> np.ndarray:
    """Scale, normalise and batch text lines for the recogniser.

    All crops are padded on the right, after normalising and with 0, to the widest of them, and to ``spec.min_width`` at
    least.

    Args:
        crops: N pictures (h, w, 3), uint8, BGR, each with one line of text.
        spec: Height, width limits, mean and std.
        normalise: Fills the planes.

    Returns:
        (N, 3, spec.height, W), float32.

    Raises:
        PpedgeError: There are no crops, or one is not (h, w, 3) with at least one pixel.
    """
    if not crops:
        raise PpedgeError("A batch of text lines has no crops.")
    widths = [rec_width(crop, spec) for crop in crops]
    batch = np.empty((len(crops), 3, spec.height, max(spec.min_width, *widths)), np.float32)
    for row, crop, width in zip(batch, crops, widths, strict=True):
        normalise(rec_resized(crop, spec), (spec.mean,) * 3, (spec.std,) * 3, row[..., :width])
        row[..., width:] = 0
    return batch


def prepare_cls(crops: Sequence[np.ndarray], spec: ClsPreprocess, normalise: Normalise = normalise) -> np.ndarray:
    """Scale, normalise and batch text lines for the direction classifier.

    A line keeps its aspect and is padded on the right, after normalising and with 0; a wider one is squeezed.

    Args:
        crops: N pictures (h, w, 3), uint8, BGR, each with one line of text.
        spec: Height, width, mean and std.
        normalise: Fills the planes.

    Returns:
        (N, 3, spec.height, spec.width), float32.

    Raises:
        PpedgeError: There are no crops, or one is not (h, w, 3) with at least one pixel.
    """
    lines = RecPreprocess(spec.height, spec.width, spec.width, spec.mean, spec.std)
    return prepare_rec(crops, lines, normalise)


def _check(image: np.ndarray, what: str) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise PpedgeError(f"A {what} has the shape {image.shape}; needed is (height, width, 3) without a zero.")
