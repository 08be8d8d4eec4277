"""A choice of levels held against its network as a whole: searched on if that is too dear, or leaves room.

Costs of parts need not add up to the last instruction: the converter joins layers of neighbours, prices are a few per
cent off, and two narrow neighbours cost less together than each beside a wide one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ppedge.errors import GateError
from ppedge.slim.arm.search import Point, Problem, choose, nearest

ATTEMPTS = 12
GROWTHS = 4
WORTH = 0.02
"""What a choice leaves of a budget is looked at again if it is more than this share."""
ROUNDING = 1e-9  # of a share
STEP = 5e-4  # of a share, by which a search that goes on goes down at least

Whole = Callable[[Point], Point]
"""Returns a point with the shares of its network as a whole."""


def meet(problem: Problem, budgets: Mapping[str, float], whole: Whole, say: Callable[[str], None]) -> Point:
    """Return the best choice whose network is within budgets.

    Args:
        problem: What there is to choose.
        budgets: By core, the largest share.
        whole: Counts or prices a choice's network.
        say: Told of a choice that is too dear.

    Raises:
        GateError: There is none; it names the nearest.
    """
    asked = dict(budgets)
    for _ in range(ATTEMPTS):
        predicted = choose(problem, asked)
        if predicted is None:
            break
        point = whole(predicted)
        over = _over(point, budgets)
        if not over:
            return _grown(problem, budgets, asked, point, whole)
        say(f"{told(point.shares)} is over {told(budgets)}: searching on")
        for core in over:  # by less than what was predicted of this point, or it would be chosen again
            less = asked[core] * budgets[core] / point.shares[core]
            asked[core] = min(less, predicted.shares[core] - STEP)
    close = whole(nearest(problem, budgets))
    if not _over(close, budgets):  # as a whole it may be cheaper than predicted
        return close
    found = told({core: close.shares[core] for core in budgets})
    raise GateError(
        f"The budget {told(budgets)} cannot be met: the nearest point is {found}.",
        "Ask for that, or let more be pruned: smaller slim.prune.multiple, fewer slim.prune.exclude.",
    )


def _grown(
    problem: Problem, budgets: Mapping[str, float], asked: Mapping[str, float], point: Point, whole: Whole
) -> Point:
    """Use the room that a choice leaves.

    Args:
        problem: Of the search.
        budgets: By core.
        asked: What the choice was searched with.
        point: The choice, with the shares of its network as a whole.
        whole: As of `meet`.
    """
    best, room = point, _room(point, budgets)
    for _ in range(GROWTHS):
        if room < 1 + WORTH:
            break
        wider = {core: share * room for core, share in asked.items()}
        predicted = choose(problem, wider)
        if predicted is None or predicted.error >= best.error:
            break
        found = whole(predicted)
        if _over(found, budgets):
            room = math.sqrt(room)
            continue
        asked, best, room = wider, found, _room(found, budgets)
    return best


def _over(point: Point, budgets: Mapping[str, float]) -> set[str]:
    """Return the cores on which a point costs more than it may."""
    return {core for core, budget in budgets.items() if point.shares[core] > budget + ROUNDING}


def _room(point: Point, budgets: Mapping[str, float]) -> float:
    """Return by how much all of a point's shares may grow."""
    return min((budget / point.shares[core] for core, budget in budgets.items()), default=1.0)


def told(shares: Mapping[str, float]) -> str:
    """Return shares as ``--budget`` takes them, rounded up to three digits."""
    return " ".join(f"{core}={math.ceil(share * 1000 - 1e-6) / 1000:.3f}" for core, share in shares.items())
