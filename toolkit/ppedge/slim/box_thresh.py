"""What a slimmed detector's boxes must score to be taken.

A network of which little is left finds the same regions as before and is less sure of them: their mean probability
falls below ``det_postprocess.box_thresh``, and they are lost. To make its map surer, by a temperature or a shift of
what the last sigmoid is given, brings less back: it makes those pixels of a region weaker that are below one half. So
the threshold is moved, and goes with the network wherever that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paddle import nn

from ppedge.metrics.accuracy import measure_by_box_thresh
from ppedge.metrics.bootstrap import paired_differences
from ppedge.metrics.scores import DetMetric
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
    with stage.reporter.task("box_thresh", len(samples)) as bar:
        metrics = measure_by_box_thresh(NetEngine(net), stage.task.spec, samples, thresholds, lambda _: bar.advance())
    counts = {value: metric.rows() for value, metric in metrics.items()}
    hmeans = {value: float(DetMetric.figures(found.sum(axis=0))["hmean"]) for value, found in counts.items()}
    best = max(hmeans, key=hmeans.__getitem__)
    gain = paired_differences(DetMetric.figures, counts[first], counts[best], seed=stage.recipe.seed)["hmean"]
    if best == first or gain.low is None or gain.high is None or gain.value < (gain.high - gain.low) / DEVIATIONS:
        return
    stage.found.box_thresh = best
    stage.task.spec = stage.task.spec.with_box_thresh(best)
    stage.reporter.say(
        f"det_postprocess.box_thresh {best:g} goes with the slimmed network, whose boxes score otherwise: hmean of the "
        f"{len(samples)} pictures that choose it is {hmeans[best]:.4f}, by {first:g} {hmeans[first]:.4f}; "
        f"slim.choose_box_thresh=false keeps {first:g}"
    )
