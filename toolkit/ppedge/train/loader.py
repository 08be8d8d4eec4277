"""Batches for training, prepared in the training process or in others.

Other processes leave the arrays of a batch in memory that each shares with the training process, and tell of it
through a pipe, which shows the death of a process at once. The memory has no name: it is none of ``/dev/shm``, of which
containers have little.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from itertools import cycle, islice
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
import paddle

from ppedge.data.dataset import Dataset, Item, Place
from ppedge.errors import MissingError, PpedgeError
from ppedge.process import death, last_words, tied_to_this_process
from ppedge.signals import sigterm_held

Keys = Sequence[Place]
Tensors = dict[str, paddle.Tensor]

_FORK = multiprocessing.get_context("fork")  # the data set is large, and is not to be copied
_SHARED_BYTES = 1 << 28
"""Of arrays that a process passes through shared memory; what a batch has beyond goes through the pipe. The machine
gives it as it is written to, and not before."""
_ALIGNMENT = 64
_FEWER = "Lower train.workers or train.batch_size."


def load(
    dataset: Dataset, batches: Iterable[Keys], collate: Callable[[list[Item]], Item], workers: int
) -> Generator[Tensors, None, None]:
    """Yield batches in order; whoever stops before the end closes the iterator, which ends the processes.

    Args:
        dataset: Gives a sample by its place.
        batches: The keys of one batch after the other; each process goes through it by itself.
        collate: Makes a batch of samples.
        workers: Processes that prepare batches; 0 prepares them in this one.

    Raises:
        PpedgeError: A sample cannot be prepared; the error names its label and its picture.
        MissingError: A process cannot be started or died, or memory is full.
    """
    if workers:
        loaded = _from_workers(dataset, batches, collate, workers)
    else:
        loaded = (_tensors(_prepare(dataset, keys, collate)) for keys in batches)
    with closing(loaded):
        yield from loaded


def _tensors(batch: Item) -> Tensors:
    """Copy a batch's arrays."""
    return {name: paddle.to_tensor(array) for name, array in batch.items()}


def _prepare(
    dataset: Dataset, keys: Keys, collate: Callable[[list[Item]], Item], at: Callable[[int], None] = lambda index: None
) -> Item:
    """Return a batch.

    Args:
        dataset: See `load`.
        keys: Of the samples.
        collate: See `load`.
        at: Told the index of the sample that comes next.

    Raises:
        PpedgeError: See `load`.
    """
    items = []
    try:
        for key in keys:
            at(key[1])
            items.append(dataset[key])
        return collate(items)
    except PpedgeError:
        raise
    except MemoryError as error:
        raise MissingError(f"{_place(dataset, key[1])}: not enough memory for a batch.", _FEWER) from error
    except Exception as error:
        raise PpedgeError(
            f"{_place(dataset, key[1])}: cannot be prepared for training "
            f"({type(error).__name__}: {last_words(str(error))}).",
            "Leave this line out; --debug --set train.workers=0 shows more.",
        ) from error


def _place(dataset: Dataset, index: int) -> str:
    sample = dataset.samples[index]
    return f"{sample.where}: {sample.image}"


def _from_workers(
    dataset: Dataset, batches: Iterable[Keys], collate: Callable[[list[Item]], Item], count: int
) -> Generator[Tensors, None, None]:
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_Worker(dataset, islice(batches, number, None, count), collate))
        for worker in cycle(workers):
            batch = worker.take()
            if batch is None:
                return
            yield batch
    finally:
        for worker in workers:
            worker.close()


class _Worker:
    """A process that prepares batches, and does not begin another before the last is taken.

    Args:
        dataset: See `load`.
        batches: The keys of its own batches.
        collate: See `load`.

    Raises:
        MissingError: The process cannot be started.
    """

    def __init__(self, dataset: Dataset, batches: Iterable[Keys], collate: Callable[[list[Item]], Item]) -> None:
        self._dataset = dataset
        try:
            self._at = mmap.mmap(-1, 8)  # the index of the sample under way, which a process that dies can tell no more
            self._shared = mmap.mmap(-1, _SHARED_BYTES)
            reading, writing = os.pipe()
            self._pipe = os.fdopen(reading, "rb")
            asked, asking = os.pipe()
            self._asking = os.fdopen(asking, "wb", buffering=0)
            with os.fdopen(writing, "wb") as theirs, os.fdopen(asked, "rb", buffering=0) as taken:
                channel = _Channel(self._shared, theirs, taken)
                arguments = (dataset, batches, collate, self._at, channel, tied_to_this_process())
                self._process = _FORK.Process(target=_work, args=arguments, daemon=True)
                with sigterm_held():  # until it ignores the signal by itself
                    self._process.start()
        except OSError as error:
            raise MissingError(f"No process for preparing batches: {error.strerror}.", _FEWER) from error

    def take(self) -> Tensors | None:
        """Wait for the next batch and return it; None after the last.

        Raises:
            PpedgeError: See `load`.
        """
        try:
            sent: Item | PpedgeError | None = _receive(self._pipe, self._shared)
            if sent is None:
                return None
            if not isinstance(sent, PpedgeError):
                batch = _tensors(sent)
                self._asking.write(b"+")
                return batch
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            self._process.join()
            place = _place(self._dataset, int.from_bytes(self._at[:], "little"))
            raise MissingError(
                f"A process that prepares batches {death(self._process.exitcode or 0)} at {place}.",
                f"{_FEWER} If memory is not short, leave this picture out.",
            ) from error
        except MemoryError as error:
            raise MissingError("There is not enough memory to take a batch.", _FEWER) from error
        raise sent

    def close(self) -> None:
        """End the process at once: it holds nothing that would be lost."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        self._asking.close()


class _Channel(NamedTuple):
    """A worker's side of what it shares with the training process.

    Attributes:
        shared: Where arrays are left.
        pipe: Where the rest is written to.
        taken: Where a byte comes from when a batch has been taken out of ``shared``.
    """

    shared: mmap.mmap
    pipe: BinaryIO
    taken: BinaryIO


def _work(
    dataset: Dataset,
    batches: Iterable[Keys],
    collate: Callable[[list[Item]], Item],
    at: mmap.mmap,
    channel: _Channel,
    tie: Callable[[], None],
) -> None:
    """Send the batches, then None; or the error that ends them."""
    tie()  # first of all: the training process may have been killed already
    cv2.setNumThreads(0)
    # These reach the whole process group; the training process alone decides what follows from them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def note(index: int) -> None:
        at[:] = index.to_bytes(8, "little")

    try:
        for keys in batches:
            _send(_prepare(dataset, keys, collate, note), channel)
            if not channel.taken.read(1):
                return
        _send(None, channel)
    except PpedgeError as error:
        _send(error, channel)
    except MemoryError:  # while packing
        _send(MissingError("There is not enough memory to pass a batch on.", _FEWER), channel)


def _send(value: Any, channel: _Channel) -> None:
    """Pickle a value; its arrays are copied into the shared memory or, where that is full, follow as they are."""
    buffers: list[pickle.PickleBuffer] = []
    packed = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    arrays = [buffer.raw() for buffer in buffers]
    places: list[tuple[int, int | None]] = []
    free = 0
    for array in arrays:
        end = free + array.nbytes
        shares = end <= len(channel.shared)
        places.append((array.nbytes, free if shares else None))
        if shares:
            channel.shared[free:end] = array
            free = -(-end // _ALIGNMENT) * _ALIGNMENT
    pickle.dump((packed, places), channel.pipe)
    for array, (_, begin) in zip(arrays, places, strict=True):
        if begin is None:
            channel.pipe.write(array)
    channel.pipe.flush()


def _receive(pipe: BinaryIO, shared: mmap.mmap) -> Any:
    """Return what `_send` wrote; arrays lie where they are until the other side is told that they are taken.

    Raises:
        EOFError: The other side has ended.
        pickle.UnpicklingError: It ended in the middle.
    """
    packed, places = pickle.load(pipe)
    arrays = []
    for size, begin in places:
        if begin is None:
            array = np.empty(size, np.uint8)
            if pipe.readinto(array) < size:  # type: ignore[attr-defined]
                raise EOFError
        else:
            array = np.frombuffer(shared, np.uint8, size, begin)
        arrays.append(array)
    return pickle.loads(packed, buffers=arrays)
