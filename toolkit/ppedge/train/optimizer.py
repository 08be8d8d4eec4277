"""Adam with L2 decay, and a learning rate that is a pure function of the step.

A schedule without state has nothing to save: a resumed run computes the same rate for the same step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import paddle
from paddle.regularizer import L2Decay

from ppedge.models.heads.ctc import CTCHead
from ppedge.recipe.train import Cosine, Piecewise, Schedule

USUAL = 0.05
"""Root mean square of a layer's weights below which `small_steps` slows it: about the least in networks that were
trained with BatchNorm (PP-OCR's have .03 to .5)."""
SLOWEST = 1e-3
"""Least factor of `small_steps`: a layer that begins at 0 must be able to leave it."""


def learning_rate(step: int, total: int, per_epoch: int, schedule: Schedule) -> float:
    """Return the rate of one step: a linear warm-up, then what the schedule's ``decay`` says.

    Milestones count from the start of the course, and a cosine reaches 0 at its end. PaddleOCR's decay begins when its
    warm-up is over, but is as long as the whole course: its steps come a warm-up later, and its cosine ends above 0.

    Args:
        step: From 0.
        total: Number of steps of the whole course, warm-up included.
        per_epoch: Steps of an epoch.
        schedule: Warm-up, decay, and the rate between them.
    """
    peak, warmup, decay = schedule.learning_rate, round(schedule.warmup_epochs * per_epoch), schedule.decay
    if step < warmup:
        return peak * (step + 1) / warmup
    if isinstance(decay, Cosine):
        share = (step - warmup) / max(total - warmup, 1)
        return peak * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    factor = 1.0
    if isinstance(decay, Piecewise):
        passed = [
            factor for epoch, factor in zip(decay.epochs, decay.factors, strict=True) if step >= epoch * per_epoch
        ]
        factor = passed[-1] if passed else 1.0
    return peak * factor


def build_optimizer(net: paddle.nn.Layer, schedule: Schedule) -> paddle.optimizer.Adam:
    """Return Adam over the trainable parameters.

    A parameter's own regularizer stands in the place of ``schedule.l2``, and its own factor multiplies the learning
    rate; where the schedule has a ``head_l2``, the linear layers of every CTCHead get a regularizer of their own.

    Raises:
        ValueError: Two parameters have one name: Adam keeps moments by name, so that they would share theirs.
    """
    parameters = [p for p in net.parameters() if not p.stop_gradient]
    twice = [name for name, count in Counter(p.name for p in parameters).items() if count > 1]
    if twice:
        raise ValueError(f"{len(twice)} names of parameters are there twice, first {twice[0]}; see zoo.build's prefix")
    if schedule.head_l2 is not None:
        for head in (layer for layer in net.sublayers() if isinstance(layer, CTCHead)):
            for parameter in (own for layer in head.linear_layers() for own in layer.parameters()):
                parameter.regularizer = L2Decay(schedule.head_l2)
    return paddle.optimizer.Adam(
        learning_rate=schedule.learning_rate,
        parameters=parameters,
        weight_decay=L2Decay(schedule.l2) if schedule.l2 else None,
    )


@contextmanager
def small_steps(net: paddle.nn.Layer) -> Iterator[None]:
    """Let layers with small weights learn as much more slowly for a while, relative to `USUAL`.

    A step of Adam is about the learning rate, whatever the weight. Where BatchNorm or another scale has been folded
    into a layer, or least squares have made it, its weights may be a hundred times smaller than those that rates are
    chosen for, and a few steps undo it: of PP-OCRv4's published detector the head's first convolution has 9e-5.

    Source: the layers' trust ratio of You et al., "Large Batch Optimization for Deep Learning" (LAMB), ICLR 2020; here
    it is fixed at the start, and only ever slows.

    Args:
        net: As the course begins; the factors are functions of its weights alone.
    """
    before = [(parameter, parameter.optimize_attr["learning_rate"]) for parameter in net.parameters()]
    for parameter, factor in before:
        if parameter.ndim > 1:
            size = float((parameter.astype("float32") ** 2).mean()) ** 0.5
            parameter.optimize_attr["learning_rate"] = factor * min(1.0, max(size / USUAL, SLOWEST))
    try:
        yield
    finally:
        for parameter, factor in before:
            parameter.optimize_attr["learning_rate"] = factor
