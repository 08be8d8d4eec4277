"""Whether two roads give the same boxes, or the same text, for one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from ppedge.ocr.ctc import Text
from ppedge.ocr.db import Box

SAME_IOU = 0.9
"""Two boxes are the same if their intersection over union is at least this."""


def differing(first: list[Box] | Text, second: list[Box] | Text) -> tuple[int, int]:
    """Count what differs between two results for one picture.

    Returns:
        For boxes: how many of both sides have no partner on the other, and how many there are on both sides. For a
        text: 1 or 0, and 1.
    """
    if isinstance(first, Text) or isinstance(second, Text):
        assert isinstance(first, Text) and isinstance(second, Text)
        return int(first.text != second.text), 1
    total = len(first) + len(second)
    return total - 2 * len(partners([b.quad for b in first], [b.quad for b in second])), total


def partners(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Pair boxes (4, 2) that are the same, each with at most one of the other side, the closest pairs first."""
    a, b = (shapely.make_valid(shapely.polygons(np.asarray(s, np.float64).reshape(-1, 4, 2))) for s in (first, second))
    if not len(a) or not len(b):
        return []
    i, j = shapely.STRtree(b).query(a)
    overlap = shapely.area(shapely.intersection(a[i], b[j]))
    iou = overlap / (shapely.area(a[i]) + shapely.area(b[j]) - overlap)
    pairs: list[tuple[int, int]] = []
    for k in np.argsort(-iou, kind="stable"):
        free = all(i[k] != one and j[k] != other for one, other in pairs)
        if iou[k] >= SAME_IOU and free:
            pairs.append((int(i[k]), int(j[k])))
    return pairs
