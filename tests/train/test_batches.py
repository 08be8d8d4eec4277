from itertools import chain, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ppedge.train.batches import STRETCH, Batches, drawn, steps_per_epoch

SIZES = {
    "samples": st.integers(1, 40),
    "batch": st.integers(1, 7),
    "world": st.integers(1, 4),
    "seed": st.integers(0, 9),
}


@given(**SIZES)
def test_an_epoch_has_every_sample_once_over_all_ranks(samples, batch, world, seed):
    steps = 2 * steps_per_epoch(samples, batch, world)
    ranks = [list(Batches(samples, batch, steps, seed, rank=rank, world=world)) for rank in range(world)]
    for epoch in (0, 1):
        seen = [index for batches in ranks for one in batches for e, index in one if e == epoch]
        assert len(seen) == len(set(seen))
        # What does not fill a batch of all ranks is left out, but an epoch is never empty.
        whole = samples // (batch * world) * batch * world
        assert len(seen) == (whole or samples)
        assert set(seen) <= set(range(samples))


@given(**SIZES, start=st.integers(0, 30))
def test_starting_later_gives_the_rest_of_the_same_order(samples, batch, world, seed, start):
    everything = list(Batches(samples, batch, 30, seed, world=world))
    rest = Batches(samples, batch, 30, seed, start, world=world)
    assert list(rest) == everything[start:]
    assert len(rest) == 30 - start


def test_order_depends_on_seed_and_epoch():
    def epochs(seed):
        pairs = [pair for one in Batches(20, 5, 8, seed) for pair in one]
        return [[i for e, i in pairs if e == epoch] for epoch in (0, 1)]

    assert epochs(0) == epochs(0)
    assert len({tuple(order) for order in (*epochs(0), *epochs(1), range(20))}) == 5


@given(**SIZES)
def test_lines_of_one_width_share_a_batch(samples, batch, world, seed):
    widths = np.random.default_rng(seed).integers(1, 100, samples).astype(float)
    steps = 2 * steps_per_epoch(samples, batch, world)
    ranks = [list(Batches(samples, batch, steps, seed, rank=r, world=world, widths=widths)) for r in range(world)]
    whole = samples // (batch * world) * batch * world
    for epoch in (0, 1):
        together = [[i for one in step for e, i in one if e == epoch] for step in zip(*ranks, strict=True)]
        together = [step for step in together if step]
        seen = [index for step in together for index in step]
        assert len(seen) == len(set(seen)) == (whole or samples)
        if len(together) > STRETCH:
            continue
        # All fits into one stretch: sorted by width, no batch reaches into another.
        ranges = sorted((widths[step].min(), widths[step].max()) for step in together)
        assert all(a[1] <= b[0] for a, b in pairwise(ranges))


def test_batches_by_width_come_in_random_order():
    widths = np.arange(40.0)
    firsts = [one[0][1] for one in Batches(40, 4, 10, 0, widths=widths)]
    assert firsts != sorted(firsts)
    again = list(Batches(40, 4, 20, 0, 7, widths=widths))
    assert again == list(Batches(40, 4, 20, 0, widths=widths))[7:]


HEIGHTS = st.lists(st.sampled_from([16, 32, 48, 64, 96]), min_size=1, max_size=4)


@given(**SIZES, heights=HEIGHTS, sorted_by_width=st.booleans())
def test_a_batch_has_lines_of_one_height_and_about_one_area(samples, batch, world, seed, heights, sorted_by_width):
    widths = np.random.default_rng(seed).uniform(1, 100, samples) if sorted_by_width else None
    per_epoch = steps_per_epoch(samples, batch, world, heights)
    options = {"widths": widths, "heights": heights}
    ranks = [list(Batches(samples, batch, 3 * per_epoch, seed, rank=r, world=world, **options)) for r in range(world)]
    for epoch in range(3):
        together = [list(chain(*step)) for step in zip(*ranks, strict=True)]
        steps = together[epoch * per_epoch : (epoch + 1) * per_epoch]
        places = [place for step in steps for place in step]
        assert {place[0] for place in places} == {epoch}
        assert len({index for _, index, _ in places}) == len(places), "no sample is drawn twice"
        for step in steps:
            [height] = {height for *_, height in step}
            whole = max(batch * heights[0] // height, 1) * world
            assert len(step) == min(whole, samples), "as many as the area allows; all, of fewer than that"


def test_heights_take_turns_and_the_sizes_are_the_published_ones():
    per_epoch = steps_per_epoch(1000, 192, 1, [32, 48, 64])
    assert per_epoch == 6, "192 + 128 + 96 twice; what is left is no batch in an epoch that begins with the largest"
    every = list(Batches(1000, 192, 3 * 6, 0, widths=np.arange(1000.0), heights=[32, 48, 64]))
    assert {(batch[0][2], len(batch)) for batch in every} == {(32, 192), (48, 128), (64, 96)}
    for epoch in range(3):
        heights = [batch[0][2] for batch in every[6 * epoch : 6 * epoch + 6]]
        assert sorted(heights) == [32, 32, 48, 48, 64, 64]
    assert [batch[0][2] for batch in every[:6]] != [batch[0][2] for batch in every[6:12]]


def test_epochs_of_one_batch_see_every_height():
    seen = [{place[2] for place in batch} for batch in Batches(5, 8, 6, 0, heights=[32, 48, 64])]
    assert seen == [{32}, {48}, {64}] * 2


@given(**SIZES, start=st.integers(0, 30), heights=HEIGHTS)
def test_with_heights_and_ratios_starting_later_gives_the_rest(samples, batch, world, seed, start, heights):
    ratios = np.where(np.arange(samples) % 3, 1.0, 0.4)
    options = {"world": world, "widths": np.arange(float(samples)), "ratios": ratios, "heights": heights}
    everything = list(Batches(samples, batch, 30, seed, **options))
    assert list(Batches(samples, batch, 30, seed, start, **options)) == everything[start:]


@given(seed=st.integers(0, 9), batch=st.integers(1, 5), few=st.integers(1, 30), ratio=st.sampled_from([0.01, 0.3, 0.5]))
def test_an_epoch_draws_that_share_of_the_samples_with_a_ratio(seed, batch, few, ratio):
    ratios = np.concatenate([np.ones(10), np.full(few, ratio)])
    count = max(round(ratio * few), 1)
    assert drawn(ratios) == 10 + count
    batches = Batches(10 + few, 1, 2 * (10 + count), seed, ratios=ratios)
    assert batches.per_epoch == 10 + count
    for epoch in (0, 1):
        seen = [index for [(e, index)] in batches if e == epoch]
        assert set(range(10)) <= set(seen) and len(set(seen)) == len(seen) == 10 + count


def test_each_epoch_draws_another_share():
    batches = Batches(40, 12, 200, 5, ratios=np.full(40, 0.3))
    epochs = [frozenset(index for _, index in batch) for batch in batches]
    assert len(set(epochs)) > 190 and {len(epoch) for epoch in epochs} == {12}
    counts = np.bincount([index for epoch in epochs for index in epoch], minlength=40)
    assert counts.min() > 40 and counts.max() < 80, "each about 60 times"
    assert list(batches) == list(Batches(40, 12, 200, 5, ratios=np.full(40, 0.3)))
