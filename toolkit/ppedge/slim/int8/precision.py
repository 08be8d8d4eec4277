"""Which layers compute in 8 bits: those that save ARM instructions by it, as far as the metric allows.

What 8 bits cost is measured at the network's output, one layer at a time: a layer's own signal-to-noise ratio says
little, since what an early layer loses grows in all that follow. Layers are taken in the order of instructions saved
per error made, as many as the metric and the error of all together allow, which is found by bisection. So layers are
given back to float from the one that made the most error per instruction on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import paddle

from ppedge.errors import PpedgeError
from ppedge.slim.int8.pact import QUANTIZED
from ppedge.slim.int8.rounding import LEAST, Reference, fake_quantized, output_errors

SMALL = 0.005
"""Of what all layers would gain together: who gains less is within what the prediction may be off."""

CHOSEN = "chosen"
EXCLUDED = "excluded by the recipe"
UNKNOWN = "cost unknown"
NO_GAIN = "gains next to nothing"
ERROR = "the output would change too far"
METRIC = "the metric would fall too far"
NOT_NEEDED = "the budget is met without it"


@dataclass(frozen=True)
class LayerChoice:
    """What was decided about a layer.

    Attributes:
        layer: Its structured name.
        precision: ``fp32`` or ``int8``.
        reason: Why.
        gain: Instructions that it alone saves in int8, by core, and bytes as ``nb``, below 0 where it is dearer; empty
            where not known.
        error: Mean squared difference of the network's output with this layer alone in int8, relative to the output's
            variance; None where it was not asked for.
    """

    layer: str
    precision: str
    reason: str
    gain: dict[str, float]
    error: float | None


@dataclass(frozen=True)
class Trial:
    """A number of layers in int8 at once.

    Attributes:
        error: Mean squared difference of the network's output, relative to the output's variance.
        metric: Of the task; None where the error was too large already.
    """

    error: float
    metric: float | None


@dataclass(frozen=True)
class Choice:
    """What was decided about a network.

    Attributes:
        layers: All that could be quantized: first those that gain, in the order in which they were taken, the reverse
            of that in which they were given back.
        tried: By the number of layers, of that order, in int8; 0 is the float network.
        taken: How many of them were taken.
    """

    layers: tuple[LayerChoice, ...]
    tried: dict[int, Trial]
    taken: int

    @property
    def precision(self) -> dict[str, str]:
        """``fp32`` or ``int8`` by layer, as `ppedge.slim.plan.Plan` has it."""
        return {each.layer: each.precision for each in self.layers}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        chosen = [each.gain for each in self.layers[: self.taken]]
        cores = chosen[0] if chosen else {}
        return {
            "before": self.tried[0].metric,
            "after": self.tried[self.taken].metric,
            "error": self.tried[self.taken].error,
            "tried": [{"layers": count, **asdict(trial)} for count, trial in sorted(self.tried.items())],
            "gain": {core: sum(gain[core] for gain in chosen) for core in cores},
            "layers": [asdict(each) for each in self.layers],
        }


def choose_precisions(
    net: paddle.nn.Layer,
    gains: Mapping[str, Mapping[str, float]],
    clips: Mapping[str, float],
    pictures: Sequence[paddle.Tensor],
    metric: Callable[[], float],
    *,
    cores: Sequence[str],
    max_drop: float,
    max_error: float,
    few: int | None = None,
    exclude: Sequence[str] = (),
    wanted: Collection[str] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Choice:
    """Choose the layers that compute in int8.

    Args:
        net: A float network in eval mode; it is the same afterwards, bit for bit.
        gains: Instructions that a layer alone saves, by layer and core.
        clips: The magnitude that each layer's input is clipped to, as `ppedge.slim.int8.pact.measure_clips` finds it.
        pictures: Inputs (N, 3, H, W) on which errors are measured, one array or more.
        metric: Measures ``net`` as it stands.
        cores: On each of these a layer must gain more than `SMALL` of what all gain; their sum is what it gains.
        max_drop: The metric may fall by as much.
        max_error: Bounds the error of the output with all chosen layers in int8, relative to its variance.
        few: So many of ``pictures``, from the first on, do for the errors of single layers; by default all.
        exclude: Starts of names of layers that stay in float.
        wanted: The layers that a budget has chosen: these are taken whatever they do to the output, and no others.
        advance: Called after each layer whose error was measured.

    Raises:
        PpedgeError: A layer that a budget has chosen is not there.
    """
    names = [name for name, layer in net.named_sublayers() if isinstance(layer, QUANTIZED)]
    worthy = gaining(gains, cores)
    reasons = {name: _reason(name, gains, clips, worthy, exclude) for name in names}
    if wanted is not None:
        if lost := [name for name in wanted if name not in gains or name not in clips]:
            raise PpedgeError(f"{lost[0]}: chosen for int8 by the budget, but the slim network has no such layer.")
        max_drop = max_error = math.inf
        reasons.update({name: NOT_NEEDED for name in names if reasons[name] == CHOSEN and name not in wanted})
        reasons.update(dict.fromkeys(wanted, CHOSEN))
    candidates = [name for name in names if reasons[name] == CHOSEN]
    errors = output_errors(net, {name: clips[name] for name in candidates}, pictures[:few], advance)

    def worth(name: str) -> float:
        return sum(gains[name][core] for core in cores) / max(errors[name], LEAST)

    order = sorted(candidates, key=worth, reverse=True)

    reference, tried = Reference(net, pictures), {0: Trial(0.0, metric())}

    def fits(count: int) -> bool:
        clip = {name: clips[name] for name in order[:count]}
        error = reference.error(clip)
        with fake_quantized(net, clip):
            tried[count] = Trial(error, metric() if error <= max_error else None)
        return not _refusal(tried[count], tried[0], max_drop)

    taken = longest(fits, len(order))
    if taken < len(order):
        reasons.update(dict.fromkeys(order[taken:], _refusal(tried[taken + 1], tried[0], max_drop)))
    layers = tuple(
        LayerChoice(
            name, "int8" if reasons[name] == CHOSEN else "fp32", reasons[name], dict(gains.get(name, {})),
            errors.get(name),
        )
        for name in [*order, *(name for name in names if name not in errors)]
    )  # fmt: skip
    return Choice(layers, tried, taken)


def gaining(gains: Mapping[str, Mapping[str, float]], cores: Sequence[str], limited: Collection[str] = ()) -> list[str]:
    """Return the layers that save more than `SMALL` of what all save together.

    Args:
        gains: Instructions that a layer alone saves, by layer and core.
        cores: On each of these.
        limited: Of these cores one is enough.
    """
    least = {core: SMALL * sum(max(gain[core], 0.0) for gain in gains.values()) for core in cores}
    some = [core for core in cores if core in limited]
    each = [core for core in cores if core not in some]

    def gains_on(name: str, core: str) -> bool:
        return gains[name][core] > least[core]

    return [
        name
        for name in gains
        if all(gains_on(name, core) for core in each) and (not some or any(gains_on(name, core) for core in some))
    ]


def longest(fits: Callable[[int], bool], count: int) -> int:
    """Find by bisection how many things may be done.

    Args:
        fits: Whether so many of them, 1 or more, may be; asked once for a number.
        count: Of all things.

    Returns:
        A number that fits, or 0, and with one more it does not (the largest, if more never fit where fewer do not).
    """
    good, bad = 0, count + 1
    trial = count  # all at once is tried first: that may well do
    while bad - good > 1:
        if fits(trial):
            good = trial
        else:
            bad = trial
        trial = (good + bad) // 2
    return good


def _reason(
    name: str,
    gains: Mapping[str, Mapping[str, float]],
    clips: Mapping[str, float],
    worthy: Collection[str],
    exclude: Sequence[str],
) -> str:
    """Say why a layer stays in float whatever it does to the output, or that it may be chosen."""
    if name.startswith(tuple(exclude)):
        return EXCLUDED
    if name not in gains or name not in clips:
        return UNKNOWN
    return CHOSEN if name in worthy else NO_GAIN


def _refusal(trial: Trial, start: Trial, max_drop: float) -> str:
    """Say why layers may not be in int8 together, or nothing."""
    if trial.metric is None or start.metric is None:
        return ERROR
    return METRIC if start.metric - trial.metric > max_drop + 1e-12 else ""
