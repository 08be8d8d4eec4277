"""Parity of the task: do two engines find the same boxes, and read the same strings, or directions?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from ppedge.metrics.scores import intersections, valid_polygons
from ppedge.metrics.tensors import finite
from ppedge.ocr.ctc import Text
from ppedge.ocr.db import Box

SAME_IOU = 0.9
"""Two boxes are the same if their intersection over union is at least this."""


def match_boxes(
    first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike], min_iou: float = SAME_IOU
) -> list[tuple[int, int]]:
    """Pair the quads of two lists one to one, the best overlap first.

    Args:
        first: Quads (4, 2) in pixels.
        second: Likewise.
        min_iou: Smallest intersection over union of a pair.

    Returns:
        Pairs of indices, in the order of ``first``.
    """
    a, b = valid_polygons(first), valid_polygons(second)
    overlap = intersections(a, b)
    union = shapely.area(a)[:, None] + shapely.area(b)[None] - overlap
    iou = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    rows, columns = np.nonzero(iou >= min_iou)
    free_a, free_b = np.ones(len(a), bool), np.ones(len(b), bool)
    pairs = []
    for k in np.argsort(-iou[rows, columns], kind="stable"):
        i, j = int(rows[k]), int(columns[k])
        if free_a[i] and free_b[j]:
            free_a[i] = free_b[j] = False
            pairs.append((i, j))
    return sorted(pairs)


@dataclass(frozen=True)
class BoxDifference:
    """A picture in which the two engines do not find the same boxes.

    Attributes:
        sample: Its index.
        both: Quads (4, 2) that both found, as the reference has them.
        reference: Quads that the reference alone found.
        candidate: Quads that the candidate alone found.
    """

    sample: int
    both: list[np.ndarray]
    reference: list[np.ndarray]
    candidate: list[np.ndarray]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts: boxes of both sides, and how many of them were matched."""
        matched = len(self.both)
        return {
            "reference": matched + len(self.reference),
            "candidate": matched + len(self.candidate),
            "matched": matched,
        }


class BoxAgreement:
    """Boxes of both engines, matched one to one at IoU 0.9.

    Attributes:
        reference: Boxes of the reference, in all pictures.
        candidate: Boxes of the candidate.
        matched: Pairs.
        different: The pictures with an unmatched box.
    """

    def __init__(self) -> None:
        self.reference = self.candidate = self.matched = self._pictures = 0
        self.different: list[BoxDifference] = []

    def add(self, reference: Sequence[Box], candidate: Sequence[Box]) -> None:
        """Take in the next picture's boxes."""
        first, second = [box.quad for box in reference], [box.quad for box in candidate]
        pairs = match_boxes(first, second)
        self.reference += len(first)
        self.candidate += len(second)
        self.matched += len(pairs)
        if len(first) + len(second) > 2 * len(pairs):
            of_first, of_second = {i for i, _ in pairs}, {j for _, j in pairs}
            self.different.append(
                BoxDifference(
                    self._pictures,
                    [quad for i, quad in enumerate(first) if i in of_first],
                    [quad for i, quad in enumerate(first) if i not in of_first],
                    [quad for j, quad in enumerate(second) if j not in of_second],
                )
            )
        self._pictures += 1

    @property
    def found(self) -> int:
        """Boxes of the reference, in all pictures."""
        return self.reference

    @property
    def share(self) -> float:
        """2 matched / (reference + candidate), 0 to 1; 0 if neither found any: that shows no agreement."""
        return 2 * self.matched / max(self.reference + self.candidate, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, without the pictures."""
        return {
            "share": self.share,
            "reference": self.reference,
            "candidate": self.candidate,
            "matched": self.matched,
        }


@dataclass(frozen=True)
class TextDifference:
    """A line that the two engines read differently.

    Attributes:
        sample: Its index.
        label: What it says.
        reference: As the reference reads it.
        candidate: As the candidate reads it.
    """

    sample: int
    label: str
    reference: Text
    candidate: Text

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; a score that is not finite is null."""
        return {
            "label": self.label,
            "reference": {"text": self.reference.text, "score": finite(self.reference.score)},
            "candidate": {"text": self.candidate.text, "score": finite(self.candidate.score)},
        }


class TextAgreement:
    """Lines as both engines read them; equal means the same characters, nothing is normalised.

    A classifier's directions are such texts too: ``"0"`` or ``"180"``.

    Attributes:
        lines: How many.
        found: Those in which the reference reads any text.
        different: Those read differently.
    """

    def __init__(self) -> None:
        self.lines = self.found = 0
        self.different: list[TextDifference] = []

    def add(self, label: str, reference: Text, candidate: Text) -> None:
        """Take in the next line."""
        if reference.text != candidate.text:
            self.different.append(TextDifference(self.lines, label, reference, candidate))
        self.lines += 1
        self.found += bool(reference.text)

    @property
    def share(self) -> float:
        """Lines that are equal / lines, 0 to 1; 0 if there are none."""
        return (self.lines - len(self.different)) / max(self.lines, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, without the lines."""
        equal = self.lines - len(self.different)
        return {"share": self.share, "lines": self.lines, "found": self.found, "equal": equal}
