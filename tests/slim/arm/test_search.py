from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppedge.slim.arm.search import SLACK, Int8, Level, Problem, choose, frontier, nearest

CORES = ("a53", "a76")


def int8_of(rng, part):
    """Of every other part two layers, which may be dearer in int8 on one core."""
    return {
        f"layer {part}.{k}": Int8(rng.uniform(0, 0.03), {core: float(rng.uniform(-1, 2)) for core in CORES})
        for k in range(2 * (part % 2))
    }


def problem_of(seed, parts=3, levels=3):
    """Parts whose error grows as they are cut, cheaper on both cores but not by the same share."""
    rng = np.random.default_rng(seed)
    found = {}
    for part in range(parts):
        errors = np.cumsum(rng.uniform(0, 0.1, levels)) - 0.01
        costs = {core: np.cumsum(rng.uniform(1, 10, levels))[::-1] for core in CORES}
        found[f"block {part}"] = [
            Level(8 * (levels - k), max(errors[k], 0.0), {core: costs[core][k] for core in CORES}, int8_of(rng, part))
            for k in range(levels)
        ]
    fixed = {core: float(rng.uniform(1, 20)) for core in CORES}
    whole = {core: fixed[core] + sum(levels[0].cost[core] for levels in found.values()) for core in CORES}
    return Problem(found, fixed, whole)


def ways(level):
    """Every choice of a level's layers in int8: error, cost."""
    for names in chain.from_iterable(combinations(level.int8, count) for count in range(len(level.int8) + 1)):
        taken = [level.int8[name] for name in names]
        cost = {core: level.cost[core] - sum(int8.saved[core] for int8 in taken) for core in CORES}
        yield level.error + sum(int8.error for int8 in taken), cost


def all_points(problem):
    """Every choice: error, shares."""
    parts = [[way for level in levels for way in ways(level)] for levels in problem.parts.values()]
    for taken in product(*parts):
        shares = [(problem.fixed[c] + sum(cost[c] for _, cost in taken)) / problem.whole[c] for c in CORES]
        yield sum(error for error, _ in taken), dict(zip(CORES, shares, strict=True))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), a53=st.floats(0.1, 1), a76=st.floats(0.1, 1))
def test_no_choice_within_the_budgets_is_better(seed, a53, a76):
    problem, budgets = problem_of(seed), {"a53": a53, "a76": a76}
    points = list(all_points(problem))
    fitting = [error for error, shares in points if all(shares[c] <= budgets[c] for c in CORES)]
    found = choose(problem, budgets)
    if found is not None:
        assert all(found.shares[c] <= budgets[c] + 2 * SLACK for c in CORES)
        assert set(found.settings) == set(problem.parts)
        kept = {
            name for part, levels in problem.parts.items() for level in levels if level.setting == found.settings[part]
            for name in level.int8
        }  # fmt: skip
        assert set(found.int8) <= kept
        assert found.error <= min(fitting, default=np.inf) + 1e-5
    else:
        assert not fitting
        close = nearest(problem, budgets)
        exceeded = [max(shares[c] / budgets[c] for c in CORES) for _, shares in points]
        assert max(close.shares[c] / budgets[c] for c in CORES) == pytest.approx(min(exceeded), rel=1e-4)
        assert choose(problem, {c: share + SLACK for c, share in close.shares.items()}) is not None


def test_a_core_without_a_budget_binds_nothing():
    problem = problem_of(3)
    assert choose(problem, {"a53": 1.0}).error == choose(problem, {}).error
    tight = choose(problem, {"a53": 0.6})
    assert tight.shares["a53"] <= 0.6 + SLACK
    assert tight.error <= choose(problem, {"a53": 0.6, "a76": 0.6}).error + 1e-5


def test_of_equally_good_levels_the_cheaper_is_taken():
    levels = [Level(16, 0.0, {"a53": 9.0}), Level(8, 0.0, {"a53": 5.0})]
    found = choose(Problem({"block": levels}, {"a53": 1.0}, {"a53": 10.0}), {"a53": 1.0})
    assert (found.settings, found.shares) == ({"block": 8}, {"a53": pytest.approx(0.6)})


def test_the_frontier_goes_from_the_cheapest_to_the_best():
    problem = problem_of(7, parts=6)
    found = frontier(problem)
    assert len(found) == 5
    errors = [point.error for point in found]
    assert errors == sorted(errors, reverse=True) and errors[0] > errors[-1]
    assert errors[-1] == choose(problem, {}).error
    highest = [max(point.shares.values()) for point in found]
    least = min(max(shares.values()) for _, shares in all_points(problem))
    assert highest[0] == pytest.approx(least, abs=1e-5)


def test_the_same_problem_has_the_same_answer():
    assert choose(problem_of(5), {"a53": 0.5}) == choose(problem_of(5), {"a53": 0.5})
