"""Networks, or their BatchNorm, that are left as they are in training."""

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


def freeze(net: paddle.nn.Layer, *, batch_statistics: bool) -> None:
    """Make a network teach and not learn: its parameters get no gradients.

    Args:
        net: The network, or a part of one.
        batch_statistics: It runs as in training all the same: BatchNorm uses the statistics of each batch and moves its
            running ones, and dropout drops. Else its layers run as in eval mode, while the network gives in training
            mode what losses read.
    """
    for parameter in net.parameters():
        parameter.stop_gradient = True
    if batch_statistics:
        return
    for layer in net.sublayers(include_self=True):
        # An LSTM has layers within and drops between them.
        if isinstance(layer, paddle.nn.LSTM) or not layer.sublayers():
            layer.register_forward_pre_hook(_eval)


def _eval(layer: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> None:
    """Put a layer into eval mode before it runs, whatever mode the network around it is in; a hook."""
    layer.eval()
