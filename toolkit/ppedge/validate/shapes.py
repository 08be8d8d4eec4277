"""Inputs of unlike shapes, for one process one after the other: a runtime may keep what an earlier shape taught it."""

from __future__ import annotations

import cv2
import numpy as np

from ppedge.ocr.preprocess import prepare_rec
from ppedge.ocr.spec import RecPreprocess

FIRST = "first"
# Height and width in pixels: small enough that all of them together cost less than one whole picture does.
_DET = {FIRST: (192, 320), "wide": (64, 640), "tall": (640, 64), "tiny": (32, 32), "flipped": (320, 192)}
_WIDE = 4  # times the smallest width of a recogniser's input


def det_shapes(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return a detector's inputs of several shapes, filled from the top left of a prepared picture.

    Args:
        x: (1, 3, H, W), float32.

    Returns:
        By name, ``first`` at the front, (1, 3, h, w) each; a picture that is too small is repeated.
    """
    found = {}
    for name, (height, width) in _DET.items():
        times = (1, 1, -(-height // x.shape[2]), -(-width // x.shape[3]))
        found[name] = np.ascontiguousarray(np.tile(x, times)[:, :, :height, :width])
    return found


def rec_shapes(crop: np.ndarray, spec: RecPreprocess) -> dict[str, np.ndarray]:
    """Return a recogniser's inputs for crops of several shapes, all made from one crop by the road's pre-processing.

    Args:
        crop: (h, w, 3), uint8.
        spec: The pre-processing, which sets the inputs' height and smallest width.

    Returns:
        By name, ``first`` (the crop itself) at the front, (1, 3, height, width) each.
    """
    height, width = spec.height, min(_WIDE * spec.min_width, spec.max_width)
    crops = {
        FIRST: crop,
        "wide": cv2.resize(crop, (width, height)),
        "tall": cv2.resize(crop, (height, 4 * height)),
        "tiny": cv2.resize(crop, (4, 4)),
        "flipped": np.ascontiguousarray(np.rot90(crop)),
    }
    return {name: prepare_rec([one], spec) for name, one in crops.items()}
