"""Text regions of detection labels as lines of text: which are lines, and why others are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ppedge.data.formats import IGNORED_TEXTS, UNREAD_TEXTS
from ppedge.data.labelled import DetSample, RecSample
from ppedge.data.regions import Polygon, can_be_cut_out, quad_of


def rec_samples_from_detection(samples: Iterable[DetSample]) -> list[RecSample]:
    """Return the readable regions of detection labels as lines of text.

    Left out are regions that are ignored, have no transcription, or are too thin to be cut out. A region of four points
    keeps their order, which tells where the text starts; one of more points becomes its minimum-area rectangle.
    """
    return [
        RecSample(sample.image, text, sample.where, quad_of(polygon), ratio=sample.ratio)
        for sample in samples
        for polygon, text, ignored in zip(sample.polygons, sample.texts, sample.ignore, strict=True)
        if _unusable(polygon, text, ignored) is None
    ]


def count_ignored(samples: Iterable[DetSample]) -> dict[str, int]:
    """Count the ignored regions by what marks them as such."""
    return dict(Counter(_ignored_as(t) for s in samples for t, i in zip(s.texts, s.ignore, strict=True) if i))


def count_unusable(samples: Iterable[DetSample]) -> dict[str, int]:
    """Count the regions that `rec_samples_from_detection` leaves out, by the reason."""
    reasons = (
        _unusable(polygon, text, ignored)
        for sample in samples
        for polygon, text, ignored in zip(sample.polygons, sample.texts, sample.ignore, strict=True)
    )
    return dict(Counter(reason for reason in reasons if reason is not None))


def _unusable(polygon: Polygon, text: str, ignored: bool) -> str | None:
    """Return why a region is no line of text to learn, or None."""
    if ignored:
        return _ignored_as(text)
    if not text.strip():
        return "without a text"
    if set(text) & set("\t\r\n"):
        return "with a tab or a line break in the text"
    return None if can_be_cut_out(quad_of(polygon)) else "too thin to be cut out"


def _ignored_as(text: str) -> str:
    """Return what marks an ignored region with this text as such."""
    if text.strip() in IGNORED_TEXTS:
        return f"marked {' or '.join(IGNORED_TEXTS)}"
    return "not read yet" if text.strip() in UNREAD_TEXTS else "marked difficult"
