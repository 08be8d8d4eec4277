"""How much the metric falls when a group alone is pruned, and the choice of ratios that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import paddle

from ppedge.slim.channels.fpgm import flops_left, keep_channels, keep_count
from ppedge.slim.channels.groups import Group

Sensitivity = dict[str, dict[int, float]]
"""Group name -> kept channels -> drop of the metric (negative where it rose)."""


def measure(
    net: paddle.nn.Layer,
    groups: Sequence[Group],
    ratios: Sequence[float],
    multiple: int,
    metric: Callable[[], float],
    advance: Callable[[], None] = lambda: None,
) -> Sensitivity:
    """Prune each group alone by each ratio and measure.

    Channels are silenced instead of cut out, which gives the same outputs and leaves the network's shapes alone.

    Args:
        net: The trained network; it is the same afterwards.
        groups: Of the network.
        ratios: Shares of channels to take.
        multiple: Kept channels are a multiple of this.
        metric: Measures ``net`` as it stands.
        advance: Called after each measurement.
    """
    base = metric()
    weights = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    found: Sensitivity = {}
    for group in groups:
        found[group.name] = {}
        for count in trial_counts(group, ratios, multiple):
            gone = sorted(set(range(group.channels)) - set(keep_channels(group, weights, count)))
            with silenced(net, group, gone):
                found[group.name][count] = base - metric()
            advance()
    return found


def trial_counts(group: Group, ratios: Sequence[float], multiple: int) -> list[int]:
    """Return the counts of kept channels that `measure` tries on a group, descending."""
    return sorted({keep_count(group.channels, ratio, multiple) for ratio in ratios} - {group.channels}, reverse=True)


@contextmanager
def silenced(net: paddle.nn.Layer, group: Group, channels: Sequence[int]) -> Iterator[None]:
    """Set the group's channels to 0 for a while: in what produces and normalises them, and in what consumes them."""
    state = net.state_dict()
    before = {member.name: state[member.name].numpy() for member in group.members}
    try:
        silence(state, group, channels)
        yield
    finally:
        for name, value in before.items():
            state[name].set_value(value)


def silence(state: Mapping[str, paddle.Tensor], group: Group, channels: Sequence[int]) -> None:
    """Set the group's channels to 0 for good."""
    for name, axis, indices in group.members:
        value = state[name].numpy().copy()
        value[(slice(None),) * axis + ([indices[channel] for channel in channels],)] = 0
        state[name].set_value(value)


def choose(
    groups: Sequence[Group],
    sensitivity: Mapping[str, Mapping[int, float]],
    macs: Mapping[str, int],
    shapes: Mapping[str, Sequence[int]],
    *,
    target_flops: float,
    max_drop: float,
    multiple: int,
) -> tuple[dict[Group, int], float]:
    """Choose how many channels each group keeps: again and again the cut with the least drop per FLOP saved.

    Drops between measured counts are interpolated, their sum over the groups is the predicted drop. A cut that
    raised the metric counts as free.

    Args:
        groups: That may be pruned.
        sensitivity: What `measure` found.
        macs: Multiply-accumulates of each layer.
        shapes: Of the parameters.
        target_flops: Stop when this share of the FLOPs is left.
        max_drop: Never predict more than this drop.
        multiple: Kept channels are a multiple of this.

    Returns:
        Kept channels by group, and the predicted drop.
    """
    kept = {group: group.channels for group in groups}
    left = 1.0
    while left > target_flops:
        best: tuple[float, Group, int, float] | None = None
        total = sum(_drop(g, n, sensitivity) for g, n in kept.items())
        for group, now in kept.items():
            fewer = (now - 1) // multiple * multiple
            if fewer < min(sensitivity.get(group.name, {}), default=now):
                continue
            rise = _drop(group, fewer, sensitivity) - _drop(group, now, sensitivity)
            saved = left - flops_left(macs, shapes, {**kept, group: fewer})
            if total + rise > max_drop + 1e-12 or saved <= 0:
                continue
            if best is None or rise / saved < best[0]:
                best = (rise / saved, group, fewer, saved)
        if best is None:
            break
        kept[best[1]] = best[2]
        left -= best[3]
    return kept, sum(_drop(g, n, sensitivity) for g, n in kept.items())


def _drop(group: Group, count: int, sensitivity: Mapping[str, Mapping[int, float]]) -> float:
    """Interpolate a group's drop, never below 0 and never falling as channels go."""
    points = {group.channels: 0.0, **sensitivity.get(group.name, {})}
    counts = sorted(points, reverse=True)
    drops = np.maximum.accumulate([max(points[c], 0.0) for c in counts])
    return float(np.interp(-count, [-c for c in counts], drops))
