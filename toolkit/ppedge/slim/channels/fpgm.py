"""FPGM: which filters of a group can be replaced best by the others, and how many to keep of each group.

Source: He et al., "Filter Pruning via Geometric Median for Deep Convolutional Neural Networks Acceleration", CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ppedge.slim.channels.groups import Group, filters


def scores(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Return each filter's sum of distances to all others; the smallest is nearest to the geometric median.

    Args:
        weights: Weights (channels, ...) of all convolutions that produce the channels. Each one's sums are divided by
            their mean, so that no convolution outweighs the others by its scale.

    Returns:
        (channels,), float64.
    """
    total = np.zeros(len(weights[0]))
    for weight in weights:
        flat = weight.reshape(len(weight), -1).astype(np.float64)
        squares = (flat**2).sum(1)
        distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * flat @ flat.T, 0)).sum(1)
        total += distances / max(distances.mean(), 1e-12)
    return total


def keep_count(channels: int, ratio: float, multiple: int) -> int:
    """Return how many channels stay when about ``ratio`` of them go: a multiple of ``multiple``, at least one multiple.

    A group whose count is no multiple keeps it when nothing is taken from it.
    """
    wanted = channels * (1 - ratio)
    kept = max(round(wanted / multiple), 1) * multiple
    return channels if kept >= channels or ratio == 0 else kept


def keep_channels(group: Group, weights: Mapping[str, np.ndarray], count: int) -> list[int]:
    """Return the ``count`` channels of a group that FPGM keeps, ascending; ties keep the lower index."""
    order = np.argsort(-scores([filters(m, weights[m.name]) for m in group.producers]), kind="stable")
    return sorted(int(channel) for channel in order[:count])


def flops_left(macs: Mapping[str, int], shapes: Mapping[str, Sequence[int]], kept: Mapping[Group, int]) -> float:
    """Return the share of multiply-accumulates that is left when each group keeps so many channels.

    Args:
        macs: Of each layer, before pruning, by structured layer name.
        shapes: Of the parameters, before pruning.
        kept: Channels kept of each group; groups left out keep all.
    """
    lost: dict[tuple[str, int], int] = {}
    for group, count in kept.items():
        for member in group.members:
            place = member.name, member.axis
            lost[place] = lost.get(place, 0) + group.channels - count
    factors: dict[str, float] = {}
    for (name, axis), count in lost.items():
        layer, _, parameter = name.rpartition(".")
        if parameter == "weight" and layer in macs and len(shapes[name]) > 1:
            factors[layer] = factors.get(layer, 1.0) * (1 - count / shapes[name][axis])
    return sum(count * factors.get(layer, 1.0) for layer, count in macs.items()) / sum(macs.values())
