"""Polygons and quads: area, offsetting, corner order, cutting out, reading order.

Coordinates are x then y in pixels, y pointing down; "clockwise" is as seen on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pyclipper

from ppedge.errors import PpedgeError

CLIPPER_SCALE = 1024
"""Clipper works on integers: coordinates are multiplied by this, which keeps a thousandth of a pixel."""

UPRIGHT_RATIO = 1.5
"""A crop at least this many times as high as wide holds a line that runs downwards: it is turned by 90 degrees."""

MAX_SIDE = (1 << 15) - 2
"""Pixels of the longest side of a picture, and of a crop, that OpenCV can straighten."""

SAME_LINE = 10.0
"""Quads whose top-left corners differ by less than this many pixels in y stand in one line of text."""


def polygon_area(polygon: npt.ArrayLike) -> float:
    """Return the area in square pixels of a simple polygon (K, 2), whichever way it runs (shoelace formula)."""
    x, y = np.asarray(polygon, dtype=np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def offset_polygon(polygon: npt.ArrayLike, distance: float) -> list[np.ndarray]:
    """Move a polygon's edges outwards (``distance`` > 0) or inwards (< 0), with round joins.

    Args:
        polygon: (K, 2), simple, running either way.
        distance: In pixels.

    Returns:
        The polygons (K', 2), float32: one after growing; none, one or several after shrinking.
    """
    points = np.rint(np.asarray(polygon, dtype=np.float64) * CLIPPER_SCALE).astype(np.int64)
    clipper = pyclipper.PyclipperOffset()
    clipper.ArcTolerance = CLIPPER_SCALE / 64
    try:
        clipper.AddPath(points.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    except pyclipper.ClipperException:  # fewer than three distinct points: there is nothing to offset
        return []
    return [np.asarray(path, np.float32) / CLIPPER_SCALE for path in clipper.Execute(distance * CLIPPER_SCALE)]


def order_quads(quads: npt.ArrayLike) -> np.ndarray:
    """Order the corners of convex quads clockwise from the top-left one.

    The top-left corner is the upper of the two leftmost ones. Corners that tie are taken by y: the result does not
    depend on the order in which the corners came.

    Args:
        quads: (N, 4, 2).

    Returns:
        (N, 4, 2), float32.
    """
    points = np.asarray(quads, dtype=np.float32).reshape(-1, 4, 2)
    points = np.take_along_axis(points, np.lexsort((points[..., 1], points[..., 0]))[..., None], axis=1)  # by x, then y
    from_centre = points.astype(np.float64) - points.mean(axis=1, keepdims=True, dtype=np.float64)
    # y points down, so rising angles run clockwise.
    turn = np.argsort(np.arctan2(from_centre[..., 1], from_centre[..., 0]), axis=1, kind="stable")
    top_left = np.where(points[:, 0, 1] <= points[:, 1, 1], 0, 1)
    start = np.argmax(turn == top_left[:, None], axis=1)
    order = np.take_along_axis(turn, (start[:, None] + np.arange(4)) % 4, axis=1)
    return np.take_along_axis(points, order[..., None], axis=1)


def order_quad(points: npt.ArrayLike) -> np.ndarray:
    """Order four corners (4, 2) as `order_quads` does."""
    ordered: np.ndarray = order_quads(points)[0]
    return ordered


def crop_quad(image: np.ndarray, quad: npt.ArrayLike) -> np.ndarray:
    """Cut a quad out of a picture and straighten it.

    The crop is as wide as the longer of the quad's horizontal sides and as high as the longer of its vertical ones, in
    whole pixels, rounded down; sampling is bicubic, and beyond the picture its edge is repeated.

    Args:
        image: (H, W, 3), uint8.
        quad: (4, 2), clockwise from top-left.

    Returns:
        The crop (h, w, 3), uint8; turned by 90 degrees counter-clockwise if h / w is at least `UPRIGHT_RATIO`.

    Raises:
        PpedgeError: The quad is less than a pixel wide or high, or more than `MAX_SIDE`.
    """
    corners = np.asarray(quad, dtype=np.float32)
    top, right, bottom, left = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    width, height = int(max(top, bottom)), int(max(left, right))
    if width < 1 or height < 1:
        raise PpedgeError(
            f"The quad {corners.tolist()} is less than one pixel wide or high.", "Remove it from the labels."
        )
    if max(width, height) > MAX_SIDE:
        raise PpedgeError(
            f"The quad {corners.tolist()} is more than {MAX_SIDE} pixels wide or high.", "Correct the labels."
        )
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    crop = cv2.warpPerspective(
        image, perspective(corners, target), (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.rot90(crop) if height >= UPRIGHT_RATIO * width else crop


def perspective(corners: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the perspective transform (3, 3), float64, that takes four corners to four others, (4, 2) float32 both.

    OpenCV looks for one whose last element is 1. There is none where the sides of a quad that are not parallel meet in
    the picture's origin, and it gives zeros, a crop of one colour; seen from the quad's first corner there is.
    """
    transform = cv2.getPerspectiveTransform(corners, target)
    if transform[:2].any():
        return transform
    (x, y), seen_from = corners[0].tolist(), corners - corners[0]
    there: np.ndarray = cv2.getPerspectiveTransform(seen_from, target)
    there[:, 2] -= there[:, 0] * x + there[:, 1] * y
    return there


def reading_order(quads: Sequence[npt.ArrayLike] | np.ndarray) -> list[int]:
    """Return the indices of quads from top to bottom and, within a line, from left to right.

    Going down, a quad opens a new line when its top-left corner lies `SAME_LINE` pixels or more below that of the
    line's first quad.

    Args:
        quads: (N, 4, 2), each clockwise from top-left.
    """
    corners = np.asarray(quads, dtype=np.float64).reshape(-1, 4, 2)[:, 0]
    lines: list[list[int]] = []
    for index in np.lexsort((corners[:, 0], corners[:, 1])).tolist():
        if lines and corners[index, 1] - corners[lines[-1][0], 1] < SAME_LINE:
            lines[-1].append(index)
        else:
            lines.append([index])
    return [index for line in lines for index in sorted(line, key=lambda i: (corners[i, 0], corners[i, 1]))]
