"""The order of samples, as a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

STRETCH = 16
"""Batches that are sorted by width together."""


class Batches:
    """All batches of a course of training, from any step on.

    Each epoch is one permutation drawn from (seed, epoch); what does not fill a batch is left out, unless the epoch is
    smaller than one batch. With several processes, each takes its share of every batch.

    A batch is as wide as its widest line. Where widths are given, lines of about the same width share a batch: the
    permutation is sorted by width in stretches of `STRETCH` batches, and the batches are shuffled again.

    Args:
        samples: How many samples there are.
        batch_size: For each process.
        steps: Steps of the whole course.
        seed: Of the order.
        start: First step to yield.
        rank: Of this process.
        world: How many processes there are.
        widths: (samples,) or None.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        steps: int,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        widths: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.steps, self.start, self.rank, self.world = steps, start, rank, world
        self.per_epoch = steps_per_epoch(samples, batch_size, world)
        self.widths = widths

    def __len__(self) -> int:
        """Steps that are left."""
        return self.steps - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield the (epoch, index) pairs of one batch after the other."""
        epoch, order = -1, np.empty(0, np.int64)
        for step in range(self.start, self.steps):
            if step // self.per_epoch != epoch:
                epoch = step // self.per_epoch
                order = self._order(epoch)
            begin = (step % self.per_epoch) * self.batch_size * self.world
            whole = order[begin : begin + self.batch_size * self.world]
            yield [(epoch, int(index)) for index in whole[self.rank :: self.world]]

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(self.samples)
        size = self.batch_size * self.world
        if self.widths is None or self.samples < size:
            return order
        order = order[: self.per_epoch * size]
        stretches = np.split(order, range(STRETCH * size, len(order), STRETCH * size))
        by_width = [stretch[np.argsort(self.widths[stretch], kind="stable")] for stretch in stretches]
        return rng.permutation(np.concatenate(by_width).reshape(self.per_epoch, size)).ravel()


def steps_per_epoch(samples: int, batch_size: int, world: int = 1) -> int:
    """Return how many steps an epoch has, at least one."""
    return max(samples // (batch_size * world), 1)
