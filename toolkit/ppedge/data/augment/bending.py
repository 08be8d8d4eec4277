"""TIA: a text line is bent, stretched and tilted by moving points at its upper and lower edge.

Source: Luo et al., Learn to Augment: Joint Data Augmentation and Network Optimization for Text Recognition, CVPR 2020.
What lies between the points follows by moving least squares (Schaefer et al., Image Deformation Using Moving Least
Squares, SIGGRAPH 2006) of similarities. The sizes of the moves are those of PaddleOCR's RecAug.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ppedge.data.augment.base import Augmentation, Line, Picture, of_picture
from ppedge.data.augment.geometry import LEAST_SIDE
from ppedge.recipe.train import RecAugment

Points = npt.NDArray[np.complex128]
"""Points of the plane, x + i y in pixels: a similarity is then a product and a sum."""
Warp = tuple[Points, Points]
"""Where points of a picture are moved to, and where they come from."""

_CELL = 100
"""Pixels at most between the nodes that the least squares are solved at. It is PaddleOCR's: with a finer grid the same
moves would bend a line more sharply."""


def bend(image: Picture, rng: np.random.Generator) -> Picture:
    """Bend, stretch and tilt a line (h, w, 3); one below 20 pixels a side is tilted only.

    The three changes are one map, so that the picture is resampled once.
    """
    height, width = image.shape[:2]
    warps = [tilting(width, height, rng)]
    if min(height, width) >= LEAST_SIDE:
        segments = rng.integers(3, 7, 2)
        warps += [stretching(width, height, int(segments[0]), rng), distortion(width, height, int(segments[1]), rng)]
    return warped(image, warps)


def distortion(width: int, height: int, segments: int, rng: np.random.Generator) -> Warp:
    """Move the ends of the cuts between a line's segments either way in x and y, and its corners inwards."""
    source, most = _cuts(width, height, segments), width / segments / 3
    x, y = rng.uniform(0, most, (2, *source.shape))
    inner = slice(1, -1)
    x[:, inner] -= most / 2
    y[:, inner] -= most / 2
    x[:, -1] *= -1
    y[1, [0, -1]] *= -1
    return (source + x + 1j * y).ravel(), source.ravel()


def stretching(width: int, height: int, segments: int, rng: np.random.Generator) -> Warp:
    """Move the cuts between a line's segments along it, upright as they are."""
    source, most = _cuts(width, height, segments), width / segments * 4 / 5
    moved = source.copy()
    moved[:, 1:-1] += rng.uniform(-most / 2, most / 2, segments - 1)
    return moved.ravel(), source.ravel()


def tilting(width: int, height: int, rng: np.random.Generator) -> Warp:
    """Make a line lower at its ends: each corner moves up or down by up to half of the height."""
    source = _cuts(width, height, 1)
    moved = source + 1j * np.array([[1], [-1]]) * rng.uniform(0, height // 2, (2, 2))
    return moved.ravel(), source.ravel()


def _cuts(width: int, height: int, segments: int) -> Points:
    """Return the upper and the lower ends of a line's segments: (2, segments + 1)."""
    points: Points = np.linspace(0, width, segments + 1) + 1j * np.array([[0], [height]])
    return points


def warped(image: Picture, warps: Sequence[Warp]) -> Picture:
    """Return a picture whose points have been moved; it keeps its size, and beyond its edge the edge is repeated.

    Args:
        image: (h, w, 3).
        warps: The moves, the last made first.
    """
    height, width = image.shape[:2]
    x, y = _nodes(width), _nodes(height)
    places: Points = (x + 1j * y[:, None]).ravel()
    for moved, source in warps:
        places = _before(places, moved, source)
    grid = places.reshape(len(y), len(x))
    maps = _between(_between(grid, height).T, width).T.astype(np.complex64)
    return cv2.remap(image, maps.real, maps.imag, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _nodes(size: int) -> npt.NDArray[np.float64]:
    """Return evenly spaced coordinates from the first to the last of so many pixels."""
    return np.linspace(0, size - 1, max(math.ceil((size - 1) / _CELL), 1) + 1)


def _between(nodes: Points, size: int) -> Points:
    """Return rows (N, ...) interpolated linearly to (size, ...)."""
    at = np.linspace(0, len(nodes) - 1, size)
    low = np.minimum(at.astype(int), len(nodes) - 2)
    share = (at - low)[:, None]
    rows: Points = nodes[low] * (1 - share) + nodes[low + 1] * share
    return rows


def _before(places: Points, moved: Points, source: Points) -> Points:
    """Return where places (N,) were before points (K,) were moved from ``source`` to ``moved``.

    Each place has the similarity that fits the points best, each weighted by one over its squared distance.
    """
    offsets = moved - places[:, None]
    weights = 1 / np.maximum(offsets.real**2 + offsets.imag**2, 1e-9)
    weights /= weights.sum(axis=1, keepdims=True)
    centre_now, centre_then = weights @ moved, weights @ source
    now, then = moved - centre_now[:, None], source - centre_then[:, None]
    turn = (weights * now.conj() * then).sum(axis=1) / (weights * (now.real**2 + now.imag**2)).sum(axis=1)
    before: Points = centre_then + turn * (places - centre_now)
    return before


LINES: Mapping[str, Augmentation[RecAugment, Line]] = {
    "tia": Augmentation(lambda settings: settings.tia, of_picture(bend)),
}
