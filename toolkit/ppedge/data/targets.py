"""Training targets of a DB text detector.

Source: Liao et al., Real-time Scene Text Detection with Differentiable Binarization, AAAI 2020: a region is shrunk by
D = A (1 - r^2) / L (A its area, L its perimeter, r the shrink ratio); the threshold map falls from its edge over the
distance D to both sides.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.cache import library_for_this_processor
from ppedge.data.regions import Polygon
from ppedge.ocr.geometry import offset_polygon

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]

SOURCE = Path(__file__).with_name("targets.c")

_SHIFT = 4  # fillPoly works on integers: with four binary places, thin regions survive the rounding


@dataclass(frozen=True)
class DbTargets:
    """The constants of the targets.

    Attributes:
        shrink_ratio: r in the distance D.
        min_text_size: A region whose bounding box is lower or narrower than this many pixels is ignored.
        threshold_min: The threshold map's value away from any edge.
        threshold_max: Its value on an edge.
    """

    shrink_ratio: float = 0.4
    min_text_size: int = 8
    threshold_min: float = 0.3
    threshold_max: float = 0.7


def det_targets(
    polygons: Sequence[Polygon], ignore: Sequence[bool], size: tuple[int, int], constants: DbTargets | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Draw the four maps that a DB detector learns from.

    Args:
        polygons: Regions, (N, 2) each, in pixels; parts outside the picture are cut off.
        ignore: For each region, whether it is neither text nor background.
        size: Height and width of the picture.
        constants: By default those of PP-OCR.

    Returns:
        (height, width) arrays: ``shrink_map``, uint8 (1 inside shrunk regions); ``shrink_mask``, uint8 (0 where nothing
        is learnt: ignored and too small regions); ``threshold_map``, float32 (``threshold_min`` to ``threshold_max``);
        and ``threshold_mask``, uint8 (1 where it is learnt: regions grown by D).
    """
    c = constants or DbTargets()
    shrink_map = np.zeros(size, np.uint8)
    shrink_mask = np.ones(size, np.uint8)
    closeness = np.zeros(size, np.float32)
    threshold_mask = np.zeros(size, np.uint8)
    for polygon, ignored in zip(polygons, ignore, strict=True):
        distance = cv2.contourArea(polygon) * (1 - c.shrink_ratio**2) / cv2.arcLength(polygon, closed=True)
        too_small = (polygon.max(axis=0) - polygon.min(axis=0)).min() < c.min_text_size
        shrunk = [] if ignored or too_small else offset_polygon(polygon, -distance)
        if not shrunk:
            _fill(shrink_mask, [polygon], 0)
            continue
        _fill(shrink_map, shrunk, 1)
        _fill(threshold_mask, offset_polygon(polygon, distance), 1)
        raise_closeness(closeness, polygon, distance)
    closeness *= c.threshold_max - c.threshold_min
    closeness += np.float32(c.threshold_min)
    return {
        "shrink_map": shrink_map,
        "shrink_mask": shrink_mask,
        "threshold_map": closeness,
        "threshold_mask": threshold_mask,
    }


def _fill(mask: Mask, polygons: Sequence[Polygon], value: int) -> None:
    for polygon in polygons:
        cv2.fillPoly(mask, [np.rint(polygon * (1 << _SHIFT)).astype(np.int32)], value, shift=_SHIFT)


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return ``targets.c``, compiled, or None where it cannot be had: NumPy gives the same numbers."""
    # Without the latter two it does not take several pixels at once.
    options = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
    return library_for_this_processor(SOURCE, options, "Fast targets", "A detector's targets take longer to prepare")


def raise_closeness(closeness: Map, polygon: Polygon, distance: float) -> None:
    """Raise ``closeness`` (H, W) to 1 - (distance to the polygon's nearest edge) / ``distance`` where it is less."""
    fast = library()
    if fast is None:
        raise_closeness_slowly(closeness, polygon, distance)
        return
    corners = polygon.astype(np.float64)
    fast.raise_closeness(
        ctypes.c_void_p(closeness.ctypes.data), *map(ctypes.c_int, closeness.shape),
        ctypes.c_void_p(corners.ctypes.data), ctypes.c_int(len(corners)), ctypes.c_double(distance),
    )  # fmt: skip


def raise_closeness_slowly(closeness: Map, polygon: Polygon, distance: float) -> None:
    """Do what `raise_closeness` does, in NumPy."""
    height, width = closeness.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    corners = polygon.tolist()
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.sqrt((bx - ax) * (bx - ax) + (by - ay) * (by - ay))
        x0, x1 = max(math.floor(min(ax, bx) - distance), 0), min(math.ceil(max(ax, bx) + distance) + 1, width)
        y0, y1 = max(math.floor(min(ay, by) - distance), 0), min(math.ceil(max(ay, by) + distance) + 1, height)
        if length == 0 or x0 >= x1 or y0 >= y1:
            continue
        # In units of D and in the edge's own axes, where coordinates are sums of a column's part and a row's part.
        ux, uy = (bx - ax) / (length * distance), (by - ay) / (length * distance)
        half = length / (2 * distance)
        x, y = columns[x0:x1], rows[y0:y1]
        beyond = (x * ux - (ax * ux + ay * uy + half)) + y * uy
        np.abs(beyond, out=beyond)
        beyond -= half
        np.maximum(beyond, 0, out=beyond)
        across = (x * -uy - (ay * ux - ax * uy)) + y * ux
        region = closeness[y0:y1, x0:x1]
        # Not cv2.magnitude, whose last bit depends on how OpenCV was built.
        np.maximum(region, 1 - np.sqrt(beyond * beyond + across * across), out=region)
