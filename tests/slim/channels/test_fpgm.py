from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppedge.slim.channels.fpgm import flops_left, keep_channels, keep_count, scores
from ppedge.slim.channels.groups import Group, Member
from ppedge.slim.channels.sensitivity import choose


def group_at(*places, channels):
    """A group whose first place produces it, on as many indices from 0 on."""
    members = tuple(Member(name, axis, tuple(range(channels))) for name, axis in places)
    return Group(members[0].name, channels, tuple(m for m in members if m.axis == 0), members)


def brute_force(weights):
    """Each filter's distances to all others, one by one."""
    total = np.zeros(len(weights[0]))
    for weight in weights:
        sums = np.array([sum(np.linalg.norm((a - b).ravel()) for b in weight) for a in weight])
        total += sums / sums.mean()
    return total


@given(seed=st.integers(0, 1000), channels=st.integers(2, 9), layers=st.integers(1, 3))
def test_scores_are_sums_of_distances(seed, channels, layers):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 10.0**k, (channels, 3, k + 1, 2)).astype(np.float32) for k in range(layers)]
    np.testing.assert_allclose(scores(weights), brute_force(weights), rtol=1e-6)


def test_a_filter_that_the_others_replace_goes_first_whatever_its_size():
    """By norm the largest filter stays; FPGM takes it when it is the middle of its two neighbours."""
    big = np.full((1, 3, 3, 3), 5.0)
    offset = np.zeros_like(big)
    offset[0, 0, 0, 0] = 1.0
    rng = np.random.default_rng(0)
    others = rng.normal(0, 3.0, (4, 3, 3, 3)) + big
    weights = np.concatenate([others[:2], big + offset, big, big - offset, others[2:]]).astype(np.float32)
    group = group_at(("w", 0), channels=7)
    assert np.argmin(scores([weights])) == 3
    assert keep_channels(group, {"w": weights}, 6) == [0, 1, 2, 4, 5, 6]
    assert set(keep_channels(group, {"w": weights}, 4)) == {0, 1, 5, 6}


def test_ties_keep_the_lower_index_and_equal_filters_are_no_division_by_0():
    group = group_at(("w", 0), channels=4)
    assert keep_channels(group, {"w": np.ones((4, 2, 1, 1), np.float32)}, 2) == [0, 1]


def test_branches_that_are_added_decide_together_whatever_their_scale():
    """Channel 1 is redundant in the first, channel 2 in the second and much larger one: neither outweighs the other."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 1, (5, 8, 1, 1)), rng.normal(0, 1, (5, 8, 1, 1))
    group = group_at(("a", 0), ("b", 0), channels=5)
    alone = keep_channels(group, {"a": first, "b": second}, 3)
    assert alone == keep_channels(group, {"a": first * 1e4, "b": second}, 3)


@pytest.mark.parametrize(
    ("channels", "ratio", "multiple", "kept"),
    [
        (64, 0.25, 8, 48),
        (64, 0.3, 8, 48),  # 44.8 rounds up
        (64, 0.0, 8, 64),
        (8, 0.5, 8, 8),  # at least one multiple
        (16, 0.9, 8, 8),
        (20, 0.0, 8, 20),  # no multiple, and nothing taken
        (20, 0.1, 8, 16),
        (20, 0.01, 8, 16),  # something is to be taken: the next multiple below
        (6, 0.5, 8, 6),  # less than a multiple: keeps all
        (30, 0.5, 1, 15),
        (3, 0.99, 1, 1),
    ],
)
def test_keep_count(channels, ratio, multiple, kept):
    assert keep_count(channels, ratio, multiple) == kept


@given(st.integers(1, 500), st.floats(0, 0.999), st.integers(1, 16))
def test_keep_count_is_all_or_a_multiple(channels, ratio, multiple):
    kept = keep_count(channels, ratio, multiple)
    assert 1 <= kept <= channels
    assert kept == channels or kept % multiple == 0
    if kept < channels:
        assert abs(kept - channels * (1 - ratio)) <= multiple


def chain(counts):
    """A chain of 1x1 convolutions of 16 inputs: layer k reads group k - 1 and writes group k."""
    groups, shapes, macs, inputs = [], {}, {}, 16
    for k, channels in enumerate(counts):
        shapes[f"l{k}.weight"] = (channels, inputs, 1, 1)
        macs[f"l{k}"] = 100 * channels * inputs
        inputs = channels
    for k, channels in enumerate(counts[:-1]):
        groups.append(group_at((f"l{k}.weight", 0), (f"l{k + 1}.weight", 1), channels=channels))
    return groups, shapes, macs


def test_flops_left_of_a_chain():
    groups, shapes, macs = chain([32, 16, 8])
    # 16*32 + 32*16 + 16*8 = 1152; half of the first group: 16*16 + 16*16 + 16*8 = 640.
    assert flops_left(macs, shapes, {groups[0]: 16}) == pytest.approx(640 / 1152)
    assert flops_left(macs, shapes, {groups[0]: 16, groups[1]: 8}) == pytest.approx((256 + 128 + 64) / 1152)
    assert flops_left(macs, shapes, {}) == 1


@st.composite
def problems(draw):
    counts = draw(st.lists(st.integers(1, 8).map(lambda n: 8 * n), min_size=2, max_size=6))
    groups, shapes, macs = chain(counts)
    drops = st.floats(-0.05, 0.3)
    sensitivity = {
        g.name: {n: draw(drops) for n in {keep_count(g.channels, r, 8) for r in (0.25, 0.5)} - {g.channels}}
        for g in groups
    }
    return groups, sensitivity, macs, shapes, draw(st.floats(0.2, 1)), draw(st.floats(0, 0.4))


@settings(max_examples=150)
@given(problems())
def test_choose_keeps_to_max_drop_and_target_flops(problem):
    groups, sensitivity, macs, shapes, target, max_drop = problem
    kept, predicted = choose(groups, sensitivity, macs, shapes, target_flops=target, max_drop=max_drop, multiple=8)
    assert set(kept) == set(groups)
    assert 0 <= predicted <= max_drop + 1e-9
    for group, count in kept.items():
        assert count == group.channels or count % 8 == 0
        assert min(sensitivity[group.name], default=group.channels) <= count <= group.channels
    left = flops_left(macs, shapes, kept)
    more = [{**kept, g: n + 8} for g, n in kept.items() if n < g.channels]
    # It stops at the target: the last cut was needed. (Groups' sizes here are multiples of 8.)
    assert not more or any(flops_left(macs, shapes, k) > target - 1e-9 for k in more)
    if left > target + 1e-9:  # or because of max_drop, or what was measured: then no cut is left to make
        for group, count in kept.items():
            lower = {**kept, group: count - 8}
            if count - 8 < min(sensitivity[group.name], default=count):
                continue
            _, least = choose_fixed(groups, sensitivity, lower)
            assert least > max_drop - 1e-9


def choose_fixed(groups, sensitivity, kept):
    """The predicted drop of given counts, written down again: linear between measured counts, rising, never below 0."""
    total = 0.0
    for group in groups:
        points, worst = [(group.channels, 0.0)], 0.0
        for count in sorted(sensitivity[group.name], reverse=True):
            worst = max(worst, sensitivity[group.name][count])
            points.append((count, worst))
        for (upper, low), (lower, high) in pairwise(points):
            if lower <= kept[group] <= upper:
                total += low + (high - low) * (upper - kept[group]) / (upper - lower)
                break
    return kept, total


def test_choose_takes_what_costs_least_first():
    groups, shapes, macs = chain([32, 32, 32, 16])
    names = [g.name for g in groups]
    sensitivity = {names[0]: {16: 0.2}, names[1]: {16: 0.0}, names[2]: {16: 0.01}}

    def cut(**limits):
        limits = {"target_flops": 0.1, "max_drop": 1.0, **limits}
        kept, _ = choose(groups, sensitivity, macs, shapes, multiple=8, **limits)
        return [kept[group] for group in groups]

    assert cut(max_drop=0.0) == [32, 16, 32]
    assert cut(max_drop=0.05) == [32, 16, 16]
    assert cut(max_drop=0.12) == [24, 16, 16]
    assert cut(max_drop=0.3) == [16, 16, 16]
    assert cut(target_flops=1.0) == [32, 32, 32]
    assert cut(target_flops=0.9) == [32, 24, 32]
