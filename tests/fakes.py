"""Engines made of functions, and pictures for them."""

from __future__ import annotations

import threading

from ppedge.validate.workers import Workers

COUNTS = {"total": 1000, "load": 400, "dot": 0}


class Fake:
    """An engine made of a function of its input; it keeps what it was given."""

    runtime = "fake 1.0"

    def __init__(self, name, function):
        self.name, self.function = name, function
        self.inputs, self.closed = [], 0
        self.killed = threading.Event()

    def run(self, inputs):
        self.inputs.append(inputs[0])
        return [self.function(inputs[0])]

    def kill(self):
        self.killed.set()

    def close(self):
        self.closed += 1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class FakeArm(Fake):
    """An engine that also counts."""

    last_counts = COUNTS

    def memory(self):
        return 5_000_000

    def load_counts(self, inputs):
        return {"total": 70_000}


def workers(*engines):
    """Workers made of these engines."""
    waiting = list(engines)
    return Workers(lambda: waiting.pop(0), len(engines))
