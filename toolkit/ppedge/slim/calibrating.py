"""What quantization starts from: pictures, channels equalized by them, and the clip of each layer's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import paddle

from ppedge.models.network import Network
from ppedge.recipe.sizes import trace_shape
from ppedge.slim.context import Stage, batches
from ppedge.slim.int8 import pact
from ppedge.slim.int8.equalize import equalize, places
from ppedge.slim.plan import Plan, apply_plan


@dataclass(frozen=True)
class Calibration:
    """Pictures to quantize by, and the magnitude that each layer's input is clipped to."""

    batches: list[paddle.Tensor]
    clips: dict[str, float]


def calibration_of(stage: Stage, net: Network, plan: Plan) -> Calibration:
    """Return calibration batches and each layer's clip; ``net`` is frozen (BatchNorm) and in eval mode from here on.

    Where the recipe asks for it the network is equalized first; it computes the same.
    """
    settings = stage.recipe.slim.quant
    count = min(settings.samples, len(stage.train))
    # Of hundreds of samples this takes minutes, in which nothing else is said.
    which = "slim.quant.samples says on how many" if count == settings.samples else "there are no more"
    stage.reporter.say(f"calibrating on {count} training samples; {which}")
    pictures = list(batches(stage, count, settings.train.batch_size))
    if settings.equalize:
        _equalize(stage, net, plan, pictures)
    return Calibration(pictures, pact.measure_clips(net, pictures, settings.percentile, settings.min_clip))


def form_of(stage: Stage, plan: Plan) -> Network:
    """Return a network of a plan's form, with weights of its own."""
    form = stage.task.build_shipped()
    apply_plan(form, plan)
    return form


def _equalize(stage: Stage, net: Network, plan: Plan, pictures: Sequence[paddle.Tensor]) -> None:
    """Equalize the network, and say where."""
    uneven = equalize(net, places(form_of(stage, plan), trace_shape(stage.recipe)), pictures)
    if not uneven:
        stage.reporter.say("equalized nothing: no convolution alone reads what a BatchNorm or a ReLU behind it gives")
        return
    most = max(uneven, key=lambda name: uneven[name])
    stage.reporter.say(
        f"equalized what {len(uneven)} layers read; of {most}'s the largest channel was {uneven[most]:.1f} times the "
        "median one"
    )
