"""8 bits as part of a budgeted search: of each level of a part, every layer that may gain by them can be in int8.

What a choice loses by 8 bits is the sum of what its layers lose, each alone: errors of rounding hardly depend on each
other. It is measured on the network as trained, at its full width.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import paddle

from ppedge.progress import Reporter
from ppedge.recipe.slim import Quant
from ppedge.slim.arm.parts import REPLACED, owners
from ppedge.slim.arm.prices import Prices
from ppedge.slim.arm.search import Int8, Level, Problem
from ppedge.slim.int8.pact import measure_clips
from ppedge.slim.int8.precision import gaining
from ppedge.slim.int8.rounding import output_errors

MEASURED = 2  # batches of pictures
Form = tuple[Mapping[str, int], Prices]
"""What each part of a network keeps, and what it costs then."""


def with_int8(
    problem: Problem,
    forms: Sequence[Form],
    quant: Quant,
    errors_of: Callable[[Mapping[str, str]], dict[str, float]],
    limited: Collection[str] = (),
) -> Problem:
    """Return the problem with 8 bits among what there is to choose.

    A layer that gains and is of no part becomes a part of its own.

    Args:
        problem: All in float.
        forms: By which it was priced; the first is the widest.
        quant: Of the recipe: on which cores a layer must gain, and which are left in float.
        errors_of: Returns by layer the squared error of the output, relative to its variance, that its 8 bits make; it
            is given the part of each.
        limited: The cores that have a budget: of these a layer need gain on one alone, since the search sees what it
            costs on the others. By default it must gain on each.
    """
    worthy = [
        [name for name in gaining(prices.gain, quant.cores, limited) if not name.startswith(tuple(quant.exclude))]
        for _, prices in forms
    ]
    part_of = {
        name: next(iter(owners(name, problem.parts, problem.layers)), name) for names in worthy for name in names
    }
    errors = errors_of(part_of)

    def with_layers(level: Level, part: str, number: int) -> Level:
        names, prices = worthy[number], forms[number][1]
        return replace(
            level, int8={name: Int8(errors[name], prices.saved([name])) for name in names if part_of[name] == part}
        )

    first: dict[tuple[str, int | None], int] = {}
    for number, (settings, _) in enumerate(forms):
        for part, setting in settings.items():
            first.setdefault((part, setting), number)
    parts = {
        part: [with_layers(level, part, first[part, level.setting]) for level in levels]
        for part, levels in problem.parts.items()
    }
    prices, fixed = forms[0][1], dict(problem.fixed)
    for name in worthy[0]:
        if part_of[name] == name and name not in problem.parts:  # a site has the name of a layer too
            level = Level(None, 0.0, {core: layers[name] for core, layers in prices.cost.items()})
            parts[name] = [with_layers(level, name, 0)]
            fixed = {core: cost - level.cost[core] for core, cost in fixed.items()}
    return replace(problem, parts=parts, fixed=fixed)


def int8_errors(
    net: paddle.nn.Layer,
    pictures: Sequence[paddle.Tensor],
    part_of: Mapping[str, str],
    quant: Quant,
    known: dict[str, float] | None = None,
    reporter: Reporter | None = None,
) -> dict[str, float]:
    """Return what 8 bits in each layer alone do to the network's output, relative to its variance.

    Args:
        net: The network as trained, its exact rewrites made; its BatchNorm is frozen and it is in eval mode afterwards.
        pictures: Inputs (N, 3, H, W).
        part_of: By layer, the part that it is of. For one that this network has not, since a closed form will bring it
            in, the part's layer of the largest error stands.
        quant: Of the recipe: how clips are measured.
        known: What was measured of layers already; more are added.
        reporter: Progress.
    """
    known = {} if known is None else known
    clips = measure_clips(net, pictures, quant.percentile, quant.min_clip)
    stands_for = {
        name: [name] if name in clips else [other for other in clips if owners(other, [part], REPLACED)]
        for name, part in part_of.items()
    }
    wanted = set().union(*stands_for.values()) - set(known)
    unknown = {name: clip for name, clip in clips.items() if name in wanted}
    with (reporter or Reporter(quiet=True)).task("errors of 8 bits", len(unknown)) as bar:
        known.update(output_errors(net, unknown, pictures[:MEASURED], bar.advance))
    return {name: max(known[other] for other in others) for name, others in stands_for.items()}
