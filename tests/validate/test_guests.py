"""Guests that count, compare and help, with processes of our own in the place of emulated ones."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from fakes import FakeArm
from ppedge.errors import PpedgeError
from ppedge.process import tied_to_this_process
from ppedge.validate.guests import CoreGuests
from ppedge.validate.jobs import Model

BASELINE, FLOAT, INT8 = (Model(f"{name}.onnx", name, (), name == "baseline") for name in ("baseline", "fp32", "int8"))


class Process(FakeArm):
    """A guest with a process behind it, which ends as QEMU does."""

    def __init__(self, model, fails=()):
        super().__init__("arm", Path(model.file), lambda path: self.function_of_path(path))
        self.fails = fails
        self.process = subprocess.Popen(["sleep", "600"], preexec_fn=tied_to_this_process())

    def function_of_path(self, path):
        def function(x):
            if path.stem in self.fails:
                raise PpedgeError(f"{path}: running the network: the guest died of SIGSEGV")
            assert self.process.poll() is None
            return x + len(path.stem)

        return function

    def kill(self):
        super().kill()
        self.process.kill()

    def close(self):
        super().close()
        self.process.wait(30)


@pytest.fixture
def core():
    started = []

    def make(most, threads=2, fails=()):
        def start(model, count):
            started.append((model, count, Process(model, fails)))
            return started[-1][2]

        return CoreGuests(start, lambda model: Path(model.file), most, threads), started

    yield make
    for _, _, guest in started:
        guest.kill()
        guest.close()


def outputs(workers):
    work = [(k, [np.full(2, k, np.float32)]) for k in range(8)]
    return [float(y[0][0]) - tag for tag, _, y in workers.run(iter(work))]


@pytest.mark.parametrize(
    ("models", "most", "started"),
    [
        ([BASELINE, FLOAT, INT8], 1, 3),
        ([BASELINE, FLOAT, INT8], 2, 3),  # the baseline's helps with the first file, the first file's with the second
        ([BASELINE, FLOAT, INT8], 4, 3 + 2),  # two more for the first file, which are there for the second
        ([FLOAT, INT8], 2, 2 + 1),
        ([FLOAT, INT8], 3, 2 + 2),
    ],
)
def test_only_what_is_lacking_is_started(core, models, most, started):
    guests, all_started = core(most)
    with guests:
        costs = guests.count(models, (32, 64), lambda: None)
        assert list(costs) == models
        for model in (FLOAT, INT8):
            with guests.workers(model) as workers:
                assert len(workers.engines) == most
                assert outputs(workers) == [len(model.precision)] * 8
                assert workers.engines[0].paths == [Path(model.file)]  # its own, which has held nothing else
        assert sum(guest.process.poll() is None for _, _, guest in all_started) <= most + 1
    assert len(all_started) == started
    assert {model for model, count, _ in all_started if count} == set(models)
    assert sum(count for _, count, _ in all_started) == len(models)
    assert all(guest.process.returncode is not None for _, _, guest in all_started)


def test_a_guest_counts_before_it_does_anything_else(core):
    guests, started = core(2)
    with guests:
        guests.count([BASELINE, FLOAT, INT8], (32, 64), lambda: None)
        assert all(len(guest.inputs) == 1 and not guest.counting and not guest.shared for _, _, guest in started)


@pytest.mark.parametrize("fails", ["fp32", "int8"])
def test_an_error_ends_all_of_them(core, fails):
    guests, started = core(2, fails=(fails,))
    with pytest.raises(PpedgeError, match=f"{fails}.onnx: running the network"), guests:
        guests.count([BASELINE, FLOAT, INT8], (32, 64), lambda: None)
    assert started and all(guest.process.returncode is not None for _, _, guest in started)


def test_an_interruption_ends_all_of_them(core):
    guests, started = core(3)
    with pytest.raises(KeyboardInterrupt), guests:
        guests.count([BASELINE, FLOAT, INT8], (32, 64), lambda: None)
        with guests.workers(FLOAT):
            raise KeyboardInterrupt
    assert len(started) == 4 and all(guest.process.returncode is not None for _, _, guest in started)
