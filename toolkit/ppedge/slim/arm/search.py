"""Budgeted search: one level for each part, and which of its layers are in int8, for the least sum of errors.

A mixed-integer linear program, a multiple-choice knapsack with one capacity a core: Sinha and Zoltners, "The
Multiple-Choice Knapsack Problem", Operations Research 27 (1979); solved by HiGHS through SciPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp

from ppedge.errors import PpedgeError
from ppedge.slim.arm.parts import Layers
from ppedge.slim.arm.prices import SIZE

SLACK = 1e-6
"""Of a share: what the solver takes for equal."""
CHEAPER = 1e-7
"""What a share of the instructions weighs against an error: of levels that are equally good the cheaper is taken."""
_INFEASIBLE = 2


@dataclass(frozen=True)
class Int8:
    """What 8 bits do in one layer of a part.

    Attributes:
        error: What is added to the part's, from 0.
        saved: Instructions by core, below 0 where 8 bits are dearer, and bytes.
    """

    error: float
    saved: Mapping[str, float]


@dataclass(frozen=True)
class Level:
    """One way to leave a part of a network.

    Attributes:
        setting: Channels that stay; None for a part whose width is not to be chosen.
        error: Of what the part gives, from 0; errors of all parts are added.
        cost: Instructions by core, and bytes, all in float.
        int8: By name, those of the part's layers that may compute in 8 bits, each for itself.
    """

    setting: int | None
    error: float
    cost: Mapping[str, float]
    int8: Mapping[str, Int8] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """What there is to choose.

    Attributes:
        parts: By name, at least one level each.
        fixed: Cost by core of all that has no levels.
        whole: Of the network as trained, of which budgets and shares are shares.
        layers: Of the parts.
    """

    parts: Mapping[str, Sequence[Level]]
    fixed: Mapping[str, float]
    whole: Mapping[str, float]
    layers: Layers = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """A choice.

    Attributes:
        settings: Channels that stay, by part.
        error: Sum over the parts.
        shares: Predicted instructions by core, and bytes, relative to the network as trained.
        int8: Names of the layers that compute in 8 bits.
    """

    settings: dict[str, int]
    error: float
    shares: dict[str, float]
    int8: tuple[str, ...] = ()

    @property
    def quality(self) -> str:
        """Its error and its layers in 8 bits, for people."""
        return f"error {self.error:.4f}" + (f", {len(self.int8)} layers in int8" if self.int8 else "")


def choose(problem: Problem, budgets: Mapping[str, float]) -> Point | None:
    """Choose the levels of least error within budgets.

    Args:
        problem: What there is to choose.
        budgets: By core, the largest share of the instructions; a core that is not named has none.

    Returns:
        The choice, or None if no choice is within the budgets.
    """
    rows = _Rows(problem)
    weights = np.concatenate([rows.errors + CHEAPER * sum(rows.shares.values()), [0.0]])
    found = _solve(weights, [*rows.choices(), *rows.within(budgets, scaled=False)])
    return None if found is None else rows.point(found)


def nearest(problem: Problem, budgets: Mapping[str, float]) -> Point:
    """Choose what comes nearest to budgets: they are exceeded by the least factor, and then with the least error."""
    rows = _Rows(problem)
    weights = np.concatenate([np.zeros(len(rows.errors)), [1.0]])
    found = _solve(weights, [*rows.choices(), *rows.within(budgets, scaled=True)])
    point = None if found is None else choose(problem, {c: b * (found[-1] + SLACK) for c, b in budgets.items()})
    if point is None:
        raise PpedgeError("The solver found no point that is nearest to the budgets.")
    return point


def frontier(problem: Problem, points: int = 5) -> list[Point]:
    """Return the best choices from the cheapest to the one of least error, the same share of every core allowed.

    Args:
        problem: What there is to choose.
        points: How many, at least 2; evenly spread over the shares.
    """
    equal = dict.fromkeys((core for core in problem.whole if core != SIZE), 1.0)
    best = choose(problem, {})
    assert best is not None  # without budgets every choice is within them
    low, high = (max(point.shares[core] for core in equal) for point in (nearest(problem, equal), best))
    found = [choose(problem, dict.fromkeys(equal, share + SLACK)) for share in np.linspace(low, high, points)]
    return [point for point in found if point is not None]


def best_of(frontiers: Sequence[Sequence[Point]]) -> list[Point]:
    """Return the points of several frontiers that are cheaper or better than all others, the cheapest first.

    Args:
        frontiers: Of problems whose shares are of the same network.
    """
    points = sorted((point for found in frontiers for point in found), key=lambda point: max(point.shares.values()))
    best: list[Point] = []
    for point in points:
        if not best or point.error < best[-1].error:
            best.append(point)
    return best


class _Rows:
    """A problem as vectors over all levels of all parts, and behind them over the layers of each that may be int8."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.levels = [(part, level) for part, levels in problem.parts.items() for level in levels]
        self.int8 = [(k, name, int8) for k, (_, level) in enumerate(self.levels) for name, int8 in level.int8.items()]
        self.errors = np.array([level.error for _, level in self.levels] + [int8.error for _, _, int8 in self.int8])
        self.shares = {
            core: np.array(
                [level.cost[core] for _, level in self.levels] + [-int8.saved[core] for _, _, int8 in self.int8]
            )
            / whole
            for core, whole in problem.whole.items()
        }
        self.fixed = {core: problem.fixed[core] / whole for core, whole in problem.whole.items()}

    def choices(self) -> list[LinearConstraint]:
        """Of each part exactly one level, and in int8 no layer but of that level."""
        parts = np.array([[float(own == part) for own, _ in self.levels] for part in self.problem.parts])
        one_each = LinearConstraint(np.pad(parts, [(0, 0), (0, len(self.int8) + 1)]), 1, 1)
        if not self.int8:
            return [one_each]
        rows = np.zeros((len(self.int8), len(self.levels) + len(self.int8) + 1))
        for row, (level, _, _) in enumerate(self.int8):
            rows[row, [level, len(self.levels) + row]] = -1.0, 1.0
        return [one_each, LinearConstraint(rows, -np.inf, 0)]

    def within(self, budgets: Mapping[str, float], *, scaled: bool) -> list[LinearConstraint]:
        """Each core's budget, or with ``scaled`` so many times that as the last variable says."""
        found = []
        for core, budget in budgets.items():
            row = np.concatenate([self.shares[core], [-budget if scaled else 0.0]])
            found.append(LinearConstraint(row[None], -np.inf, (0.0 if scaled else budget) - self.fixed[core]))
        return found

    def point(self, found: npt.NDArray[np.float64]) -> Point:
        taken = found[:-1] > 0.5
        shares = {core: fixed + float(self.shares[core][taken].sum()) for core, fixed in self.fixed.items()}
        levels, int8 = taken[: len(self.levels)], taken[len(self.levels) :]
        settings = {part: level.setting for part, level in compress(self.levels, levels) if level.setting is not None}
        names = tuple(name for _, name, _ in compress(self.int8, int8))
        return Point(settings, float(self.errors[taken].sum()), shares, names)


def _solve(weights: npt.NDArray[np.float64], constraints: Sequence[LinearConstraint]) -> npt.NDArray[np.float64] | None:
    """Minimise over binary variables and one that is real, the factor of all budgets."""
    binary = np.append(np.ones(len(weights) - 1), 0)
    upper = np.append(np.ones(len(weights) - 1), np.inf)
    result = milp(weights, integrality=binary, bounds=Bounds(0, upper), constraints=constraints,
                  options={"mip_rel_gap": 0.0})  # fmt: skip
    if result.x is None and result.status != _INFEASIBLE:
        raise PpedgeError(f"The budgeted search failed: {result.message}")
    return None if result.x is None else np.asarray(result.x)
