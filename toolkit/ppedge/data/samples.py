"""Samples as sequences that need not lie in memory, and what is asked of all of them at once."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from ppedge.data.labelled import DetSample, RecSample
from ppedge.data.pictures import line_size

T = TypeVar("T")
Label = str | list[str]
"""The text of a line, or the texts of a picture's regions."""


class Samples(Sequence[T]):
    """Samples that are made when they are asked for; what is asked of all of them is had without making them."""

    @abstractmethod
    def at(self, index: int) -> T:
        """Return a sample by its place, from 0 on."""

    @abstractmethod
    def texts(self) -> Iterator[Label]:
        """Yield the text of one sample after the other."""

    @abstractmethod
    def places(self) -> Iterator[str]:
        """Yield the ``file:line`` of one sample after the other."""

    @abstractmethod
    def pictures(self) -> Iterator[str]:
        """Yield the path of the picture of one sample after the other."""

    @abstractmethod
    def sizes(self) -> npt.NDArray[np.float64]:
        """Return the lines' widths and heights in pixels, (samples, 2), as `ppedge.data.pictures.line_size` does."""

    @abstractmethod
    def ratios(self) -> npt.NDArray[np.float64]:
        """Return the samples' ratios: (samples,)."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        places = range(len(self))[index]
        return [self.at(place) for place in places] if isinstance(places, range) else self.at(places)

    def __iter__(self) -> Iterator[T]:
        return map(self.at, range(len(self)))


class Chosen(Samples[T]):
    """Some of other samples, in their order.

    Args:
        samples: All.
        mask: Which of them: one truth value a sample.
    """

    def __init__(self, samples: Samples[T], mask: npt.NDArray[np.bool_]) -> None:
        self._samples = samples
        self._mask = mask
        self._places = np.flatnonzero(mask)

    def __len__(self) -> int:
        return len(self._places)

    def at(self, index: int) -> T:
        """See `Samples.at`."""
        return self._samples.at(int(self._places[index]))

    def texts(self) -> Iterator[Label]:
        """See `Samples.texts`."""
        return compress(self._samples.texts(), self._mask)

    def places(self) -> Iterator[str]:
        """See `Samples.places`."""
        return compress(self._samples.places(), self._mask)

    def pictures(self) -> Iterator[str]:
        """See `Samples.pictures`."""
        return compress(self._samples.pictures(), self._mask)

    def sizes(self) -> npt.NDArray[np.float64]:
        """See `Samples.sizes`."""
        return self._samples.sizes()[self._places]

    def ratios(self) -> npt.NDArray[np.float64]:
        """See `Samples.ratios`."""
        return self._samples.ratios()[self._places]


class Joined(Samples[T]):
    """Several sequences of samples, one behind the other."""

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def at(self, index: int) -> T:
        """See `Samples.at`."""
        part = bisect_right(self._ends, index)
        return self._parts[part][index - (self._ends[part - 1] if part else 0)]

    def texts(self) -> Iterator[Label]:
        """See `Samples.texts`."""
        return chain.from_iterable(map(texts_of, self._parts))

    def places(self) -> Iterator[str]:
        """See `Samples.places`."""
        return chain.from_iterable(map(places_of, self._parts))

    def pictures(self) -> Iterator[str]:
        """See `Samples.pictures`."""
        return chain.from_iterable(map(pictures_of, self._parts))

    def sizes(self) -> npt.NDArray[np.float64]:
        """See `Samples.sizes`."""
        return np.concatenate([sizes_of(part) for part in self._parts])

    def ratios(self) -> npt.NDArray[np.float64]:
        """See `Samples.ratios`."""
        return np.concatenate([ratios_of(part) for part in self._parts])


def joined(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Return several sequences of samples as one: a list if all of them are lists."""
    if any(isinstance(part, Samples) for part in parts):
        return parts[0] if len(parts) == 1 else Joined(parts)
    return [sample for part in parts for sample in part]


def chosen(samples: Sequence[Any], flags: Iterable[bool]) -> Sequence[Any]:
    """Return those of the samples whose flag is true: a list if they are a list."""
    if isinstance(samples, Samples):
        return Chosen(samples, np.fromiter(flags, bool, len(samples)))
    return list(compress(samples, flags))


def texts_of(samples: Sequence[Any]) -> Iterator[Label]:
    """Yield the text of one sample after the other."""
    return samples.texts() if isinstance(samples, Samples) else map(label_of, samples)


def places_of(samples: Sequence[Any]) -> Iterator[str]:
    """Yield the ``file:line`` of one sample after the other."""
    return samples.places() if isinstance(samples, Samples) else (sample.where for sample in samples)


def pictures_of(samples: Sequence[Any]) -> Iterator[str]:
    """Yield the path of the picture of one sample after the other."""
    return samples.pictures() if isinstance(samples, Samples) else (str(sample.image) for sample in samples)


def label_of(sample: DetSample | RecSample) -> Label:
    """Return a line's text, or the texts of a picture's regions."""
    return sample.text if isinstance(sample, RecSample) else sample.texts


def sizes_of(samples: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return the widths and heights of lines in pixels: (samples, 2)."""
    if isinstance(samples, Samples):
        return samples.sizes()
    return np.array([line_size(sample) for sample in samples], np.float64).reshape(-1, 2)


def ratios_of(samples: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return the share of its label file's samples that an epoch draws, for each sample: (samples,)."""
    if isinstance(samples, Samples):
        return samples.ratios()
    return np.array([sample.ratio for sample in samples], np.float64)
