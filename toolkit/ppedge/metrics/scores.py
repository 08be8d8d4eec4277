"""Metrics of text detection, recognition and direction: `update` with samples, `summary`, `reset`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from rapidfuzz.distance import Levenshtein

from ppedge.errors import PpedgeError

MIN_IOU = 0.5
"""A detection matches a region if their intersection over union is more than this."""

IGNORED_SHARE = 0.5
"""A detection is neither right nor wrong if more than this share of its own area lies in one ignored region."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """What the detections in a picture are worth.

    Attributes:
        pairs: Matches, a detection's index and its region's, in the regions' order.
        counts: (N,), bool: whether each detection is right or wrong; the others lie on ignored regions.
    """

    pairs: list[tuple[int, int]]
    counts: npt.NDArray[np.bool_]


def pair_with_regions(
    detections: Sequence[npt.ArrayLike], regions: Sequence[npt.ArrayLike], ignored: Sequence[bool]
) -> Pairing:
    """Match the detections in a picture with its regions one to one, as `DetMetric` says.

    Args:
        detections: Polygons (K, 2), K >= 3, in pixels; what intersects itself is split into valid parts first.
        regions: The ground truth, likewise.
        ignored: For each region, whether it is to be ignored.

    Raises:
        ValueError: ``regions`` and ``ignored`` differ in length.
    """
    if len(regions) != len(ignored):
        raise ValueError(f"{len(regions)} regions but {len(ignored)} ignore flags")
    found, truth = valid_polygons(detections), valid_polygons(regions)
    ignore = np.asarray(ignored, dtype=bool)
    overlap = intersections(found, truth)
    own, area = shapely.area(found)[:, None], shapely.area(truth)[None]
    counts = ~(overlap[:, ignore] > IGNORED_SHARE * own).any(axis=1)
    fits = (overlap > MIN_IOU * (own + area - overlap)) & counts[:, None]
    free = counts.copy()
    pairs = []
    for region in np.flatnonzero(~ignore).tolist():
        candidates = np.flatnonzero(fits[:, region] & free)
        if candidates.size:
            free[candidates[0]] = False
            pairs.append((int(candidates[0]), region))
    return Pairing(pairs, counts)


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
        self._rows: list[tuple[int, int, int]] = []

    def update(
        self, detections: Sequence[npt.ArrayLike], regions: Sequence[npt.ArrayLike], ignored: Sequence[bool]
    ) -> None:
        """Add one picture; the arguments are those of `pair_with_regions`.

        Raises:
            ValueError: ``regions`` and ``ignored`` differ in length.
        """
        pairing = pair_with_regions(detections, regions, ignored)
        self._rows.append((len(pairing.pairs), int(pairing.counts.sum()), len(ignored) - sum(map(bool, ignored))))

    def rows(self) -> np.ndarray:
        """Return (N, 3), float64: matches, detections and regions of each picture, in the order of `update`."""
        return np.array(self._rows, np.float64).reshape(-1, 3)

    @staticmethod
    def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``precision``, ``recall`` and ``hmean`` of rows summed over pictures, (..., 3) to (...)."""
        matches, detections, regions = np.moveaxis(sums, -1, 0)
        return {
            "precision": matches / np.maximum(detections, 1),
            "recall": matches / np.maximum(regions, 1),
            "hmean": 2 * matches / np.maximum(detections + regions, 1),
        }

    def summary(self) -> dict[str, float]:
        """Return ``precision``, ``recall`` and ``hmean``, each 0 to 1.

        Raises:
            PpedgeError: No picture has been added.
        """
        if not self._rows:
            raise PpedgeError("There are no pictures to measure detection on.", "Check the evaluation labels.")
        return {name: float(value) for name, value in self.figures(self.rows().sum(axis=0)).items()}


def valid_polygons(polygons: Sequence[npt.ArrayLike]) -> np.ndarray:
    """Return polygons (K, 2) as valid ones of shapely's, (N,) of objects."""
    shapes = [shapely.polygons(np.asarray(polygon, dtype=np.float64)) for polygon in polygons]
    return np.asarray(shapely.make_valid(np.array(shapes, dtype=object)))


def intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the areas (N, M) in which two lists of valid polygons overlap."""
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
    "ignore_case": str.casefold,
    "upper_alnum": _upper_alnum,
}
"""How texts are changed before they are compared, from what forgives least to what forgives most; ``upper_alnum``
upper-cases and keeps letters and digits only."""
LOOSEST = "upper_alnum"
"""The one by which most texts are equal."""


class RecMetric:
    """Exact matches and normalised edit distance.

    With the Levenshtein distance d and the N pairs of texts (p, t), each normalised first:

        exact = (number of p = t) / N        ned = 1 - mean(d(p, t) / max(|p|, |t|))

    Two empty texts are equal, with d / max = 0. Note that ``ned`` is a similarity: 1 is best, as in "1-N.E.D" of the
    ICDAR 2019 challenges.

    Args:
        normalise: A key of `NORMALISERS`.
        ignore: Characters that are left out of both texts before that.

    Raises:
        PpedgeError: No such normalisation.

    Example:
        >>> metric = RecMetric("ignore_space")
        >>> metric.update(["a b", "cat"], ["ab", "cut!"])
        >>> metric.summary()
        {'exact': 0.5, 'ned': 0.75}
    """

    def __init__(self, normalise: str = "strict", ignore: str = "") -> None:
        if normalise not in NORMALISERS:
            raise PpedgeError(
                f"No text normalisation is called {normalise!r}.", f"Use one of {', '.join(NORMALISERS)}."
            )
        self._normalise = NORMALISERS[normalise]
        self._ignored = str.maketrans("", "", ignore)
        self.reset()

    def reset(self) -> None:
        """Forget all texts."""
        self._rows: list[tuple[int, float]] = []

    def update(self, predictions: Sequence[str], targets: Sequence[str]) -> None:
        """Add texts as read and as labelled.

        Raises:
            ValueError: They differ in number.
        """
        if len(predictions) != len(targets):
            raise ValueError(f"{len(predictions)} predictions but {len(targets)} targets")
        for texts in zip(predictions, targets, strict=True):
            prediction, target = map(self.compared, texts)
            self._rows.append((int(prediction == target), Levenshtein.normalized_distance(prediction, target)))

    def compared(self, text: str) -> str:
        """Return what of a text is compared."""
        return self._normalise(text.translate(self._ignored))

    def rows(self) -> np.ndarray:
        """Return (N, 3), float64: 1, whether it is equal (0 or 1) and its distance, of each text, as `update` went."""
        return np.array([(1, *row) for row in self._rows], np.float64).reshape(-1, 3)

    @staticmethod
    def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``exact`` and ``ned`` of rows summed over texts, (..., 3) to (...)."""
        texts, exact, distance = np.moveaxis(sums, -1, 0)
        return {"exact": exact / np.maximum(texts, 1), "ned": 1 - distance / np.maximum(texts, 1)}

    def summary(self) -> dict[str, float]:
        """Return ``exact`` and ``ned``, each 0 to 1.

        Raises:
            PpedgeError: No text has been added.
        """
        if not self._rows:
            raise PpedgeError("There are no texts to measure recognition on.", "Check the evaluation labels.")
        return {name: float(value) for name, value in self.figures(self.rows().sum(axis=0)).items()}


class ClsMetric:
    """Accuracy: the share of lines whose direction is told right.

    Example:
        >>> metric = ClsMetric()
        >>> metric.update(["0", "180", "180", "0"], ["0", "180", "0", "0"])
        >>> metric.summary()
        {'accuracy': 0.75}
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all lines."""
        self._right: list[bool] = []

    def update(self, predictions: Sequence[str], targets: Sequence[str]) -> None:
        """Add directions as told and as labelled.

        Raises:
            ValueError: They differ in number.
        """
        self._right += [prediction == target for prediction, target in zip(predictions, targets, strict=True)]

    def rows(self) -> np.ndarray:
        """Return (N, 2), float64: 1, and whether it is right (0 or 1), of each line, in the order of `update`."""
        return np.array([(1, right) for right in self._right], np.float64).reshape(-1, 2)

    @staticmethod
    def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``accuracy`` of rows summed over lines, (..., 2) to (...)."""
        lines, right = np.moveaxis(sums, -1, 0)
        return {"accuracy": right / np.maximum(lines, 1)}

    def summary(self) -> dict[str, float]:
        """Return ``accuracy``, 0 to 1.

        Raises:
            PpedgeError: No line has been added.
        """
        if not self._right:
            raise PpedgeError("There are no lines to measure directions on.", "Check the evaluation labels.")
        return {name: float(value) for name, value in self.figures(self.rows().sum(axis=0)).items()}


Metric = DetMetric | RecMetric | ClsMetric
