"""Pictures of what two engines do not agree on, and its place in the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.metrics.accuracy import read_crops
from ppedge.metrics.agreement import BoxDifference, TextDifference
from ppedge.ocr.draw import draw_boxes, draw_readings, jpeg
from ppedge.ocr.image_file import read_image

FOLDER = "differences"
MOST_DRAWN = 20
_LONGEST = 1600  # pixels of a drawn picture's longer side


def report_differences(
    different: Sequence[BoxDifference | TextDifference],
    samples: Sequence[Any],
    root: Path,
    folder: Path,
    stem: str,
    most: int = MOST_DRAWN,
) -> list[dict[str, Any]]:
    """Draw the first samples on which two engines differ and describe all of them.

    Args:
        different: What differs.
        samples: All samples that were compared.
        root: Of the data: pictures are named relative to it.
        folder: The stage's working folder; the drawings go below it.
        stem: What the drawings' names begin with.
        most: How many are drawn.

    Returns:
        For each: ``picture``, ``where`` (its label), ``box`` (a crop's quad in the picture, or null), the figures of
        the difference, and ``drawing`` (a file below ``folder``, or null).

    Raises:
        PpedgeError: A picture cannot be read any more.
    """
    found = []
    for number, difference in enumerate(different):
        sample = samples[difference.sample]
        quad = getattr(sample, "quad", None)
        drawing = None
        if number < most:
            drawing = f"{FOLDER}/{stem}.{difference.sample:04}.jpg"
            path = folder / drawing
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(_drawn(difference, sample), _LONGEST))
        found.append(
            {
                "picture": _below(str(sample.image), root),
                "where": _below(sample.where, root),
                "box": None if quad is None else np.round(quad.astype(float), 1).tolist(),
                **difference.to_dict(),
                "drawing": drawing,
            }
        )
    return found


def _below(path: str, root: Path) -> str:
    return path.removeprefix(f"{root}/")


def _drawn(difference: BoxDifference | TextDifference, sample: Any) -> np.ndarray:
    """The reference's boxes on the left, the candidate's on the right, what the other lacks in red; or the readings."""
    if isinstance(difference, TextDifference):
        return draw_readings(
            read_crops([sample])[0],
            [("label", difference.label), ("PC", difference.reference.text), ("ARM", difference.candidate.text)],
        )
    image = read_image(sample.image)
    sides = [draw_boxes(image, difference.both, only) for only in (difference.reference, difference.candidate)]
    return np.hstack(sides)
