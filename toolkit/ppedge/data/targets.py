"""Training targets of a DB text detector.

Source: Liao et al., Real-time Scene Text Detection with Differentiable Binarization, AAAI 2020: a region is shrunk by
D = A (1 - r^2) / L (A its area, L its perimeter, r the shrink ratio); the threshold map falls from its edge over the
distance D to both sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.data.regions import Polygon
from ppedge.ocr.geometry import offset_polygon

Map = npt.NDArray[np.float32]

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
) -> dict[str, Map]:
    """Draw the four maps that a DB detector learns from.

    Args:
        polygons: Regions, (N, 2) each, in pixels; parts outside the picture are cut off.
        ignore: For each region, whether it is neither text nor background.
        size: Height and width of the picture.
        constants: By default those of PP-OCR.

    Returns:
        float32 (height, width) arrays: ``shrink_map`` (1 inside shrunk regions), ``shrink_mask`` (0 where nothing is
        learnt: ignored and too small regions), ``threshold_map`` (``threshold_min`` to ``threshold_max``) and
        ``threshold_mask`` (1 where it is learnt: regions grown by D).
    """
    c = constants or DbTargets()
    shrink_map = np.zeros(size, np.float32)
    shrink_mask = np.ones(size, np.float32)
    closeness = np.zeros(size, np.float32)
    threshold_mask = np.zeros(size, np.float32)
    for polygon, ignored in zip(polygons, ignore, strict=True):
        distance = cv2.contourArea(polygon) * (1 - c.shrink_ratio**2) / cv2.arcLength(polygon, closed=True)
        too_small = (polygon.max(axis=0) - polygon.min(axis=0)).min() < c.min_text_size
        shrunk = [] if ignored or too_small else offset_polygon(polygon, -distance)
        if not shrunk:
            cv2.fillPoly(shrink_mask, [_fixed(polygon)], 0.0, shift=_SHIFT)
            continue
        cv2.fillPoly(shrink_map, [_fixed(part) for part in shrunk], 1.0, shift=_SHIFT)
        _draw_edge(polygon, distance, closeness, threshold_mask)
    threshold_map = closeness * (c.threshold_max - c.threshold_min) + np.float32(c.threshold_min)
    return {
        "shrink_map": shrink_map,
        "shrink_mask": shrink_mask,
        "threshold_map": threshold_map,
        "threshold_mask": threshold_mask,
    }


def _fixed(polygon: Polygon) -> npt.NDArray[np.int32]:
    """Coordinates as `cv2.fillPoly` takes them."""
    return np.rint(polygon * (1 << _SHIFT)).astype(np.int32)


def _draw_edge(polygon: Polygon, distance: float, closeness: Map, mask: Map) -> None:
    """Draw 1 - (distance to the edge) / D into ``closeness`` where it is larger, the grown polygon into ``mask``."""
    grown = offset_polygon(polygon, distance)
    cv2.fillPoly(mask, [_fixed(part) for part in grown], 1.0, shift=_SHIFT)
    height, width = mask.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    corners = polygon.tolist()
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.hypot(bx - ax, by - ay)
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
        far = cv2.magnitude(beyond, (x * -uy - (ay * ux - ax * uy)) + y * ux)
        np.subtract(1, far, out=far)
        region = closeness[y0:y1, x0:x1]
        np.maximum(region, far, out=region)
