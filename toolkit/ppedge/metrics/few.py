"""How little a figure says that is measured on few samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ppedge.data.split import original_of
from ppedge.metrics.accuracy import MAIN_METRIC
from ppedge.metrics.bootstrap import CONFIDENCE, Measured, intervals
from ppedge.metrics.scores import Metric

FEW = {"det": 30, "rec": 100, "cls": 200}
"""Fewer pictures of a detector, lines of a recogniser, or lines of a classifier, each both ways, say little: of 100
lines nine right in ten mean .83 to .95."""
_SAMPLES = {"det": "pictures", "rec": "lines", "cls": "lines, upright and turned,"}
_SEED = 0
_QUANTILE = 1.96
"""Of the normal distribution, for an interval of 95 %."""


def figures_of(metric: Metric, samples: Sequence[Any]) -> dict[str, Measured]:
    """Return a metric's figures with their intervals, for which whole pictures are drawn anew.

    Lines of one picture have its print, light and blur, and are right or wrong together: an interval for which lines
    were drawn would be too narrow for others (Field and Welsh 2007, "Bootstrapping Clustered Data").

    Args:
        metric: It has taken in these samples, in this order.
        samples: Of a detector, recogniser or classifier.

    Raises:
        ValueError: There is no sample, or the metric has taken in others.
    """
    rows, pictures = metric.rows(), _pictures(samples)
    if len(rows) != len(pictures):
        raise ValueError(f"a metric of {len(rows)} samples, and {len(pictures)} samples")
    summed = np.zeros((len(set(pictures)), rows.shape[1]))
    np.add.at(summed, pictures, rows)
    return intervals(metric.figures, summed, seed=_SEED)


def told(figure: Measured) -> str:
    """Return a figure with its interval, where it has one: ``0.8123 (0.750 to 0.870)``."""
    interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.4f}{interval}"


def pictures_of(samples: Sequence[Any]) -> int:
    """Return of how many pictures samples are: lines that were cut out of one share it, all others have their own."""
    return len(set(_pictures(samples)))


def _pictures(samples: Sequence[Any]) -> list[int]:
    """Number the samples' pictures from 0 on: a line's says its label, or its name if it was cut out before."""
    numbers: dict[str, int] = {}
    names = (
        str(sample.image) if getattr(sample, "quad", None) is not None else original_of(str(sample.image))
        for sample in samples
    )
    return [numbers.setdefault(name, len(numbers)) for name in names]


def few(task: str, data: str, count: int, figure: Measured, more: str, pictures: int | None = None) -> str | None:
    """Return a sentence on how little a task's main figure says; None where it is of enough samples.

    Args:
        task: ``det``, ``rec`` or ``cls``; ``det`` also for whole pictures that are read.
        data: What is measured: ``data.eval``, or a label file.
        count: Of its samples that were.
        figure: The main metric.
        more: What to do about it.
        pictures: That the samples are of, see `pictures_of`; None where nobody knows.
    """
    alike = pictures is not None and pictures < min(count, FEW["det"])
    if count >= FEW[task] and not alike:
        return None
    of_pictures = f" of {pictures} pictures" if alike else ""
    start = f"note: {count} {_SAMPLES[task]}{of_pictures} of {data} say little"
    low, high = _range(figure, count if pictures is None else min(count, pictures))
    if low is None or low == high:
        return f"{start} of {MAIN_METRIC[task]}; {more}"
    return (
        f"{start}: {MAIN_METRIC[task]} is {figure.value:.4f}, and as many others of their kind may well give "
        f"{low:.3f} to {high:.3f} ({CONFIDENCE:.0%} interval); {more}"
    )


def _range(figure: Measured, count: int) -> tuple[float | None, float | None]:
    """Return a figure's interval; where all samples are right, or none, that of a share of them by Wilson's score.

    Drawn anew, samples that are all alike give one figure for ever, which says nothing of others (Wilson 1927,
    "Probable Inference, the Law of Succession, and Statistical Inference").
    """
    if figure.low is None or figure.low != figure.high or figure.value not in (0, 1):
        return figure.low, figure.high
    width = _QUANTILE**2 / (count + _QUANTILE**2)
    return (0.0, width) if figure.value == 0 else (1 - width, 1.0)


def few_of(task: str, split: str, metric: Metric, samples: Sequence[Any]) -> str | None:
    """Return the sentence of `few` on what a whole split was measured by, samples that the metric has taken in."""
    figure, pictures = figures_of(metric, samples)[MAIN_METRIC[task]], pictures_of(samples)
    named = "pictures" if pictures < len(samples) else _SAMPLES[task].split(",")[0]
    return few(task, f"data.{split}", len(metric.rows()), figure, f"name more {named} in data.{split}", pictures)
