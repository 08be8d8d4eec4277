"""What a slimmed detector's boxes must score to be taken.

A network of which little is left finds the same regions as before and is less sure of them: their mean probability
falls below ``det_postprocess.box_thresh``, and they are lost. To make its map surer, by a temperature or a shift of
what the last sigmoid is given, brings less back: it makes those pixels of a region weaker that are below one half. So
the threshold is moved, and goes with the network wherever that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from paddle import nn

from ppedge.metrics.accuracy import measure
from ppedge.metrics.bootstrap import paired_differences
from ppedge.metrics.scores import DetMetric
from ppedge.ocr.spec import ModelSpec
from ppedge.slim.context import Stage
from ppedge.train.task import NetEngine

STEPS = (-0.05, 0.05, -0.1, 0.1, -0.15, -0.2, -0.25, -0.3)
"""From the recipe's threshold; of equals the first is taken."""
DEVIATIONS = 4
"""So many standard deviations is a 95 % interval wide. A gain of less than one of them may be chance, and the threshold
stays what people know."""


def choose_box_thresh(stage: Stage, net: nn.Layer, samples: Sequence[Any]) -> None:
    """Choose the threshold with which a detector has the largest hmean.

    From here on the stage's task measures by it.

    Args:
        stage: The slim stage; `Findings.box_thresh` becomes the threshold, where it is another than the recipe's.
        net: Stays as it is.
        samples: To measure on; none whose labels it has learned from, on which it is surer than on others.
    """
    first = stage.recipe.det_postprocess.box_thresh
    if stage.recipe.task != "det" or not stage.recipe.slim.choose_box_thresh:
        return
    thresholds = [first, *(value for step in STEPS if 0 < (value := round(first + step, 4)) < 1)]
    rows: dict[float, list[np.ndarray]] = {value: [] for value in thresholds}
    with stage.reporter.task("box_thresh", len(samples)) as bar:
        for sample in samples:
            once = _Once(net)
            for value in thresholds:
                rows[value].append(measure(once, _at(stage.task.spec, value), [sample]).rows())
            bar.advance()
    counts = {value: np.concatenate(found) for value, found in rows.items()}
    hmeans = {value: float(DetMetric.figures(found.sum(axis=0))["hmean"]) for value, found in counts.items()}
    best = max(hmeans, key=hmeans.__getitem__)
    gain = paired_differences(DetMetric.figures, counts[first], counts[best], seed=stage.recipe.seed)["hmean"]
    if best == first or gain.low is None or gain.high is None or gain.value < (gain.high - gain.low) / DEVIATIONS:
        return
    stage.found.box_thresh = best
    stage.task.spec = _at(stage.task.spec, best)
    stage.reporter.say(
        f"det_postprocess.box_thresh {best:g} goes with the slimmed network, whose boxes score otherwise: hmean of the "
        f"{len(samples)} pictures that choose it is {hmeans[best]:.4f}, by {first:g} {hmeans[first]:.4f}; "
        f"slim.choose_box_thresh=false keeps {first:g}"
    )


def _at(spec: ModelSpec, box_thresh: float) -> ModelSpec:
    assert spec.det_postprocess is not None
    return replace(spec, det_postprocess=replace(spec.det_postprocess, box_thresh=box_thresh))


class _Once(NetEngine):
    """Runs the network once, and gives again what came of it: of one picture, whatever is made of its map."""

    def __init__(self, net: nn.Layer) -> None:
        super().__init__(net)
        self._found: list[np.ndarray] | None = None

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self._found is None:
            self._found = super().run(inputs)
        return self._found
