"""The same samples through two engines: outputs, boxes, strings or directions, and the task's metric on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ppedge.errors import PpedgeError
from ppedge.metrics.accuracy import MAIN_METRIC, read_crops
from ppedge.metrics.agreement import BoxAgreement, TextAgreement
from ppedge.metrics.bootstrap import CONFIDENCE, RESAMPLES, Measured, paired_differences
from ppedge.metrics.drop import Drop
from ppedge.metrics.few import figures_of, pictures_of
from ppedge.metrics.scores import ClsMetric, DetMetric, RecMetric
from ppedge.metrics.tensors import TensorParity, TensorStatistics, tensor_parity
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Classifier, Detector, Network, Recognizer
from ppedge.ocr.preprocess import prepare_cls, prepare_det, prepare_rec
from ppedge.ocr.spec import ModelSpec
from ppedge.validate.shapes import FIRST, cls_shapes, det_shapes, rec_shapes
from ppedge.validate.workers import Series, Workers


@dataclass(frozen=True)
class Shape:
    """One of the shapes that a guest is tried on.

    Attributes:
        name: ``first``, ``wide``, ``tall``, ``tiny`` or ``flipped``.
        input_shape: (1, 3, H, W).
        tensors: The outputs compared.
    """

    name: str
    input_shape: tuple[int, ...]
    tensors: TensorParity

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"name": self.name, "input_shape": list(self.input_shape), **self.tensors.to_dict()}


@dataclass(frozen=True)
class Parity:
    """How two engines compare.

    Attributes:
        reference: Name of the engine that is right by definition.
        candidate: Name of the other.
        samples: How many went through both.
        pictures: That they are of.
        tensors: The network's outputs on the samples.
        agreement: Boxes, strings or directions, with the samples on which the two differ.
        metric: Name of the task's main metric.
        reference_metrics: The task's metrics on the reference.
        candidate_metrics: The task's metrics on the candidate.
        differences: Candidate less reference of each metric, with its confidence interval.
        figure: The main metric on the candidate, with its confidence interval.
        shapes: The network's outputs on inputs of unlike shapes, run one after the other in one process.
        repeat_differences: Values that the first of those shapes gave otherwise when it was run again after the
            others, compared bit by bit; all of them if even the output's shape changed.
        broken_outputs: Inputs, of samples and shapes, whose output on the candidate has another shape than on the
            reference, or values that are not finite.
    """

    reference: str
    candidate: str
    samples: int
    pictures: int
    tensors: TensorParity
    agreement: BoxAgreement | TextAgreement
    metric: str
    reference_metrics: dict[str, float]
    candidate_metrics: dict[str, float]
    differences: dict[str, Measured]
    figure: Measured
    shapes: list[Shape]
    repeat_differences: int
    broken_outputs: int

    def drop(self, limit: float | None = None) -> Drop:
        """Return the main metric's drop from reference to candidate, held against a limit."""
        name = self.metric
        values = self.reference_metrics[name], self.candidate_metrics[name]
        return Drop.of(name, *values, self.differences[name], limit)

    @property
    def max_difference(self) -> float:
        """The largest difference of any output value, of samples and shapes."""
        return max(self.tensors.max_difference, *(shape.tensors.max_difference for shape in self.shapes))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the samples that differ are the caller's to name."""
        return {
            "reference": self.reference,
            "candidate": self.candidate,
            "samples": self.samples,
            "of_pictures": self.pictures,
            "tensors": self.tensors.to_dict(),
            "agreement": self.agreement.to_dict(),
            "metric": {
                "main": self.metric,
                "reference": self.reference_metrics,
                "candidate": self.candidate_metrics,
                "difference": {name: value.to_dict() for name, value in self.differences.items()},
                "interval": [self.figure.low, self.figure.high],
                "confidence": CONFIDENCE,
                "resamples": RESAMPLES,
            },
            "shapes": [shape.to_dict() for shape in self.shapes],
            "repeat_differences": self.repeat_differences,
            "broken_outputs": self.broken_outputs,
        }


class _Played:
    """Gives an output that was computed before, so that post-processing and its checks are the pipeline's own."""

    def __init__(self, name: str, output: np.ndarray) -> None:
        self.name, self._output = name, output

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._output]


class _Road(Protocol):
    """A task's way from a sample to its metric, but for the network."""

    metrics: tuple[Any, Any]
    agreement: Any

    def read(self, sample: Any) -> np.ndarray: ...
    def prepare(self, picture: np.ndarray) -> np.ndarray: ...
    def shapes(self, picture: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]: ...
    def add(self, sample: Any, picture: np.ndarray, reference: Network, candidate: Network) -> None: ...


class _DetRoad:
    def __init__(self, spec: ModelSpec) -> None:
        assert spec.det_preprocess is not None
        self._spec, self._preprocess = spec, spec.det_preprocess
        self.metrics, self.agreement = (DetMetric(), DetMetric()), BoxAgreement()

    def read(self, sample: Any) -> np.ndarray:
        return read_image(sample.image)

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        return prepare_det(picture, self._preprocess)

    def shapes(self, picture: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
        return det_shapes(x)

    def add(self, sample: Any, picture: np.ndarray, reference: Network, candidate: Network) -> None:
        found = [Detector(network, self._spec)(picture) for network in (reference, candidate)]
        for metric, boxes in zip(self.metrics, found, strict=True):
            metric.update([box.quad for box in boxes], sample.polygons, sample.ignore)
        self.agreement.add(*found)


class _RecRoad:
    def __init__(self, spec: ModelSpec, normalise: str, ignore: str) -> None:
        assert spec.rec_preprocess is not None
        self._spec, self._preprocess = spec, spec.rec_preprocess
        self.metrics = RecMetric(normalise, ignore), RecMetric(normalise, ignore)
        self.agreement = TextAgreement()

    def read(self, sample: Any) -> np.ndarray:
        return read_crops([sample])[0]

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        return prepare_rec([picture], self._preprocess)

    def shapes(self, picture: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
        return rec_shapes(picture, self._preprocess)

    def add(self, sample: Any, picture: np.ndarray, reference: Network, candidate: Network) -> None:
        read = [Recognizer(network, self._spec, batch_size=1)([picture])[0] for network in (reference, candidate)]
        for metric, text in zip(self.metrics, read, strict=True):
            metric.update([text.text], [sample.text])
        self.agreement.add(sample.text, *read)


class _ClsRoad:
    def __init__(self, spec: ModelSpec) -> None:
        assert spec.cls_preprocess is not None
        self._spec, self._preprocess = spec, spec.cls_preprocess
        self.metrics, self.agreement = (ClsMetric(), ClsMetric()), TextAgreement()

    def read(self, sample: Any) -> np.ndarray:
        return read_crops([sample])[0]

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        return prepare_cls([picture], self._preprocess)

    def shapes(self, picture: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
        return cls_shapes(picture, self._preprocess)

    def add(self, sample: Any, picture: np.ndarray, reference: Network, candidate: Network) -> None:
        told = [Classifier(network, self._spec)([picture])[0] for network in (reference, candidate)]
        for metric, direction in zip(self.metrics, told, strict=True):
            metric.update([direction.text], [sample.text])
        self.agreement.add(sample.text, *told)


def _road(spec: ModelSpec, normalise: str, ignore: str) -> _Road:
    if spec.task == "det":
        return _DetRoad(spec)
    return _RecRoad(spec, normalise, ignore) if spec.task == "rec" else _ClsRoad(spec)


@dataclass(frozen=True)
class _Sample:
    sample: Any
    picture: np.ndarray
    names: tuple[str, ...]  # of the shapes that are run after it


def compare(
    reference: Network,
    candidates: Workers[Any],
    spec: ModelSpec,
    samples: Sequence[Any],
    normalise: str = "strict",
    *,
    ignore: str = "",
    seed: int = 0,
    advance: Callable[[int], None] = lambda steps: None,
    differs: Callable[[np.ndarray, np.ndarray, np.ndarray], None] = lambda x, reference, candidate: None,
) -> Parity:
    """Run samples through two engines, one line of text at a time, and compare on three levels.

    The process that has the first sample then gets the inputs of `ppedge.validate.shapes`, and the first of those once
    more at the end.

    Args:
        reference: The engine that is right by definition.
        candidates: Engines with the model under test.
        spec: Pre- and post-processing, the same for both.
        samples: Labelled samples.
        normalise: For a recogniser, how texts are compared with labels.
        ignore: For a recogniser, characters that are left out of the texts before.
        seed: Of the confidence intervals.
        advance: Called with the number of samples that have been through both.
        differs: Called for each sample on which the two do not agree, with the network's input and both outputs.

    Raises:
        PpedgeError: An engine failed, an output is not the task's, a picture cannot be read, or there are no samples.
    """
    if not samples:
        raise PpedgeError("There are no samples to compare two engines on.", "Check the evaluation labels.")
    road = _road(spec, normalise, ignore)
    statistics, shapes, repeats, broken = TensorStatistics(), [], 0, 0
    for tag, inputs, outputs in candidates.run(_work(road, samples)):
        expected = reference.run(inputs[:1])[0]
        statistics.add(expected, outputs[0])
        agreed = len(road.agreement.different)
        road.add(tag.sample, tag.picture, _Played(reference.name, expected), _Played(candidates.name, outputs[0]))
        if len(road.agreement.different) > agreed:
            differs(inputs[0], expected, outputs[0])
        for name, x, y in zip(tag.names, inputs[1:], outputs[1:], strict=False):  # the last is the first once more
            shapes.append(Shape(name, x.shape, tensor_parity(reference.run([x])[0], y)))
            broken += not _usable(shapes[-1].tensors)
        if tag.names:
            repeats = changed_values(outputs[1], outputs[-1])
        advance(1)
    first, second = road.metrics
    return Parity(
        reference.name,
        candidates.name,
        len(samples),
        pictures_of(samples),
        statistics.result(),
        road.agreement,
        MAIN_METRIC[spec.task],
        first.summary(),
        second.summary(),
        paired_differences(first.figures, first.rows(), second.rows(), seed=seed),
        figures_of(second, samples)[MAIN_METRIC[spec.task]],
        shapes,
        repeats,
        statistics.broken + broken,
    )


def _work(road: _Road, samples: Sequence[Any]) -> Iterator[tuple[_Sample, Series]]:
    for index, sample in enumerate(samples):
        picture = road.read(sample)
        x = road.prepare(picture)
        shapes = road.shapes(picture, x) if index == 0 else {}
        again = [shapes[FIRST]] if shapes else []
        yield _Sample(sample, picture, tuple(shapes)), [x, *shapes.values(), *again]


def _usable(tensors: TensorParity) -> bool:
    return bool(np.isfinite(tensors.max_difference))


def changed_values(first: np.ndarray, again: np.ndarray) -> int:
    """Return how many values of two outputs differ in any bit; all of them if the outputs differ in shape or type."""
    if first.shape != again.shape or first.dtype != again.dtype:
        return max(first.size, again.size, 1)
    bits = [np.ascontiguousarray(y).view(np.uint8).reshape(-1, y.itemsize) for y in (first, again)]
    return int((bits[0] != bits[1]).any(axis=1).sum())
