"""The task's metric over labelled samples, for whatever engine: one code for training's evaluation and validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ppedge.data.labelled import ClsSample, DetSample, RecSample
from ppedge.data.pictures import cut_out
from ppedge.metrics.scores import ClsMetric, DetMetric, Metric, RecMetric
from ppedge.ocr.direction import turn
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Classifier, Detector, Network, Recognizer
from ppedge.ocr.spec import ModelSpec

RANKING = {"det": ("hmean",), "rec": ("exact", "ned"), "cls": ("accuracy",)}
"""The metrics that order networks, the first one first; each next one breaks ties."""
MAIN_METRIC = {task: names[0] for task, names in RANKING.items()}
CROPS_AT_ONCE = 256


def evaluate(
    engine: Network, spec: ModelSpec, samples: Sequence[Any], normalise: str = "strict", **options: Any
) -> dict[str, float]:
    """Run the samples through an engine and compare with their labels; the arguments are those of `measure`.

    Returns:
        ``precision``, ``recall``, ``hmean``; or ``exact`` and ``ned``; or ``accuracy``.

    Raises:
        PpedgeError: A picture cannot be read, or there are no samples.
    """
    return measure(engine, spec, samples, normalise, **options).summary()


def measure(
    engine: Network,
    spec: ModelSpec,
    samples: Sequence[Any],
    normalise: str = "strict",
    *,
    ignore: str = "",
    batch_size: int = 16,
    advance: Callable[[int], None] = lambda steps: None,
) -> Metric:
    """Run the samples through an engine and return the metric, which has taken them in one by one, in their order.

    The network computes what it computes on a phone: lines of text share a call only where they are equally wide.

    Args:
        engine: The network.
        spec: Its pre- and post-processing.
        samples: `DetSample` for a detector, `RecSample` for a recogniser, `ClsSample` for a classifier.
        normalise: For a recogniser, how texts are compared.
        ignore: For a recogniser, characters that are left out of the texts before.
        batch_size: For a recogniser or classifier, most lines in one call of the engine; 1 for engines that take no
            more.
        advance: Called with the number of samples done since the last call.

    Raises:
        PpedgeError: A picture cannot be read.
    """
    if spec.task == "det":
        assert spec.det_postprocess is not None
        value = spec.det_postprocess.box_thresh
        return measure_by_box_thresh(engine, spec, samples, [value], advance)[value]
    if spec.task == "rec":
        reader = Recognizer(engine, spec, batch_size=batch_size)
        return _measure_lines(reader, RecMetric(normalise, ignore), samples, advance)
    return _measure_lines(Classifier(engine, spec, batch_size=batch_size), ClsMetric(), samples, advance)


def measure_by_box_thresh(
    engine: Network,
    spec: ModelSpec,
    samples: Sequence[DetSample],
    thresholds: Sequence[float],
    advance: Callable[[int], None] = lambda steps: None,
) -> dict[float, DetMetric]:
    """Return a detector's metric by each of several ``box_thresh``, of each picture from one run of the network.

    A score drops its own box and no other, so among the boxes of the lowest threshold are those of every other one.

    Args:
        engine: The network.
        spec: Its pre- and post-processing; its own ``box_thresh`` does not matter.
        samples: To measure on.
        thresholds: Each 0 to 1.
        advance: Called with the number of samples done since the last call.

    Raises:
        PpedgeError: A picture cannot be read.
    """
    detector = Detector(engine, spec.with_box_thresh(min(thresholds)))
    metrics = {value: DetMetric() for value in thresholds}
    for sample in samples:
        boxes = detector(read_image(sample.image))
        for value, metric in metrics.items():
            metric.update([box.quad for box in boxes if box.score >= value], sample.polygons, sample.ignore)
        advance(1)
    return metrics


def _measure_lines(
    reader: Recognizer | Classifier,
    metric: RecMetric | ClsMetric,
    samples: Sequence[RecSample],
    advance: Callable[[int], None],
) -> RecMetric | ClsMetric:
    for begin in range(0, len(samples), CROPS_AT_ONCE):
        part = samples[begin : begin + CROPS_AT_ONCE]
        texts = reader(read_crops(part))
        metric.update([text.text for text in texts], [sample.text for sample in part])
        advance(len(part))
    return metric


def read_crops(samples: Sequence[RecSample]) -> list[np.ndarray]:
    """Read the samples' pictures (each file once in a row), cut their quads out and turn what is to be upside down.

    Raises:
        PpedgeError: A picture cannot be read, or a line cannot be cut out of it.
    """
    crops: list[np.ndarray] = []
    for path, group in groupby(samples, key=lambda sample: sample.image):
        image = read_image(path)
        crops += [_crop(image, sample) for sample in group]
    return crops


def _crop(image: np.ndarray, sample: RecSample) -> np.ndarray:
    crop = cut_out(image, sample)
    return turn(crop) if isinstance(sample, ClsSample) and sample.turned else crop
