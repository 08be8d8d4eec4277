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
    """A guest: it counts, and opens other models; each is the function that ``function_of`` makes of a path."""

    last_counts = COUNTS

    def __init__(self, name, path, function_of):
        super().__init__(name, function_of(path))
        self.function_of, self.paths = function_of, [path]
        self.counting = True
        self.shared = []  # its inputs since it stopped to count

    def run(self, inputs):
        if not self.counting:
            self.shared.append((self.paths[-1].name, inputs[0]))
        return super().run(inputs)

    def stop_counting(self):
        self.counting = False

    def reopen(self, path):
        self.paths.append(path)
        self.function = self.function_of(path)

    def memory(self):
        return 5_000_000

    def load_counts(self, inputs):
        return {"total": 70_000}


def workers(*engines):
    """Workers made of these engines."""
    waiting = list(engines)
    return Workers([lambda: waiting.pop(0)] * len(engines))
