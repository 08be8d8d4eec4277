from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppedge.train.batches import STRETCH, Batches, steps_per_epoch
from ppedge.train.optimizer import learning_rate

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


@pytest.mark.parametrize(
    ("step", "total", "warmup", "rate"),
    [
        (0, 10, 0, 1.0),  # no warm-up: the peak at once
        (0, 10, 5, 0.2),  # never 0: a step with rate 0 would be lost
        (4, 10, 5, 1.0),  # the warm-up's last step
        (5, 10, 5, 1.0),  # the cosine's first
        (10, 10, 5, 0.0),
        (5, 10, 0, 0.5),
        (0, 1, 0, 1.0),  # a single step
        (2, 3, 5, 0.6),  # ends within the warm-up
        (3, 3, 3, 1.0),  # warm-up all along: no division by 0
        (99, 10, 0, 0.0),  # after the end it does not rise again
    ],
)
def test_learning_rate(step, total, warmup, rate):
    assert learning_rate(step, total, warmup, 1.0) == pytest.approx(rate)
    assert learning_rate(step, total, warmup, 3e-4) == pytest.approx(3e-4 * rate)


@given(total=st.integers(1, 50), warmup=st.integers(0, 60))
def test_learning_rate_rises_then_falls_and_stays_positive(total, warmup):
    rates = [learning_rate(step, total, warmup, 1.0) for step in range(total)]
    top = min(warmup, total)
    assert all(a < b for a, b in pairwise(rates[:top]))
    assert all(a >= b for a, b in pairwise(rates[top:]))
    assert all(0 < rate <= 1 for rate in rates)
