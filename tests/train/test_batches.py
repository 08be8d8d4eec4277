from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ppedge.train.batches import STRETCH, Batches, steps_per_epoch

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
