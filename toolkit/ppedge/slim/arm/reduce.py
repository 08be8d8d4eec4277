"""Closed-form reduction of a backbone: each block's inner channels cut to a tolerance, the rest refitted.

Block by block, from the picture on: the inner channels that the others replace best are taken out, and the block's last
convolution is fitted by least squares to what the original network's block gives, from what the slimmer network's block
is given. So a block also mends, as far as it can, what the blocks before it have lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import paddle
from paddle import nn

from ppedge.models.layers import Block, SEModule
from ppedge.models.network import Network
from ppedge.slim.arm.least_squares import Fit, Moments, eliminate, fit
from ppedge.slim.channels.groups import Group, group_of
from ppedge.slim.channels.sensitivity import silence

POSITIONS = 2048
"""Of each picture's map, at random: neighbours say nearly the same."""
LEAST_SLOPE = 1e-6
Rows = npt.NDArray[np.float32]
Found = Mapping[int, tuple[list[int], float]]
"""What elimination found: kept count -> kept channels, error."""


@dataclass(frozen=True)
class BlockReduction:
    """What was done to a block.

    Attributes:
        layer: Its structured name.
        group: Of its inner channels; None if they are in no group that may lose any.
        channels: Inner channels before.
        kept: Inner channels that stay, ascending.
        error: Squared error of the block's output against the original's, relative to its variance, mean over channels.
        error_before: The same with all channels.
    """

    layer: str
    group: Group | None
    channels: int
    kept: tuple[int, ...]
    error: float
    error_before: float


def reduce_blocks(
    student: Network,
    teacher: Network,
    groups: Sequence[Group],
    pictures: Sequence[paddle.Tensor],
    tolerance: float,
    *,
    counts: Mapping[str, int] | None = None,
    multiple: int = 8,
    exclude: Sequence[str] = (),
    advance: Callable[[], None] = lambda: None,
) -> list[BlockReduction]:
    """Cut the inner channels of a backbone's blocks.

    Channels that go are silenced: the network's shapes are as before, and cutting the groups of `kept_groups` leaves
    its outputs as they are.

    Args:
        student: A copy of the teacher, in eval mode; changed in place.
        teacher: The original network, in eval mode.
        groups: Of the full network.
        pictures: Inputs (N, 3, H, W) from the user's own pictures; no labels are needed.
        tolerance: A block's error stays below this.
        counts: Channels to keep by block, whatever the error, one of those of `block_errors`; a block that is not
            named is left as it is. None: by the tolerance.
        multiple: Counts of channels are multiples of this.
        exclude: Starts of names of blocks that are left as they are.
        advance: Called after each block.
    """

    def pick(name: str, found: Found) -> list[int]:
        fitting = [count for count, (_, error) in found.items() if error <= tolerance]
        count = min(fitting, default=max(found)) if counts is None else counts[name]
        return found[count][0]

    reports: list[BlockReduction] = []
    rng = np.random.default_rng(0)
    with paddle.no_grad():
        given = [(picture, picture) for picture in pictures]  # what the teacher's and the student's next unit is given
        for (name, original), (_, unit) in zip(teacher.units(), student.units(), strict=True):
            targets = [original(x) for x, _ in given]
            if isinstance(unit, Block):
                work = [(ours, target) for (_, ours), target in zip(given, targets, strict=True)]
                group = group_of(groups, f"{name}.{unit.producer}")
                touch = not name.startswith(tuple(exclude)) and (counts is None or name in counts)
                lossy = any(len(report.kept) < report.channels for report in reports)
                reports.append(
                    _reduce(student, name, unit, group, work, partial(pick, name) if touch else None, multiple, rng,
                            mend=lossy)
                )  # fmt: skip
                advance()
            given = [(target, unit(ours)) for (_, ours), target in zip(given, targets, strict=True)]
    return reports


def block_errors(
    teacher: Network,
    groups: Sequence[Group],
    pictures: Sequence[paddle.Tensor],
    *,
    multiple: int = 8,
    exclude: Sequence[str] = (),
    advance: Callable[[], None] = lambda: None,
) -> dict[str, dict[int, float]]:
    """Return how far off each block's output is at each count of inner channels, all blocks before it being whole.

    Args:
        teacher: The original network, in eval mode.
        groups: Of the network.
        pictures: Inputs (N, 3, H, W).
        multiple: Counts are multiples of this; a block's own count is there too.
        exclude: Starts of names of blocks that are left out.
        advance: Called after each block.

    Returns:
        By block and kept count, `BlockReduction.error`.
    """
    rng, errors = np.random.default_rng(0), {}
    with paddle.no_grad():
        given = list(pictures)
        for name, unit in teacher.units():
            made = [unit(x) for x in given]
            if isinstance(unit, Block):
                if group_of(groups, f"{name}.{unit.producer}") and not name.startswith(tuple(exclude)):
                    moments, scale = _moments(unit, list(zip(given, made, strict=True)), None, rng)
                    found = eliminate(*moments.covariances(), scale, multiple)
                    errors[name] = {count: error for count, (_, error) in found.items()}
                advance()
            given = made
    return errors


def kept_groups(reports: Sequence[BlockReduction]) -> dict[Group, list[int]]:
    """Return the kept channels by group, for `ppedge.slim.plan.Plan.from_groups`."""
    return {
        report.group: list(report.kept)
        for report in reports
        if report.group is not None and len(report.kept) < report.channels
    }


def _reduce(
    student: Network,
    name: str,
    unit: Block,
    group: Group | None,
    work: Sequence[tuple[paddle.Tensor, paddle.Tensor]],
    pick: Callable[[Found], list[int]] | None,
    multiple: int,
    rng: np.random.Generator,
    *,
    mend: bool,
) -> BlockReduction:
    """Cut a block, unless ``pick`` is None; one that stays whole is fitted too if there is something to mend."""
    channels = unit.linear_conv.conv.weight.shape[1]
    moments, scale = _moments(unit, work, None, rng)
    before = fit(moments, scale)
    kept = list(range(channels))
    if group is not None and pick is not None:
        kept = pick(eliminate(*moments.covariances(), scale, multiple))
    if len(kept) < channels and group is not None:
        gone = sorted(set(range(channels)) - set(kept))
        if unit.squeeze is not None:
            _mend_squeeze(unit, unit.squeeze, gone, work)
        silence(student.state_dict(), group, gone)
        moments, scale = _moments(unit, work, kept, rng)
    after = fit(moments, scale)
    if len(kept) < channels or (mend and pick is not None):
        set_fit(unit.linear_conv.conv, unit.linear_conv.bn, after, kept)
    return BlockReduction(name, group, channels, tuple(kept), after.error, before.error)


def _moments(
    unit: Block,
    work: Sequence[tuple[paddle.Tensor, paddle.Tensor]],
    kept: list[int] | None,
    rng: np.random.Generator,
) -> tuple[Moments, npt.NDArray[np.float64]]:
    """Gather what the last convolution reads and should give, and the deviation of the original block's output."""
    moments, outputs = Moments(), Moments()
    for x, target in work:
        wanted = target - x if unit.shortcut else target
        inner, wanted, original = (t.numpy() for t in (unit.inner(x), wanted, target))
        if kept is not None:
            inner = inner[:, kept]
        places = sample(inner.shape, rng)
        moments.add(rows(inner, places), rows(wanted, places))
        outputs.add(rows(original, places)[:, :1], rows(original, places))
    return moments, np.sqrt(np.maximum(np.diag(outputs.covariances()[2]), 0))


def sample(shape: Sequence[int], rng: np.random.Generator, positions: int = POSITIONS) -> npt.NDArray[np.int64]:
    """Draw positions of a map (N, C, H, W), as numbers below H * W, the same for all N."""
    count = shape[2] * shape[3]
    return np.sort(rng.choice(count, min(positions, count), replace=False))


def rows(values: npt.NDArray[np.float32], places: npt.NDArray[np.int64]) -> Rows:
    """Return a map's channels (N * places, C) at the given positions."""
    samples, channels = values.shape[:2]
    flat = values.reshape(samples, channels, -1)[:, :, places]
    return np.ascontiguousarray(flat.transpose(0, 2, 1).reshape(-1, channels))


def set_fit(conv: nn.Conv2D, norm: nn.BatchNorm2D, found: Fit, kept: Sequence[int]) -> None:
    """Put a fit into a convolution and the BatchNorm behind it, whose slopes stay as they are.

    Args:
        conv: Of weight (k, c, h, w).
        norm: Behind it.
        found: From the kept inputs, in the order (channel, row, column), to what BatchNorm gives.
        kept: Input channels that the fit speaks of; the others get 0.
    """
    slope = norm.weight.numpy() / np.sqrt(norm._variance.numpy() + norm._epsilon)
    alive = np.abs(slope) > LEAST_SLOPE
    safe = np.where(alive, slope, 1).astype(np.float64)
    shape = conv.weight.shape
    weight = np.zeros(shape, np.float32)
    fitted = (found.weight / safe).T.reshape(shape[0], len(kept), *shape[2:])
    weight[:, list(kept)] = np.where(alive[:, None, None, None], fitted, 0)
    conv.weight.set_value(weight)
    shift = norm.bias.numpy()
    mean = np.where(alive, (shift - found.bias) / safe, 0)
    norm._mean.set_value(mean.astype(np.float32))
    norm.bias.set_value(np.where(alive, shift, found.bias).astype(np.float32))


def _mend_squeeze(
    unit: Block, squeeze: SEModule, gone: Sequence[int], work: Sequence[tuple[paddle.Tensor, paddle.Tensor]]
) -> None:
    """Carry what squeeze-and-excitation is told on average by channels that go in its first bias."""
    told = np.concatenate([squeeze.avg_pool(unit.filtered(x)).numpy() for x, _ in work])
    weight = squeeze.conv1.weight.numpy()[:, list(gone), 0, 0]
    bias = squeeze.conv1.bias.numpy() + weight @ told.mean(0)[list(gone), 0, 0]
    squeeze.conv1.bias.set_value(bias.astype(np.float32))
