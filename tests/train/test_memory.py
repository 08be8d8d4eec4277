"""Freed memory comes back to who asks next, without a page of it being asked of the system again."""

import ctypes
import json
import subprocess
import sys

import pytest

from ppedge.train.memory import freed_memory_kept

COUNTED = """
import json, resource
import numpy as np
from ppedge.train.memory import freed_memory_kept

def batch():
    # Made and freed together, as the tensors of a batch are.
    [np.ones(16 << 20, np.uint8) for _ in range(6)]

def asked_anew():
    batch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        batch()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = asked_anew()
with freed_memory_kept():
    kept = asked_anew()
print(json.dumps([usual, kept]))
"""


def test_freed_memory_is_used_again():
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("the C library is not glibc")
    # In a process of its own: what this one has on its heap decides what can be returned to the system.
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    usual, kept = json.loads(done.stdout)
    assert 10 * kept < usual


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    with freed_memory_kept():
        pass
