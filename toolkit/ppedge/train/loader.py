"""Batches for training, prepared in the training process or in others.

Other processes leave the arrays of a batch in memory that each shares with the training process, and tell of it
through a pipe, which shows the death of a process at once. The memory has no name: it is none of ``/dev/shm``, of which
containers have little.
"""

from __future__ import annotations

import math
import mmap
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from itertools import cycle, islice
from typing import Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
import paddle

from ppedge.data.collate import Item, New
from ppedge.data.dataset import Dataset, Place
from ppedge.errors import MissingError, PpedgeError
from ppedge.process import death, last_words, tied_to_this_process
from ppedge.signals import sigterm_held
from ppedge.train.memory import freed_memory_kept

Keys = Sequence[Place]
Tensors = dict[str, paddle.Tensor]
Collate = Callable[..., Item]
"""Called with the samples of a batch and with what makes its arrays; see `ppedge.data.collate.collate_det`."""

_FORK = multiprocessing.get_context("fork")  # the data set is large, and is not to be copied
_SHARED_BYTES = 1 << 28
"""Of arrays that a process passes through shared memory; what a batch has beyond goes through the pipe. The machine
gives it as it is written to, and not before."""
_ALIGNMENT = 64
_FEWER = "Lower train.workers or train.batch_size."


def load(dataset: Dataset, batches: Iterable[Keys], collate: Collate, workers: int) -> Generator[Tensors, None, None]:
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
        loaded = (_tensors(_prepare(dataset, keys, collate, np.empty)) for keys in batches)
    with freed_memory_kept(), closing(loaded):
        yield from loaded


def _tensors(batch: Item) -> Tensors:
    """Copy a batch's arrays."""
    return {name: paddle.to_tensor(array) for name, array in batch.items()}


def _prepare(
    dataset: Dataset, keys: Keys, collate: Collate, new: New, at: Callable[[int], None] = lambda index: None
) -> Item:
    """Return a batch.

    Args:
        dataset: See `load`.
        keys: Of the samples.
        collate: See `load`.
        new: Makes the batch's arrays.
        at: Told the index of the sample that comes next.

    Raises:
        PpedgeError: See `load`.
    """
    items = []
    try:
        for key in keys:
            at(key[1])
            items.append(dataset[key])
        return collate(items, new)
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
    dataset: Dataset, batches: Iterable[Keys], collate: Collate, count: int
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

    def __init__(self, dataset: Dataset, batches: Iterable[Keys], collate: Collate) -> None:
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
                with suppress(BrokenPipeError):  # its death is told when it is asked for more
                    self._asking.write(b"+")
                return batch
        except (EOFError, pickle.UnpicklingError) as error:
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


class _Channel:
    """A worker's side of what it shares with the training process.

    Args:
        shared: Where arrays are left.
        pipe: Where the rest is written to.
        taken: Where a byte comes from when a batch has been taken out of ``shared``.
    """

    def __init__(self, shared: mmap.mmap, pipe: BinaryIO, taken: BinaryIO) -> None:
        self._bytes = np.frombuffer(shared, np.uint8)
        self._free = 0
        self._pipe = pipe
        self._taken = taken

    def new(self, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """Return an array in the shared memory or, where that is full, elsewhere; it is not cleared."""
        kind = np.dtype(dtype)
        end = self._free + math.prod(shape) * kind.itemsize
        if end > len(self._bytes):
            return np.empty(shape, kind)
        array = self._bytes[self._free : end].view(kind).reshape(shape)
        self._free = -(-end // _ALIGNMENT) * _ALIGNMENT
        return array

    def send(self, value: Any) -> None:
        """Pickle a value; its arrays stay in the shared memory, or follow as they are where they lie elsewhere."""
        buffers: list[pickle.PickleBuffer] = []
        packed = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        arrays = [buffer.raw() for buffer in buffers]
        places = [(array.nbytes, self._place(array)) for array in arrays]
        pickle.dump((packed, places), self._pipe)
        for array, (_, begin) in zip(arrays, places, strict=True):
            if begin is None:
                self._pipe.write(array)
        self._pipe.flush()

    def _place(self, array: memoryview) -> int | None:
        """Return where an array begins in the shared memory, or None."""
        if not array.nbytes:
            return None
        begin = np.frombuffer(array, np.uint8).ctypes.data - self._bytes.ctypes.data
        return begin if 0 <= begin < len(self._bytes) else None

    def wait(self) -> bool:
        """Wait until what was sent has been taken, and clear the shared memory; return whether anybody takes it."""
        self._free = 0
        return bool(self._taken.read(1))


def _work(
    dataset: Dataset,
    batches: Iterable[Keys],
    collate: Collate,
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
            channel.send(_prepare(dataset, keys, collate, channel.new, note))
            if not channel.wait():
                return
        channel.send(None)
    except PpedgeError as error:
        channel.send(error)
    except MemoryError:  # while packing
        channel.send(MissingError("There is not enough memory to pass a batch on.", _FEWER))


def _receive(pipe: BinaryIO, shared: mmap.mmap) -> Any:
    """Return what `_Channel.send` wrote; arrays lie where they are until the other side is told that they are taken.

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
