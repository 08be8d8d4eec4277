"""The same inputs through two engines: how far the outputs differ, and the task's metric on both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ppedge.engines.base import Engine
from ppedge.ocr.spec import ModelSpec
from ppedge.validate.accuracy import evaluate


@dataclass(frozen=True)
class Parity:
    """How two engines compare on the same samples.

    Attributes:
        reference: Name of the first engine.
        candidate: Name of the second.
        samples: How many went through both.
        max_difference: Largest absolute difference of any output value.
        mean_difference: Mean absolute difference of all output values.
        reference_metrics: The task's metrics on the first.
        candidate_metrics: The task's metrics on the second.
    """

    reference: str
    candidate: str
    samples: int
    max_difference: float
    mean_difference: float
    reference_metrics: dict[str, float]
    candidate_metrics: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values: a difference that is not finite is null."""
        differences = {"max_difference": self.max_difference, "mean_difference": self.mean_difference}
        return {**asdict(self), **{name: finite(value) for name, value in differences.items()}}


def finite(value: float) -> float | None:
    """Return the value, or None for what JSON has no number for."""
    return value if math.isfinite(value) else None


class _Recorder:
    """Keeps what an engine puts out."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.name = engine, engine.name
        self.outputs: list[np.ndarray] = []

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        outputs = self.engine.run(inputs)
        self.outputs.append(outputs[0])
        return outputs


def compare(
    reference: Engine,
    candidate: Engine,
    spec: ModelSpec,
    samples: Sequence[Any],
    normalise: str,
    advance: Callable[[int], None] = lambda steps: None,
) -> Parity:
    """Run samples through two engines, one line of text at a time, and compare.

    Args:
        reference: The engine that is right by definition.
        candidate: The engine under test.
        spec: Pre- and post-processing, the same for both.
        samples: Labelled samples.
        normalise: For a recogniser, how texts are compared with labels.
        advance: Called with the number of samples that the candidate has done.

    Raises:
        PpedgeError: An engine failed, or the two give different shapes.
    """
    metrics, outputs = [], []
    for engine, tell in ((reference, lambda steps: None), (candidate, advance)):
        recorder = _Recorder(engine)
        metrics.append(evaluate(recorder, spec, samples, normalise, batch_size=1, advance=tell))
        outputs.append(recorder.outputs)
    differences = [difference(a, b) for a, b in zip(*outputs, strict=True)]
    count = sum(output.size for output in outputs[0])
    return Parity(
        reference.name,
        candidate.name,
        len(samples),
        max((float(d.max()) for d in differences), default=0.0),
        float(sum(float(d.sum()) for d in differences) / max(count, 1)),
        metrics[0],
        metrics[1],
    )


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return |a - b| in float64; outputs of different shapes, and values that are not finite, differ infinitely."""
    if a.shape != b.shape:
        return np.full(1, np.inf)
    found = np.abs(a.astype(np.float64) - b)
    return np.where(np.isfinite(found), found, np.inf)
