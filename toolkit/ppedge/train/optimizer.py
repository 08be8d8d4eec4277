"""Adam with L2 decay, and a learning rate that is a pure function of the step.

A schedule without state has nothing to save: a resumed run computes the same rate for the same step.
"""

from __future__ import annotations

import math
from collections import Counter

import paddle

from ppedge.recipe.train import Schedule


def learning_rate(step: int, total: int, warmup: int, peak: float) -> float:
    """Return the rate of one step: linear warm-up, then half a cosine down to 0.

    Args:
        step: From 0.
        total: Number of steps of the whole course.
        warmup: Steps of the warm-up, which is part of ``total``.
        peak: The rate at the end of the warm-up.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / max(total - warmup, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def build_optimizer(net: paddle.nn.Layer, schedule: Schedule) -> paddle.optimizer.Adam:
    """Return Adam over the trainable parameters; a parameter's own regularizer goes before ``schedule.l2``.

    Raises:
        ValueError: Two parameters have one name: Adam keeps moments by name, so that they would share theirs.
    """
    parameters = [p for p in net.parameters() if not p.stop_gradient]
    twice = [name for name, count in Counter(p.name for p in parameters).items() if count > 1]
    if twice:
        raise ValueError(f"{len(twice)} names of parameters are there twice, first {twice[0]}; see zoo.build's prefix")
    return paddle.optimizer.Adam(
        learning_rate=schedule.learning_rate,
        parameters=parameters,
        weight_decay=paddle.regularizer.L2Decay(schedule.l2) if schedule.l2 else None,
    )
