import threading
import time

import numpy as np
import pytest

from fakes import Fake, workers
from ppedge.errors import PpedgeError
from ppedge.validate.workers import Workers


def series(*numbers):
    return [np.full(2, number, np.float32) for number in numbers]


def test_results_come_in_the_order_of_the_work():
    def slow_when_even(x):
        time.sleep(0.02 * (x[0] % 2 == 0))
        return x * 10

    engines = [Fake("arm", slow_when_even) for _ in range(3)]
    work = [(str(k), series(k, k + 100)) for k in range(12)]
    with workers(*engines) as pool:
        assert (pool.name, pool.runtime) == ("arm", "fake 1.0")
        found = [(tag, [int(x[0]) for x in inputs], [int(y[0]) for y in outputs])
                 for tag, inputs, outputs in pool.run(iter(work))]  # fmt: skip
    assert found == [(str(k), [k, k + 100], [10 * k, 10 * k + 1000]) for k in range(12)]
    assert all(engine.inputs for engine in engines)  # all of them had a share
    assert all(engine.closed == 1 and not engine.killed.is_set() for engine in engines)


def test_a_series_stays_on_one_engine_in_its_order():
    engines = [Fake("arm", lambda x: x) for _ in range(3)]
    with workers(*engines) as pool:
        list(pool.run((k, series(k, k + 0.25, k + 0.5)) for k in range(9)))
    for engine in engines:
        seen = [float(x[0]) for x in engine.inputs]
        assert seen == [k + part for k in map(int, seen[::3]) for part in (0, 0.25, 0.5)]


def test_work_is_taken_as_it_is_needed():
    taken = []

    def work():
        for k in range(100):
            taken.append(k)
            yield k, series(k)

    with workers(Fake("arm", lambda x: x), Fake("arm", lambda x: x)) as pool:
        run = pool.run(work())
        next(run)
        assert len(taken) <= 5


def test_an_error_kills_what_is_under_way_and_closes_all():
    stuck = Fake("arm", lambda x: stuck.killed.wait(30) and x)

    def fails(x):
        raise PpedgeError("the guest died of SIGKILL")

    bad = Fake("arm", fails)
    began = time.monotonic()
    with pytest.raises(PpedgeError, match="SIGKILL"), workers(bad, stuck) as pool:
        list(pool.run((k, series(k)) for k in range(10)))
    assert time.monotonic() - began < 20  # the stuck one did not hold it up
    assert stuck.killed.is_set()
    assert bad.closed == stuck.closed == 1


def test_an_error_of_the_caller_s_ends_the_engines_too():
    engine = Fake("arm", lambda x: x)
    with pytest.raises(KeyboardInterrupt), workers(engine) as pool:
        for _ in pool.run((k, series(k)) for k in range(10)):
            raise KeyboardInterrupt
    assert engine.killed.is_set() and engine.closed == 1


def test_one_that_cannot_be_opened_closes_the_others():
    opened, lock = [], threading.Lock()

    def open_one():
        with lock:
            if len(opened) == 1:
                raise PpedgeError("no such core.")
            opened.append(Fake("arm", lambda x: x))
            return opened[-1]

    with pytest.raises(PpedgeError, match="no such core"):
        Workers([open_one, open_one])
    assert [engine.closed for engine in opened] == [1]
