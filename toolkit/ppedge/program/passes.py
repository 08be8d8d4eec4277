"""The passes of rewrites in their order, and applying them: with each one checked, or all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ppedge.errors import PpedgeError
from ppedge.program.border import border_rows
from ppedge.program.changes import Change, Pass
from ppedge.program.folding import fold_before, fold_behind, one_scale, plain_bias
from ppedge.program.gates import join_gates
from ppedge.program.gelu import approximate_gelu
from ppedge.program.identities import drop_dead_operators, drop_identities
from ppedge.program.pools import few_rows
from ppedge.program.program import Program
from ppedge.program.recurrent import lstm
from ppedge.program.rounding import Expected, Outputs
from ppedge.program.slices import slices
from ppedge.program.strides import column_strides, row_strides
from ppedge.program.transposed import sub_pixel
from ppedge.program.upsampling import nearest
from ppedge.program.windows import large_windows, shifted_max, whole_windows

PASSES: dict[str, Pass] = {
    "dead": drop_dead_operators,
    "identities": drop_identities,
    "plain-bias": plain_bias,
    "fold-before": fold_before,
    "fold-behind": fold_behind,
    "one-scale": one_scale,
    "gate": join_gates,
    "row-strides": row_strides,
    "column-strides": column_strides,
    "few-rows": few_rows,
    "shifted-max": shifted_max,
    "whole-windows": whole_windows,
    "large-windows": large_windows,
    "sub-pixel": sub_pixel,
    "nearest": nearest,
    "border-rows": border_rows,
    "slices": slices,
    "lstm": lstm,
}
"""All that are exact, in the order in which they are applied; the kind of a pass's changes is its name here."""
APPROXIMATE: dict[str, Pass] = {"approximate-gelu": approximate_gelu}
"""Those whose numbers are others, within a bound of their own; they come last, and are applied where they are asked
for."""
FOR_ONNX = ("dead", "identities", "fold-before", "fold-behind")
"""Those after which an ONNX runtime has less to do too."""
LIMIT, APPROXIMATE_LIMIT = 1e-4, 5e-3
"""Largest difference of an output that an exact pass, and one of `APPROXIMATE`, may make, as a share of the largest
output if that is above 1."""
Prices = Mapping[str, float]
Price = Callable[[Program], Prices]


@dataclass(frozen=True)
class Step:
    """A pass that found something to rewrite.

    Attributes:
        name: Of the pass.
        changes: What it did, or would have done.
        difference: Largest difference of an output to the program before all passes; of a quantized program's, if some
            values are rounded otherwise, without that rounding.
        prices: Instructions by core after it; empty where nobody knows them.
        refused: Why its changes were taken back; empty for a pass that stays.
        unconvertible: Whether that is because the program could be run, but not be converted.
    """

    name: str
    changes: list[Change]
    difference: float
    prices: Prices
    refused: str = ""
    unconvertible: bool = False


def rewrite(program: Program, names: Iterable[str] = PASSES) -> list[Change]:
    """Apply passes, unchecked: for programs that are priced and thrown away."""
    return [change for name in names for change in _pass(name)(program)]


def _pass(name: str) -> Pass:
    return PASSES[name] if name in PASSES else APPROXIMATE[name]


def rewrite_checked(
    program: Program, names: Sequence[str], outputs: Outputs, price: Price
) -> tuple[Program, Prices, list[Step]]:
    """Apply passes one by one, and take back what does not prove right.

    A pass is refused whose program cannot be run or converted, whose outputs differ by more than `LIMIT` from those of
    the program before all passes (one of `APPROXIMATE`: `APPROXIMATE_LIMIT`; of a quantized one see
    `ppedge.program.rounding.Expected`), or that costs more on every core. If what cannot be converted is put right by a
    later pass, both stay, as long as all in all that costs no more.

    Args:
        program: It stays as it is.
        names: Of the passes, in order.
        outputs: What a program makes of the inputs that are tried; raises `PpedgeError` if it cannot be run.
        price: Instructions by core; raises `PpedgeError` if a program cannot be converted.

    Returns:
        The rewritten program, the prices of the one before, and the steps of passes that found something.

    Raises:
        PpedgeError: The program before all passes cannot be run or converted.
    """
    expected, before = Expected(program, outputs), price(program)

    def applied(*, patient: bool) -> tuple[Program, Prices, list[Step]]:
        kept, steps, cost = program, list[Step](), before
        tried = kept.copy()
        for name in names:
            step = _step(name, tried, expected, cost, price)
            if step is None:  # the pass has changed nothing
                continue
            if patient and step.unconvertible:
                step = replace(step, refused="", prices=cost)
            steps.append(step)
            if not step.refused:
                kept, cost = tried, step.prices
            tried = kept.copy()
        return kept, cost, steps

    kept, cost, steps = applied(patient=False)
    if any(step.unconvertible for step in steps):
        other, _, others = applied(patient=True)
        with suppress(PpedgeError):  # nothing has put it right
            prices = price(other)
            if prices and all(prices[core] <= cost[core] for core in cost):
                kept, steps = other, others
    return kept, before, steps


def _step(name: str, tried: Program, expected: Expected, cost: Prices, price: Price) -> Step | None:
    """Rewrite a program by one pass and judge it; None if the pass found nothing."""
    try:
        changes = _pass(name)(tried)
    except (LookupError, ValueError, TypeError) as error:  # an operator of a form that the pass does not know
        return Step(
            name, [], 0.0, cost, f"it does not know a form that the program has ({type(error).__name__}: {error})"
        )
    if not changes:
        return None
    try:
        difference, refused = expected.judge(tried, APPROXIMATE_LIMIT if name in APPROXIMATE else LIMIT)
    except PpedgeError as error:
        return Step(name, changes, float("nan"), cost, f"the program would not work any more: {error.message}")
    if refused:
        return Step(name, changes, difference, cost, refused)
    try:
        prices = price(tried)
    except PpedgeError as error:
        reason = f"the program could not be converted any more: {error.message}"
        return Step(name, changes, difference, cost, reason, unconvertible=True)
    if prices and cost and all(prices[core] > cost[core] for core in cost):
        return Step(name, changes, difference, cost, "it would cost more on every core")
    return Step(name, changes, difference, prices)
