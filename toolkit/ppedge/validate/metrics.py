"""Metrics of text detection and text recognition: `update` with samples, `summary`, `reset`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import shapely
from rapidfuzz.distance import Levenshtein

from ppedge.errors import PpedgeError

MIN_IOU = 0.5
"""A detection matches a region if their intersection over union is more than this."""

IGNORED_SHARE = 0.5
"""A detection is neither right nor wrong if more than this share of its own area lies in one ignored region."""


class DetMetric:
    """Precision, recall and their harmonic mean at IoU > 0.5, over the corpus (the protocol of ICDAR 2015).

    With M matches, D detections that count and G regions that count, summed over all pictures:

        precision = M / D        recall = M / G        hmean = 2 M / (D + G)

    A quotient with a zero denominator is 0. Matching is greedy in index order: each region, first to last, takes the
    first free detection whose IoU with it is more than 0.5. Ignored regions do not count, nor do detections of whose
    own area more than half lies in one of them.

    Example:
        >>> metric = DetMetric()
        >>> square = [[0, 0], [10, 0], [10, 10], [0, 10]]
        >>> metric.update([square], [square, [[20, 0], [30, 0], [30, 9], [20, 9]]], [False, False])
        >>> metric.summary() == {"precision": 1.0, "recall": 0.5, "hmean": 2 / 3}
        True
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all pictures."""
        self._pictures = self._matches = self._detections = self._regions = 0

    def update(
        self, detections: Sequence[npt.ArrayLike], regions: Sequence[npt.ArrayLike], ignored: Sequence[bool]
    ) -> None:
        """Add one picture.

        Args:
            detections: Polygons (K, 2), K >= 3, in pixels; what intersects itself is split into valid parts first.
            regions: The ground truth, likewise.
            ignored: For each region, whether it is to be ignored.

        Raises:
            ValueError: ``regions`` and ``ignored`` differ in length.
        """
        if len(regions) != len(ignored):
            raise ValueError(f"{len(regions)} regions but {len(ignored)} ignore flags")
        found, truth = _polygons(detections), _polygons(regions)
        ignore = np.asarray(ignored, dtype=bool)
        overlap = _intersections(found, truth)
        own, area = shapely.area(found)[:, None], shapely.area(truth)[None]
        counts = ~(overlap[:, ignore] > IGNORED_SHARE * own).any(axis=1)
        fits = (overlap > MIN_IOU * (own + area - overlap)) & counts[:, None]
        free = counts.copy()
        for region in np.flatnonzero(~ignore):
            candidates = np.flatnonzero(fits[:, region] & free)
            if candidates.size:
                free[candidates[0]] = False
        self._pictures += 1
        self._matches += int(counts.sum() - free.sum())
        self._detections += int(counts.sum())
        self._regions += int((~ignore).sum())

    def summary(self) -> dict[str, float]:
        """Return ``precision``, ``recall`` and ``hmean``, each 0 to 1.

        Raises:
            PpedgeError: No picture has been added.
        """
        if not self._pictures:
            raise PpedgeError("There are no pictures to measure detection on.", "Check the evaluation labels.")
        return {
            "precision": self._matches / max(self._detections, 1),
            "recall": self._matches / max(self._regions, 1),
            "hmean": 2 * self._matches / max(self._detections + self._regions, 1),
        }


def _polygons(polygons: Sequence[npt.ArrayLike]) -> np.ndarray:
    """Return valid shapely polygons, (N,) of objects."""
    shapes = [shapely.polygons(np.asarray(polygon, dtype=np.float64)) for polygon in polygons]
    return np.asarray(shapely.make_valid(np.array(shapes, dtype=object)))


def _intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the areas (N, M) in which two lists of polygons overlap."""
    areas = np.zeros((len(first), len(second)))
    if areas.size:
        # The tree compares bounding boxes, so that only neighbours are intersected.
        i, j = shapely.STRtree(second).query(first)
        areas[i, j] = shapely.area(shapely.intersection(first[i], second[j]))
    return areas


def _upper_alnum(text: str) -> str:
    return "".join(filter(str.isalnum, text.upper()))


NORMALISERS: dict[str, Callable[[str], str]] = {
    "strict": lambda text: text,
    "ignore_space": lambda text: text.replace(" ", ""),
    "upper_alnum": _upper_alnum,
}
"""How texts are changed before they are compared; ``upper_alnum`` upper-cases and keeps letters and digits only."""


class RecMetric:
    """Exact matches and normalised edit distance.

    With the Levenshtein distance d and the N pairs of texts (p, t), each normalised first:

        exact = (number of p = t) / N        ned = 1 - mean(d(p, t) / max(|p|, |t|))

    Two empty texts are equal, with d / max = 0. Note that ``ned`` is a similarity: 1 is best, as in "1-N.E.D" of the
    ICDAR 2019 challenges.

    Args:
        normalise: A key of `NORMALISERS`.

    Raises:
        PpedgeError: No such normalisation.

    Example:
        >>> metric = RecMetric("ignore_space")
        >>> metric.update(["a b", "cat"], ["ab", "cut!"])
        >>> metric.summary()
        {'exact': 0.5, 'ned': 0.75}
    """

    def __init__(self, normalise: str = "strict") -> None:
        if normalise not in NORMALISERS:
            raise PpedgeError(
                f"No text normalisation is called {normalise!r}.", f"Use one of {', '.join(NORMALISERS)}."
            )
        self._normalise = NORMALISERS[normalise]
        self.reset()

    def reset(self) -> None:
        """Forget all texts."""
        self._texts = self._exact = 0
        self._distance = 0.0

    def update(self, predictions: Sequence[str], targets: Sequence[str]) -> None:
        """Add texts as read and as labelled.

        Raises:
            ValueError: They differ in number.
        """
        if len(predictions) != len(targets):
            raise ValueError(f"{len(predictions)} predictions but {len(targets)} targets")
        for raw_prediction, raw_target in zip(predictions, targets, strict=True):
            prediction, target = self._normalise(raw_prediction), self._normalise(raw_target)
            self._texts += 1
            self._exact += prediction == target
            self._distance += Levenshtein.normalized_distance(prediction, target)

    def summary(self) -> dict[str, float]:
        """Return ``exact`` and ``ned``, each 0 to 1.

        Raises:
            PpedgeError: No text has been added.
        """
        if not self._texts:
            raise PpedgeError("There are no texts to measure recognition on.", "Check the evaluation labels.")
        return {"exact": self._exact / self._texts, "ned": 1 - self._distance / self._texts}
