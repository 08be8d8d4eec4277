"""Freed memory comes back to who asks next, without a page of it being asked of the system again."""

import ctypes
import resource

import numpy as np
import pytest

from ppedge.train.memory import freed_memory_kept

ROUNDS, SIZE = 10, 16 << 20
PAGES = SIZE // resource.getpagesize()


def asked_anew():
    """The pages of arrays made and freed together, as the tensors of a batch are, that the system had to give."""
    [np.ones(SIZE, np.uint8) for _ in range(6)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(ROUNDS):
        [np.ones(SIZE, np.uint8) for _ in range(6)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_used_again():
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("the C library is not glibc")
    with freed_memory_kept():
        inside = asked_anew()
    assert inside < PAGES < asked_anew()


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    with freed_memory_kept():
        pass
