"""BatchNorm that is left as it is in training."""

from __future__ import annotations

import paddle

BATCH_NORMS = (paddle.nn.BatchNorm, paddle.nn.BatchNorm2D, paddle.nn.SyncBatchNorm)


def freeze_batch_norm(net: paddle.nn.Layer) -> None:
    """Make BatchNorm use its running statistics in training mode too, and leave them as they are.

    Must come before the first forward pass in training mode, calibration included: statistics of a few pictures cost
    points.
    """
    for layer in net.sublayers():
        if isinstance(layer, BATCH_NORMS):
            layer._use_global_stats = True
