"""Text regions against their picture: what makes a polygon the place of a text, for whatever reads labels.

Coordinates are x then y in pixels of the picture as `ppedge.ocr.image_file.read_image` gives it, turned as its EXIF
data says; y points down, and "clockwise" is as seen on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from ppedge.ocr.geometry import order_quad, polygon_area
from ppedge.ocr.image_file import PictureSize

Polygon = npt.NDArray[np.float32]

_NUMBERS = frozenset((int, float))
_FARTHEST = 1e6  # pixels: no picture is so large
_MIN_AREA = 1e-2  # square pixels: below it a polygon is a line or a point
_GRID = 1 / 512  # pixels: a fraction of which float32 holds every multiple in any picture
_LEAST_CORNER = 0.01
"""Share of a quad's area that the triangle of a corner and its neighbours has at least; with less, the three lie on one
line. A parallelogram's corners have half of it each."""
_SLACK = 0.02  # share of a picture's longer side by which careless boxes stick out of it


class RegionError(Exception):
    """The reason why a polygon cannot be the place of a text; whoever reads labels makes a problem of it.

    Attributes:
        cover: (K, 2), what to ignore of the picture in its place; None where that is not known.
    """

    def __init__(self, reason: str, cover: Polygon | None = None) -> None:
        super().__init__(reason)
        self.cover = cover


@dataclass(frozen=True)
class Region:
    """A text region as it lies in its picture.

    Attributes:
        polygon: (N, 2), N >= 4, float32, simple, clockwise, inside the picture.
        reversed: Whether it came counter-clockwise.
        clipped: Whether it came with parts outside the picture.
    """

    polygon: Polygon
    reversed: bool = False
    clipped: bool = False


def polygon_of(points: Any) -> Polygon:
    """Return labelled points as a polygon (N, 2), N >= 4, float32.

    Args:
        points: As the label file has them.

    Raises:
        RegionError: They are no list of four or more pairs of finite numbers.
    """
    pairs = isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points)
    if not pairs or not all(type(value) in _NUMBERS for point in points for value in point):
        raise RegionError("points is not a list of [x, y] pairs of numbers")
    if len(points) < 4:
        raise RegionError(f"{len(points)} points, at least 4 are needed")
    if not all(-_FARTHEST < value < _FARTHEST for point in points for value in point):  # False for NaN too
        raise RegionError("a coordinate is not finite or absurdly large")
    return np.array(points, np.float32)


def quads_of(outlines: Sequence[Any]) -> list[Polygon] | None:
    """Return the labelled points of a picture's regions as quads (4, 2), float32, in a quarter of `polygon_of`'s time.

    Args:
        outlines: As the label file has them.

    Returns:
        None if any of them is not four pairs of finite numbers: it may be a polygon of more corners, or none.
    """
    if set(map(type, outlines)) != {list} or set(map(len, outlines)) != {4}:
        return None
    corners = list(chain.from_iterable(outlines))
    if set(map(type, corners)) != {list} or set(map(len, corners)) != {2}:
        return None
    values = list(chain.from_iterable(corners))
    if not _NUMBERS.issuperset(map(type, values)):
        return None
    try:
        quads = np.array(values, np.float64).reshape(-1, 4, 2)
    except OverflowError:  # a whole number beyond all floats
        return None
    return list(quads.astype(np.float32)) if (np.abs(quads) < _FARTHEST).all() else None  # not so for NaN either


def fit_all(polygons: Sequence[Polygon], size: PictureSize, name: str) -> list[Region | RegionError]:
    """Hold the labelled polygons of a picture against it; see `fit`.

    Args:
        polygons: (N, 2) each, float32, finite.
        size: Of the picture.
        name: Of the picture, for the errors.

    Returns:
        For each a region, or why it is none: with the picture's size, and with what it covers. If they were drawn
        before the turn that the picture's EXIF data asks for, none is a region.
    """
    if polygons and drawn_as_stored(polygons, size):
        stored = f"{name} has {size}, and the regions were drawn on the {size.stored} before that turn"
        return [RegionError(f"it lies elsewhere than it was drawn: {stored}") for _ in polygons]
    regions: list[Region | RegionError] = []
    for polygon, plain in zip(polygons, _plain(polygons, size), strict=True):
        try:
            regions.append(Region(polygon) if plain else fit(polygon, size))
        except RegionError as error:
            regions.append(RegionError(f"{error}; {name} has {size}", cover(polygon, size)))
    return regions


def fit(polygon: Polygon, size: PictureSize) -> Region:
    """Hold a labelled polygon against its picture.

    A counter-clockwise quad starts at its upper left corner afterwards, since its order does not tell where the text
    starts; a clockwise one keeps its first corner. Coordinates outside the picture are moved to its nearest edge, as
    PaddleOCR does.

    Args:
        polygon: (N, 2), float32, finite.
        size: Of the picture.

    Raises:
        RegionError: Corners coincide or lie on one line so that less than a quad is left, edges cross, there is no
            area, or nothing of it lies in the picture.
    """
    region = _clockwise(_distinct(polygon))
    _require_simple(region.polygon)
    if _visible_area(region.polygon, size) < _MIN_AREA:
        raise RegionError(_outside(region.polygon, size))
    clipped = np.clip(region.polygon, 0, np.array([size.width, size.height], np.float32))
    if np.array_equal(clipped, region.polygon):
        return region
    try:
        clipped = _distinct(clipped)
        _require_simple(clipped)
        if _clockwise(clipped).reversed:
            raise RegionError("its corners run the other way round")
    except RegionError:  # corners beyond a corner of the picture fall together: what is seen has another shape
        seen = _outline(shapely.intersection(shapely.polygons(region.polygon), _whole(size)))
        if seen is None:
            raise RegionError(_outside(region.polygon, size)) from None
        clipped = seen
    return replace(region, polygon=clipped, clipped=True)


def cover(polygon: Polygon, size: PictureSize) -> Polygon | None:
    """Return what a polygon's corners span in the picture, to be ignored; None if that is nothing.

    It covers the text of a region that `fit` refuses, whatever the order of its corners was meant to be.
    """
    return _outline(shapely.intersection(shapely.convex_hull(shapely.multipoints(polygon)), _whole(size)))


def quad_of(polygon: Polygon) -> Polygon:
    """Return the quad (4, 2) that a region's line is cut out by, clockwise from where the text starts.

    A convex quad is its own; of any other polygon it is the rectangle of least area around it, from the upper left.
    """
    if len(polygon) == 4 and (_corner_areas(polygon) > 0).all():
        return polygon
    quad: Polygon = order_quad(cv2.boxPoints(cv2.minAreaRect(polygon)))
    return quad


def can_be_cut_out(quad: Polygon) -> bool:
    """Whether `crop_quad` gets at least a pixel each way."""
    top, right, bottom, left = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)
    return bool(max(top, bottom) >= 1 and max(right, left) >= 1)


def drawn_as_stored(polygons: Sequence[Polygon], size: PictureSize) -> bool:
    """Whether regions fit a picture only as it is stored, before the turn that its EXIF data asks for.

    That shows only where the turn exchanges width and height.
    """
    right, bottom = np.concatenate(polygons).max(axis=0)
    slack = _SLACK * max(size.width, size.height)
    stored = size.stored
    inside = right <= size.width + slack and bottom <= size.height + slack
    return bool(not inside and right <= stored.width and bottom <= stored.height)


def _plain(polygons: Sequence[Polygon], size: PictureSize) -> list[bool]:
    """Return which polygons are clearly convex clockwise quads in their picture: `fit` gives them back as they came.

    Nearly all that people draw are, and all of a picture are asked at once, in a fiftieth of the time.
    """
    found = np.array([len(polygon) == 4 for polygon in polygons], bool)
    if found.any():
        quads = np.stack([polygon for polygon in polygons if len(polygon) == 4])
        corners = _corner_areas(quads)
        areas = corners.sum(axis=1) / 2  # each half of a quad is that of two corners
        wide = (corners >= 2 * _LEAST_CORNER * areas[:, None]).all(axis=1) & (areas >= 100 * _MIN_AREA)
        inside = ((quads >= 0) & (quads <= [size.width, size.height])).all(axis=(1, 2))
        found[found] = wide & inside
    return found.tolist()


def _distinct(polygon: Polygon) -> Polygon:
    """Drop corners that the next one repeats; the first is the last one's next."""
    kept = polygon[(polygon != np.roll(polygon, -1, axis=0)).any(axis=1)]
    if len(kept) < 4:
        few = f"only {len(kept)} of its {len(polygon)} corners differ" if len(kept) else "all its corners are one point"
        raise RegionError(f"{few}, at least 4 must differ")
    return kept


def _clockwise(polygon: Polygon) -> Region:
    x, y = (polygon - polygon[0]).astype(np.float64).T
    if np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)) >= 0:
        return Region(polygon)
    back: Polygon = np.roll(polygon[::-1], 1, axis=0)
    convex = len(back) == 4 and (_corner_areas(back) > 0).all()
    return Region(order_quad(back) if convex else back, reversed=True)


def _require_simple(polygon: Polygon) -> None:
    if cv2.contourArea(cv2.convexHull(polygon)) < _MIN_AREA:
        raise RegionError("it has no area: its corners lie on one line")
    if not shapely.is_valid(shapely.polygons(polygon)):
        raise RegionError("its edges cross or touch each other")
    area = polygon_area(polygon)
    if area < _MIN_AREA:  # of edges that lie on each other but for a rounding
        raise RegionError("it has no area: its edges lie on each other")
    if len(polygon) > 4:
        return
    flat = np.flatnonzero(np.abs(_corner_areas(polygon)) < _LEAST_CORNER * area)
    if flat.size:
        raise RegionError(f"corner {flat[0] + 1} lies on one line with its neighbours: it is no quad")


def _corner_areas(quads: Polygon) -> npt.NDArray[np.float64]:
    """Return the areas (..., 4) of the corners of quads (..., 4, 2), below 0 where one bends inwards."""
    points = quads.astype(np.float64)
    before, after = np.roll(points, 1, axis=-2) - points, np.roll(points, -1, axis=-2) - points
    return (after[..., 0] * before[..., 1] - after[..., 1] * before[..., 0]) / 2


def _outline(shape: Any) -> Polygon | None:
    """Return the outline (K, 2), K >= 6, clockwise, of the largest part of a shape; None if it has no area."""
    # On the grid, corners that all but coincide become one, and neither float32 nor the middles below are rounded.
    shape = shapely.set_precision(shape, _GRID)
    part = max(shapely.get_parts(shape).tolist(), key=shapely.area, default=None)
    if part is None or shapely.area(part) < _MIN_AREA:
        return None
    corners = shapely.get_coordinates(part)[:-1].astype(np.float32)
    middles = (corners + np.roll(corners, -1, axis=0)) / 2
    # With the middles of its edges it has more corners than a quad, of which three may not lie on one line.
    return _clockwise(np.stack([corners, middles], axis=1).reshape(-1, 2)).polygon


def _visible_area(polygon: Polygon, size: PictureSize) -> float:
    return float(shapely.area(shapely.intersection(shapely.polygons(polygon), _whole(size))))


def _whole(size: PictureSize) -> Any:
    return shapely.box(0, 0, size.width, size.height)


def _outside(polygon: Polygon, size: PictureSize) -> str:
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return f"it lies outside the picture (x {low[0]:g} to {high[0]:g}, y {low[1]:g} to {high[1]:g})"
