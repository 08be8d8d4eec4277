"""Adam with L2 decay, and a learning rate that is a pure function of the step.

A schedule without state has nothing to save: a resumed run computes the same rate for the same step.
"""

from __future__ import annotations

import math

import paddle

from ppedge.recipe_model import Schedule


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
    """Return Adam over the trainable parameters; a parameter's own regularizer goes before ``schedule.l2``."""
    return paddle.optimizer.Adam(
        learning_rate=schedule.learning_rate,
        parameters=[p for p in net.parameters() if not p.stop_gradient],
        weight_decay=paddle.regularizer.L2Decay(schedule.l2) if schedule.l2 else None,
    )
