"""From a budget of ARM instructions to what each part of a network keeps: the search's problem, and its answer checked.

A part is a site (channels that go together), a detector's neck, or its head. What a part costs at each level is read
off networks that are cut to these levels and priced as a whole; a layer between two parts is counted half to each. How
far off a part is then, a closed form tells, the parts before it being whole, and how much that counts in the network's
output, a disturbance of its readers alone. The sum of these errors stands for what the network loses before it is
trained.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import paddle

from ppedge.errors import PpedgeError
from ppedge.models.network import Network, copy_of
from ppedge.models.weights import state_of
from ppedge.progress import Reporter
from ppedge.recipe.slim import ArmPrune, Quant
from ppedge.slim.arm.collapse import HEAD, THRESHOLD, head_errors, neck_errors
from ppedge.slim.arm.exact import exact_rewrites
from ppedge.slim.arm.influence import Spot, influences
from ppedge.slim.arm.meeting import meet
from ppedge.slim.arm.mixed import int8_errors, with_int8
from ppedge.slim.arm.parts import HEAD_PART, NECK, REPLACED, Layers, owners
from ppedge.slim.arm.prices import Prices
from ppedge.slim.arm.reduce import site_errors
from ppedge.slim.arm.search import Level, Point, Problem
from ppedge.slim.arm.sites import Site, Sites, find_sites
from ppedge.slim.arm.understood import Understood, understood
from ppedge.slim.arm.understood import told as left_as_it_is
from ppedge.slim.channels.fpgm import keep_count
from ppedge.slim.channels.groups import Traced
from ppedge.slim.plan import Plan, apply_plan
from ppedge.slim.rewrites import Rewrite, apply_rewrite, layer_at

Price = Callable[[Network], Prices]
"""Predicts what a network costs at one inference."""
Counter = Callable[..., Mapping[str, int]]
"""Returns the ARM instructions of one inference, by core as the emulator names it, and as ``nb`` the bytes of the file;
of a network and, if they are given, the names of its layers that compute in int8."""
LEVELS = 8
DISTURBED = 4  # batches of pictures


@dataclass
class Measured:
    """What was measured of a network as trained, whatever is chosen of it; searches for one network share it.

    Attributes:
        sites: Errors of each site, by kept channels and reader.
        influences: How much an error at each spot counts.
        int8: What 8 bits in each layer do to the output.
        prices: What it costs as it is.
        counted: The same counted, by core and ``nb``.
    """

    sites: dict[Site, dict[int, list[float]]] = field(default_factory=dict)
    influences: dict[Spot, float] = field(default_factory=dict)
    int8: dict[str, float] = field(default_factory=dict)
    prices: Prices | None = None
    counted: dict[str, float] | None = None


@dataclass
class Budgeting:
    """The search for one network.

    Attributes:
        teacher: The network as trained, in eval mode; not changed.
        traced: Of the network.
        pictures: Calibration inputs (N, 3, H, W).
        settings: Of the recipe; ``neck_width`` and ``head_width`` say whether there is anything to choose.
        build: Builds the full network with fresh weights.
        price: Prices a network.
        count: Counts its instructions, where a runtime is there to count them: what is chosen is then held to counts.
        quant: Of the recipe, where 8 bits are to be chosen together with the widths.
        exclude: Starts of names of sites that are left as they are.
        multiple: Counts of channels are multiples of this.
        reporter: Progress.
        measured: What was measured of the network already; more is added.
    """

    teacher: Network
    traced: Traced
    pictures: Sequence[paddle.Tensor]
    settings: ArmPrune
    build: Callable[[], Network]
    price: Price
    count: Counter | None = None
    quant: Quant | None = None
    exclude: Sequence[str] = ()
    multiple: int = 8
    reporter: Reporter = field(default_factory=lambda: Reporter(quiet=True))
    measured: Measured = field(default_factory=Measured)

    def problem(self) -> Problem:
        """Measure and price all parts at their levels.

        Raises:
            PpedgeError: The network has no part that could be chosen.
        """
        unknown = [site for site in self.sites.found if site not in self.measured.sites]
        with self.reporter.task("errors by part", len(unknown)) as bar:
            errors = self._errors(unknown, bar.advance)
        if not errors:
            left = left_as_it_is(self.parts, self.sites) or "all is excluded"
            raise PpedgeError(f"slim.prune.arm: a budget has nothing to choose here; {left}.", "Prune by fpgm instead.")
        settings = {part: _levels(part, max(found), self.multiple, found) for part, found in errors.items()}
        forms = [
            {part: levels[min(number, len(levels) - 1)] for part, levels in settings.items()}
            for number in range(LEVELS)
        ]
        with self.reporter.task("prices", LEVELS + 1) as bar:
            whole = self._whole().total
            bar.advance()
            prices = []
            for form in forms:
                prices.append(self.price(self.form(form)))
                bar.advance()
        layers: Layers = {part: REPLACED.get(part) or self._sites[part].layers for part in errors}
        parts: dict[str, list[Level]] = {part: [] for part in settings}
        for form, price in zip(forms, prices, strict=True):
            costs = _costs(price, layers)
            for part, setting in form.items():
                if setting not in [level.setting for level in parts[part]]:
                    parts[part].append(Level(setting, errors[part][setting], costs[part]))
        widest = prices[0].total
        fixed = {core: total - sum(levels[0].cost[core] for levels in parts.values()) for core, total in widest.items()}
        problem = Problem(parts, fixed, whole, layers)
        quant = self.quant
        if quant is None:
            return problem

        def errors_of(part_of: Mapping[str, str]) -> dict[str, float]:
            return int8_errors(self._rewritten(), self.pictures, part_of, quant, self.measured.int8, self.reporter)

        # Without a budget the same share of every core is asked for.
        limited = self.settings.budget.shares or quant.cores
        return with_int8(problem, list(zip(forms, prices, strict=True)), quant, errors_of, limited)

    def meet(self, problem: Problem, budgets: Mapping[str, float]) -> Point:
        """Return the best choice whose network, counted or priced as a whole, is within budgets; see `meet`."""
        return meet(problem, budgets, lambda point: self._priced(problem, point), self.reporter.say)

    def form(self, settings: Mapping[str, int]) -> Network:
        """Return a network of the form that settings lead to, its weights fresh."""
        net = self.build()
        shapes = {name: value.shape for name, value in state_of(net).items()}
        kept = {site.group: range(settings[name]) for name, site in self._sites.items() if name in settings}
        rewrites = list(self._exact)
        dropped = []
        if self.parts.head:
            dropped = [THRESHOLD]
        if NECK in settings:
            maps = list(net.backbone.out_channels)
            if self.parts.last:
                maps[-1] = layer_at(net, self.parts.last).conv.weight.shape[1]
                dropped.append(self.parts.last)
            rewrites.append(Rewrite("linear_neck", "neck", {"in_channels": maps, "width": settings[NECK]}))
        if HEAD_PART in settings:
            rewrites.append(Rewrite("narrow_head", HEAD, {"width": settings[HEAD_PART]}))
        plan = Plan.from_groups("arm", kept, shapes)
        apply_plan(net, Plan(plan.method, plan.shapes, plan.keep, tuple(dropped), tuple(rewrites)))
        return net

    @functools.cached_property
    def _exact(self) -> list[Rewrite]:
        """Exact rewrites, which every form has; finding their places runs the network."""
        return exact_rewrites(self.teacher, self.settings.rewrites, self.pictures[0])

    def _rewritten(self) -> Network:
        """Return a copy of the network as trained, its exact rewrites made."""
        net = copy_of(self.teacher, self.build)
        for rewrite in self._exact:
            apply_rewrite(net, rewrite)
        return net

    def _whole(self) -> Prices:
        """Return what the network costs as it is."""
        if self.measured.prices is None:
            self.measured.prices = self.price(self.build())
            if warning := self.measured.prices.warning:
                self.reporter.say_once(warning)
        return self.measured.prices

    def _counted_whole(self, count: Counter) -> dict[str, float]:
        if self.measured.counted is None:
            self.measured.counted = _counted(count, self.build())
        return self.measured.counted

    @functools.cached_property
    def parts(self) -> Understood:
        """What of the network may be replaced."""
        return understood(self.teacher)

    @functools.cached_property
    def sites(self) -> Sites:
        """Which channels may go."""
        return find_sites(self.teacher, self.traced, self.pictures[0], streams=self.settings.streams,
                          taken=self.parts.taken(self.settings))  # fmt: skip

    @functools.cached_property
    def _sites(self) -> dict[str, Site]:
        return {site.name: site for site in self.sites.found}

    def _errors(self, unknown: Sequence[Site], advance: Callable[[], None]) -> dict[str, dict[int, float]]:
        """Return the error of the network's output by part and kept channels."""
        measured = site_errors(self.teacher, unknown, self.pictures, multiple=self.multiple, exclude=self.exclude,
                               advance=advance)  # fmt: skip
        known, weights = self.measured.sites, self.measured.influences
        known.update((self._sites[name], errors) for name, errors in measured.items())
        found = {site.name: known[site] for site in self.sites.found if site in known}
        spots = {name: [Spot(r.output, r.total) for r in self._sites[name].readings] for name in found}
        replaced = self.parts.replaces(self.settings)
        if NECK in replaced:
            errors = neck_errors(self.teacher, self.pictures, None if self.parts.linear else self.parts.last)
            found[NECK] = {rank: [error] for rank, error in errors.items()}
            spots[NECK] = [Spot(f"{HEAD}.conv1")]
        if HEAD_PART in replaced:
            errors = head_errors(self._rewritten(), self.pictures, self.multiple)
            found[HEAD_PART] = {width: [error] for width, error in errors.items()}
            spots[HEAD_PART] = [Spot(f"{HEAD}.conv3")]
        new = [spot for part in spots.values() for spot in part if spot not in weights]
        weights.update(influences(self.teacher, new, self.pictures[:DISTURBED]))
        return {
            part: {
                setting: sum(weights[spot] * error for spot, error in zip(spots[part], errors, strict=True))
                for setting, errors in levels.items()
            }
            for part, levels in found.items()
        }

    def _priced(self, problem: Problem, point: Point) -> Point:
        """Return a point with the shares of its network as a whole, counted if that is possible."""
        net = self.form(point.settings)
        if self.count is None:
            price, whole = self.price(net), problem.whole
            saved = price.saved(point.int8)
            totals = {core: total - saved[core] for core, total in price.total.items()}
        else:
            totals, whole = _counted(self.count, net, point.int8), self._counted_whole(self.count)
        return replace(point, shares={core: totals[core] / whole[core] for core in problem.whole})


def _counted(count: Counter, net: Network, int8: Sequence[str] = ()) -> dict[str, float]:
    net.eval()
    return {cpu.removeprefix("cortex-"): float(total) for cpu, total in count(net, int8).items()}


def _levels(part: str, channels: int, multiple: int, known: Mapping[int, float]) -> list[int]:
    """Return the counts of channels to choose from, descending."""
    if part == NECK:  # as many as half of them make it dearer than the pyramid
        wanted = [multiple * number for number in range(LEVELS, 0, -1) if multiple * number <= max(channels // 2, 1)]
        return wanted or [channels]
    counts = {keep_count(channels, number / LEVELS, multiple) for number in range(LEVELS)}
    return sorted(counts & set(known), reverse=True)


def _costs(price: Prices, layers: Layers) -> dict[str, dict[str, float]]:
    """Return what each part costs, by core: a layer of several parts is shared equally.

    What it costs is nearly a product of widths then; their sum is the same where the parts are at levels alike.
    """
    found = {part: dict.fromkeys(price.cost, 0.0) for part in layers}
    for core, costs in price.cost.items():
        for layer, cost in costs.items():
            parts = owners(layer.removeprefix("after "), layers, layers)
            for part in parts:
                found[part][core] += cost / len(parts)
    return found
