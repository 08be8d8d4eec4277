"""Inputs of unlike shapes, for one process one after the other: a runtime may keep what an earlier shape taught it."""

from __future__ import annotations

import cv2
import numpy as np

from ppedge.ocr.preprocess import prepare_cls, prepare_rec
from ppedge.ocr.spec import ClsPreprocess, RecPreprocess

FIRST = "first"
# Height and width in pixels: small enough that all of them together cost less than one whole picture does.
_DET = {FIRST: (192, 320), "wide": (64, 640), "tall": (640, 64), "tiny": (32, 32), "flipped": (320, 192)}
_WIDE = 4  # times the smallest width of a recogniser's input


def det_shapes(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return a detector's inputs of several shapes, cut out of the middle of a prepared picture.

    Args:
        x: (1, 3, H, W), float32.

    Returns:
        By name, ``first`` at the front, (1, 3, h, w) each; a picture that is too small is repeated.
    """
    found = {}
    for name, (height, width) in _DET.items():
        rows, columns = (
            (max(0, have - want) // 2 + np.arange(want)) % have
            for have, want in zip(x.shape[2:], (height, width), strict=True)
        )
        found[name] = np.ascontiguousarray(x[:, :, rows][..., columns])
    return found


def rec_shapes(crop: np.ndarray, spec: RecPreprocess) -> dict[str, np.ndarray]:
    """Return a recogniser's inputs for crops of several shapes, all made from one crop by the road's pre-processing.

    Args:
        crop: (h, w, 3), uint8.
        spec: The pre-processing, which sets the inputs' height and smallest width.

    Returns:
        By name, ``first`` (the crop itself) at the front, (1, 3, height, width) each.
    """
    crops = _crops(crop, spec.height, min(_WIDE * spec.min_width, spec.max_width))
    return {name: prepare_rec([one], spec) for name, one in crops.items()}


def cls_shapes(crop: np.ndarray, spec: ClsPreprocess) -> dict[str, np.ndarray]:
    """Return a direction classifier's inputs for crops of several shapes; it sees all of them at its one size.

    Args:
        crop: (h, w, 3), uint8.
        spec: The pre-processing, which sets the inputs' height and width.

    Returns:
        By name, ``first`` (the crop itself) at the front, (1, 3, height, width) each.
    """
    crops = _crops(crop, spec.height, _WIDE * spec.width)
    return {name: prepare_cls([one], spec) for name, one in crops.items()}


def _crops(crop: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    return {
        FIRST: crop,
        "wide": cv2.resize(crop, (width, height)),
        "tall": cv2.resize(crop, (height, 4 * height)),
        "tiny": cv2.resize(crop, (4, 4)),
        "flipped": np.ascontiguousarray(np.rot90(crop)),
    }
