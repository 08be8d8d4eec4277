"""Lines that are held are the lines that were decoded, whoever of several processes decoded them."""

import gc
import mmap
import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from ppedge.data.held import _PIECE, Held


def drawn(index):
    """A line of that index: the same whenever it is asked for."""
    rng = np.random.default_rng(index)
    return rng.integers(0, 255, (int(rng.integers(1, 80)), int(rng.integers(1, 900)), 3), np.uint8)


def forbidden():
    raise AssertionError("it is held, and was decoded again")


def test_a_line_is_decoded_once():
    held = Held(50, 16 * _PIECE)
    for index in range(50):
        assert np.array_equal(held.line(index, lambda index=index: drawn(index)), drawn(index))
    for index in range(50):
        line = held.line(index, forbidden)
        assert np.array_equal(line, drawn(index)) and line.dtype == np.uint8
        with pytest.raises(ValueError, match="read-only"):
            line[:] = 0


@pytest.mark.parametrize("pieces", [0, 1])
def test_without_room_lines_are_decoded_again(pieces):
    held, decoded = Held(100, pieces * _PIECE), []

    def decode(index):
        decoded.append(index)
        return drawn(index)

    for index in [*range(100), *range(100)]:
        assert np.array_equal(held.line(index, lambda index=index: decode(index)), drawn(index))
    again = len(decoded) - 100
    assert again == 100 if pieces == 0 else 0 < again < 100


@pytest.mark.parametrize("shape", [(1, 1), (1, 32766), (32766, 1), (512, 682), (512, 683)])
def test_lines_of_any_sides(shape):
    """The last is larger than a piece, and not held."""
    held, line = Held(2, 4 * _PIECE), np.full((*shape, 3), 7, np.uint8)
    for _ in range(2):
        found = held.line(1, line.copy)
        assert found.shape == line.shape and (found == 7).all()
    assert (held.line(1, lambda: np.zeros_like(line)) == (7 if line.size <= _PIECE else 0)).all()


def test_processes_hold_together():
    """Each writes to memory that no other is given, nor the one before they were forked; none ends in order."""
    held, count = Held(300, 64 * _PIECE), 4
    for index in range(10):
        held.line(index, lambda index=index: drawn(index))

    def work(number):
        for index in range(10 + number, 200, count):
            held.line(index, lambda index=index: drawn(index))
        os._exit(number)  # as one that is killed

    processes = [multiprocessing.get_context("fork").Process(target=work, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    for index in range(200, 300):
        held.line(index, lambda index=index: drawn(index))
    for index in range(300):
        assert np.array_equal(held.line(index, forbidden), drawn(index))


def test_a_copy_in_another_process_starts_empty():
    held = Held(3, 2 * _PIECE)
    held.line(0, lambda: drawn(0))
    copy = pickle.loads(pickle.dumps(held))
    assert np.array_equal(copy.line(0, lambda: drawn(5)), drawn(5))


def test_without_memory_nothing_is_held(monkeypatch):
    real = mmap.mmap

    def refuse(file, size):
        if size > _PIECE:
            raise OSError(12, "Cannot allocate memory")
        return real(file, size)

    monkeypatch.setattr(mmap, "mmap", refuse)
    held = Held(3, 4 * _PIECE)
    for index in (0, 1):
        assert np.array_equal(held.line(0, lambda index=index: drawn(index)), drawn(index))


def test_nothing_is_left_open():
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        Held(3, _PIECE)
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
