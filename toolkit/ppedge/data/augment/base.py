"""What a random change to a sample is, and the random numbers that it draws: from a stream of its own, by its name.

A stream is a pure function of (seed, epoch, index, name); its first number decides whether the augmentation is applied.
So one of probability 0 changes nothing wherever it stands in the table, and the probability of one means nothing to the
others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence

from ppedge.data.regions import Polygon

Picture = npt.NDArray[np.uint8]
Key = tuple[int, int, int]
"""Seed, epoch, and the sample's index in the data set."""


@dataclass(frozen=True, eq=False)
class Line:
    """A recogniser's or classifier's sample: an upright text line.

    Attributes:
        image: (h, w, 3), read-only.
        text: What it says.
    """

    image: Picture
    text: str


@dataclass(frozen=True, eq=False)
class Scene:
    """A detector's sample: a picture and its text regions.

    Attributes:
        image: (H, W, 3), read-only.
        polygons: One float32 (N, 2) array a region, in pixels of the picture.
        ignore: For each region, whether it is neither text nor background.
        texts: For each region, what it says; empty where that is not known.
        zoom: What the picture's sides are multiplied by in evaluation.
    """

    image: Picture
    polygons: Sequence[Polygon]
    ignore: Sequence[bool]
    texts: Sequence[str]
    zoom: float


Sample = TypeVar("Sample", Line, Scene)
Settings = TypeVar("Settings")
Change = Callable[[Sample, Settings, np.random.Generator, Callable[[], Sample]], Sample]
"""Called as ``change(sample, settings, rng, draw_other)``."""


@dataclass(frozen=True)
class Augmentation(Generic[Settings, Sample]):
    """One random change, as an entry of a table that has it under its name.

    Attributes:
        probability: Reads from the recipe's section how often the change is made, in [0, 1].
        change: Returns the changed sample; it never writes into what it is given. ``settings`` is the recipe's section,
            for strengths. ``rng`` is the change's own generator. ``draw_other()`` draws another sample of the data set,
            as it is before any change, with that generator; it may be called any number of times.
    """

    probability: Callable[[Settings], float]
    change: Change[Sample, Settings]


def augmented(
    read: Callable[[int], Sample], count: int, key: Key, settings: Settings | None,
    table: Mapping[str, Augmentation[Settings, Sample]], fits: Callable[[Sample], bool] = lambda sample: True,
) -> Sample:  # fmt: skip
    """Return a sample of a data set after those changes of a table that fall to it.

    Args:
        read: Returns the data set's sample of an index, unchanged.
        count: How many samples the data set has.
        key: Which sample, in which epoch.
        settings: The recipe's section that the table's entries read; None makes no change.
        table: The changes by name, in the order they are made in.
        fits: Whether a changed sample can be trained on; where it cannot, the one before that change stands.
    """
    sample = read(key[2])
    if settings is None:
        return sample
    for name, augmentation in table.items():
        probability = augmentation.probability(settings)
        if probability > 0 and (rng := stream(key, name)).random() < probability:
            changed = augmentation.change(sample, settings, rng, partial(_draw_other, read, count, key[2], rng))
            if fits(changed):
                sample = changed
    return sample


def stream(key: Key, name: str) -> np.random.Generator:
    """Return the generator of that name for a sample."""
    digest = blake2b(f"{key[0]} {key[1]} {key[2]} {name}".encode(), digest_size=32).digest()
    seed: Any = _Words(digest)  # NumPy takes any seed sequence, its annotations only NumPy's own
    return np.random.Generator(np.random.PCG64(seed))


class _Words(ISeedSequence):
    """Seeds a generator with a hash as it is: NumPy's own mixing would take ten times as long and add nothing."""

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> npt.NDArray[Any]:
        """Return the hash's first words."""
        return np.frombuffer(self._digest, dtype, n_words)


def _draw_other(read: Callable[[int], Sample], count: int, index: int, rng: np.random.Generator) -> Sample:
    """Draw a sample other than that of ``index``; where there is no other, that one."""
    return read((index + 1 + int(rng.integers(count - 1))) % count if count > 1 else index)


def of_picture(change: Callable[[Picture, np.random.Generator], Picture]) -> Change[Sample, Settings]:
    """Return a change of a sample that is one of its picture alone, all else staying where it is."""

    def changed(
        sample: Sample, settings: Settings, rng: np.random.Generator, draw_other: Callable[[], Sample]
    ) -> Sample:
        return replace(sample, image=change(sample.image, rng))

    return changed
