"""The order of samples, as a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ppedge.data.dataset import Place

STRETCH = 16
"""Batches that are sorted by width together."""

Indices = npt.NDArray[np.int64]
Batch = tuple[int | None, Indices]
"""The height of its lines where there is a choice, and its samples."""


class Batches:
    """All batches of a course of training, from any step on.

    Each epoch is one permutation drawn from (seed, epoch); what does not fill a batch is left out, unless the epoch is
    smaller than one batch. With several processes, each takes its share of every batch.

    A batch is as wide as its widest line. Where widths are given, lines of about the same width share a batch: the
    permutation is sorted by width in stretches of `STRETCH` batches, and the batches are shuffled again.

    Where heights are given, each batch has lines of one of them, all heights in turn, and so many lines that its area
    stays about the same (PaddleOCR's MultiScaleSampler; Mehta and Rastegari, MobileViT, ICLR 2022).

    Args:
        samples: How many samples there are.
        batch_size: For each process; with several heights that of the first.
        steps: Steps of the whole course.
        seed: Of the order.
        start: First step to yield.
        rank: Of this process.
        world: How many processes there are.
        widths: (samples,) or None.
        ratios: (samples,), the share in (0, 1] of all samples with the same ratio that each epoch draws; by default
            each draws all.
        heights: Of the lines, in pixels.
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
        ratios: npt.NDArray[np.float64] | None = None,
        heights: Sequence[int] = (),
    ) -> None:
        self.samples, self.seed, self.widths = samples, seed, widths
        self.steps, self.start, self.rank, self.world = steps, start, rank, world
        self.ratios = np.ones(samples) if ratios is None else ratios
        self.heights = heights
        self.sizes = _sizes(batch_size, world, heights)
        self.per_epoch = steps_per_epoch(drawn(self.ratios), batch_size, world, heights)

    def __len__(self) -> int:
        """Steps that are left."""
        return self.steps - self.start

    def __iter__(self) -> Iterator[list[Place]]:
        """Yield the places of one batch after the other: (epoch, index), or (epoch, index, height)."""
        epoch, batches = -1, list[Batch]()
        for step in range(self.start, self.steps):
            if step // self.per_epoch != epoch:
                epoch = step // self.per_epoch
                batches = self._batches(epoch)
            height, whole = batches[step % self.per_epoch]
            own = whole[self.rank :: self.world].tolist()
            yield [(epoch, index) if height is None else (epoch, index, height) for index in own]

    def _batches(self, epoch: int) -> list[Batch]:
        """Return the batches of an epoch for all processes."""
        rng = np.random.default_rng((self.seed, epoch))
        order = self._draw(rng.permutation(self.samples))
        # Each epoch begins with another height, so that one of few batches does not leave the same ones out.
        kinds = (np.arange(self.per_epoch) + epoch) % len(self.sizes)
        ends = np.cumsum(self.sizes[kinds])
        shuffled = np.arange(self.per_epoch)
        if self.widths is not None and len(order) >= ends[-1]:
            order = order[: ends[-1]]
            for stretch in np.split(order, ends[STRETCH - 1 : -1 : STRETCH]):
                stretch[:] = stretch[np.argsort(self.widths[stretch], kind="stable")]
            shuffled = rng.permutation(self.per_epoch)
        batches = np.split(order[: ends[-1]], ends[:-1])
        return [(self.heights[kinds[i]] if self.heights else None, batches[i]) for i in shuffled]

    def _draw(self, order: Indices) -> Indices:
        """Return those of a permutation that its epoch draws: of each ratio the first ones."""
        taken = np.zeros(self.samples, bool)
        for ratio, count in _counts(self.ratios):
            taken[order[self.ratios[order] == ratio][:count]] = True
        return order[taken[order]]


def drawn(ratios: npt.NDArray[np.float64]) -> int:
    """Return how many samples an epoch draws; at least one of each ratio."""
    return sum(count for _, count in _counts(ratios))


def steps_per_epoch(samples: int, batch_size: int, world: int = 1, heights: Sequence[int] = ()) -> int:
    """Return how many steps an epoch of so many samples has, whichever height it begins with; at least one."""
    sizes = _sizes(batch_size, world, heights)
    rounds, rest = divmod(samples, int(sizes.sum()))
    begun = min(int(np.searchsorted(np.cumsum(np.roll(sizes, -first)), rest, "right")) for first in range(len(sizes)))
    return max(rounds * len(sizes) + begun, 1)


def _sizes(batch_size: int, world: int, heights: Sequence[int]) -> Indices:
    """Return how many samples a batch of all processes has, for each height; of one kind if there are no heights."""
    areas = heights or (1,)
    return np.array([max(batch_size * areas[0] // area, 1) * world for area in areas], np.int64)


def _counts(ratios: npt.NDArray[np.float64]) -> list[tuple[float, int]]:
    """Return the different ratios, and how many of their samples an epoch draws."""
    found, counts = np.unique(ratios, return_counts=True)
    return [(float(r), max(round(float(r) * int(n)), 1)) for r, n in zip(found, counts, strict=True)]
