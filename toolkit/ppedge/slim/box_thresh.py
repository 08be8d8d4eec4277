"""What a slimmed detector's boxes must score to be taken.

A network of which little is left finds the same regions as before and is less sure of them: their mean probability
falls below ``det_postprocess.box_thresh``, and they are lost. To make its map surer, by a temperature or a shift of
what the last sigmoid is given, brings less back: it makes those pixels of a region weaker that are below one half. So
the threshold is moved, and goes with the network wherever that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from paddle import nn

from ppedge.data.source import spread
from ppedge.metrics.accuracy import measure
from ppedge.ocr.spec import ModelSpec
from ppedge.slim.context import Stage
from ppedge.train.task import NetEngine

STEPS = (-0.05, 0.05, -0.1, 0.1, -0.15, -0.2, -0.25, -0.3)
"""From the recipe's threshold; of equals the first is taken."""
LEAST_GAIN = 0.005
"""Of hmean; less may be chance, and the threshold stays what people know."""
PICTURES = 40


def choose_box_thresh(stage: Stage, net: nn.Layer) -> None:
    """Choose the threshold with which a detector has the largest hmean on the evaluation data.

    From here on the stage's task measures by it.

    Args:
        stage: The slim stage; `Findings.box_thresh` becomes the threshold, where it is another than the recipe's.
        net: Stays as it is.
    """
    first = stage.recipe.det_postprocess.box_thresh
    if stage.recipe.task != "det" or not stage.recipe.slim.choose_box_thresh:
        return
    samples = spread(stage.eval, PICTURES)
    others = [value for step in STEPS if 0 < (value := round(first + step, 4)) < 1]
    recorded = _Recorded(net)
    with stage.reporter.task("box_thresh", 1 + len(others)) as bar:
        found = {first: measure(recorded, stage.task.spec, samples).summary()["hmean"]}
        bar.advance()
        for value in others:
            spec = _at(stage.task.spec, value)
            found[value] = measure(_Replayed(recorded.maps), spec, samples).summary()["hmean"]
            bar.advance()
    best = max(found, key=found.__getitem__)
    if found[best] - found[first] < LEAST_GAIN:
        return
    stage.found.box_thresh = best
    stage.task.spec = _at(stage.task.spec, best)
    stage.reporter.say(
        f"det_postprocess.box_thresh {best:g} goes with the slimmed network, whose boxes score otherwise: hmean on "
        f"data.eval is {found[best]:.4f}, by {first:g} {found[first]:.4f}; slim.choose_box_thresh=false keeps {first:g}"
    )


def _at(spec: ModelSpec, box_thresh: float) -> ModelSpec:
    assert spec.det_postprocess is not None
    return replace(spec, det_postprocess=replace(spec.det_postprocess, box_thresh=box_thresh))


class _Recorded(NetEngine):
    """Keeps the maps of all that it was given, in their order."""

    def __init__(self, net: nn.Layer) -> None:
        super().__init__(net)
        self.maps: list[np.ndarray] = []

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = super().run(inputs)
        self.maps += found
        return found


class _Replayed:
    """Gives recorded maps once more, in their order."""

    name = "recorded"

    def __init__(self, maps: Sequence[np.ndarray]) -> None:
        self._maps = iter(maps)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the next map, whatever the input is."""
        return [next(self._maps)]
