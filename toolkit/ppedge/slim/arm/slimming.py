"""Slimming for ARM: exact rewrites, closed-form reduction, and what each step costs and saves.

The network that comes out is near the original before any training; distillation (`ppedge.slim.arm.distill`) brings it
the rest of the way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import paddle

from ppedge.errors import GateError, PpedgeError
from ppedge.models.depthwise import accelerate
from ppedge.models.flops import count_flops
from ppedge.models.network import Network, copy_of
from ppedge.models.weights import state_of
from ppedge.progress import Reporter
from ppedge.recipe.slim import ArmPrune, Quant
from ppedge.slim.arm.budget import Budgeting, Counter, Measured, Price
from ppedge.slim.arm.collapse import THRESHOLD, collapse_neck, narrow_head
from ppedge.slim.arm.exact import exact_rewrites
from ppedge.slim.arm.meeting import ROUNDING, told
from ppedge.slim.arm.parts import HEAD_PART, NECK
from ppedge.slim.arm.prices import SIZE
from ppedge.slim.arm.reduce import Reduction, kept_groups, reduce_sites
from ppedge.slim.arm.search import Point, Problem, best_of, frontier
from ppedge.slim.arm.sites import Sites, find_sites
from ppedge.slim.arm.understood import Understood, understood
from ppedge.slim.arm.understood import told as left_as_it_is
from ppedge.slim.channels.groups import Traced
from ppedge.slim.int8.pact import measure_clips
from ppedge.slim.int8.precision import longest
from ppedge.slim.int8.rounding import fake_quantized
from ppedge.slim.plan import Plan, apply_plan
from ppedge.slim.rewrites import apply_exactly, put_at

POINTS = 9
QUIET = Reporter(quiet=True)


@dataclass
class ArmSlimming:
    """One network on its way.

    Attributes:
        teacher: The network as trained, in eval mode.
        student: A copy, of the same form; changed in place.
        traced: Of the full network.
        pictures: Calibration inputs (N, 3, H, W).
        settings: Of the recipe.
        input_shape: On which multiply-accumulates are counted.
        build: Builds the full network with fresh weights.
        exclude: Starts of names of sites that are left as they are.
        multiple: Counts of channels are multiples of this.
        count: Counts ARM instructions, where a runtime is there to count them.
        price: Predicts them; needed for a budget.
        quant: Of the recipe, where a budget is to choose 8 bits too.
        metric: Measures a network on training pictures; needed for a largest drop.
        reporter: Progress.
        steps: What was done, for the record: by step its errors, multiply-accumulates and instructions.
        int8: Names of the layers that the budget wants in 8 bits; None where it did not choose them.
    """

    teacher: Network
    student: Network
    traced: Traced
    pictures: Sequence[paddle.Tensor]
    settings: ArmPrune
    input_shape: Sequence[int]
    build: Callable[[], Network]
    exclude: Sequence[str] = ()
    multiple: int = 8
    count: Counter | None = None
    price: Price | None = None
    quant: Quant | None = None
    metric: Callable[[Network], float] | None = None
    reporter: Reporter = field(default_factory=lambda: Reporter(quiet=True))
    steps: list[dict[str, Any]] = field(default_factory=list)
    int8: tuple[str, ...] | None = None

    @functools.cached_property
    def parts(self) -> Understood:
        """What of the network may be replaced."""
        return understood(self.teacher)

    @property
    def sites(self) -> Sites:
        """Which channels may go, by the settings: none that meets what these replace."""
        return find_sites(self.teacher, self.traced, self.pictures[0], streams=self.settings.streams,
                          taken=self.parts.taken(self.settings))  # fmt: skip

    def run(self) -> Plan:
        """Slim ``student`` and return the plan that rebuilds its form from the full network's."""
        accelerate(self.teacher)
        accelerate(self.student)
        sites = self.sites
        if left := left_as_it_is(self.parts, sites):
            self.reporter.say(left)
        self._log("as trained", left_alone=sites.left, pinned=list(sites.pinned))
        limited = self.settings.budget.shares or self.settings.max_drop is not None
        return self._reduced(self._search() if limited else None)

    def _reduced(self, counts: Mapping[str, int] | None) -> Plan:
        """Slim ``student``; ``counts`` says how many channels each site keeps, by default the tolerance decides."""
        plan = Plan("arm", {}, {})
        if counts or self.settings.tolerance > 0:
            plan = self._cut(counts)
        plan = self._rewrite(plan)
        replaced = self.parts.replaces(self.settings)
        if NECK in replaced and self.settings.neck_width is not None:
            plan = self._collapse(plan, self.settings.neck_width)
        if HEAD_PART in replaced and self.settings.head_width is not None:
            plan = self._narrow(plan, self.settings.head_width)
        return replace(plan, made=made_by(plan, self.build))

    def searches(self) -> list[tuple[Budgeting, Problem]]:
        """Return what a budget chooses from.

        A neck that is not linear may become so or keep its form, with the channels of sites in it: these are two
        problems, the former first. Else there is one.
        """
        if self.price is None:
            raise PpedgeError("A budget needs predicted instructions, and nothing here predicts them.")
        accelerate(self.teacher)
        forms = [self.settings]
        if NECK in self.parts.replaces(self.settings) and not self.parts.linear:
            forms.append(self.settings.model_copy(update={"neck_width": None}))
        measured, found = Measured(), []
        for settings in forms:
            budgeting = Budgeting(self.teacher, self.traced, self.pictures, settings, self.build, self.price,
                                  self.count, self.quant, self.exclude, self.multiple, self.reporter,
                                  measured)  # fmt: skip
            found.append((budgeting, budgeting.problem()))
        return found

    def frontier(self, points: int = 5) -> list[Point]:
        """Return what budgets can reach, from the cheapest choice to the one of least error."""
        return best_of([frontier(problem, points) for _, problem in self.searches()])

    def _search(self) -> dict[str, int]:
        """Choose widths within the budget or the drop, and return how many channels each site keeps."""
        budgets, searches = self.settings.budget.shares, self.searches()
        if budgets:
            point, self.settings = self._met(searches, budgets)
            limit = told(budgets)
        else:
            point, limit = self._farthest(searches[0][1]), f"a drop of {self.settings.max_drop}"
        self.settings, chosen = _widths(self.settings, point)
        self.int8 = None if self.quant is None else point.int8
        self.reporter.say(f"within {limit}: {told(point.shares)}, {point.quality}")
        reached = best_of([frontier(problem) for _, problem in searches])
        self.steps[-1]["search"] = {"budget": budgets, **asdict(point),
                                    "frontier": [asdict(other) for other in reached]}  # fmt: skip
        return chosen

    def _met(
        self, searches: Sequence[tuple[Budgeting, Problem]], budgets: Mapping[str, float]
    ) -> tuple[Point, ArmPrune]:
        """Return the choice of least error within budgets, and the settings that it is of.

        Raises:
            GateError: There is none.
        """
        met: list[tuple[Point, ArmPrune]] = []
        refused: list[GateError] = []
        for budgeting, problem in searches:
            try:
                met.append((budgeting.meet(problem, budgets), budgeting.settings))
            except GateError as error:
                refused.append(error)
        if not met:
            raise refused[0]  # of the form that goes the farthest
        best = min(met, key=lambda one: one[0].error)
        if len(searches) > 1:
            kept = "keeps its form" if best[1].neck_width is None else "becomes one convolution a level"
            errors = ", ".join(
                f"{point.error:.4f} {'as it is' if form.neck_width is None else 'so'}" for point, form in met
            )
            self.reporter.say(f"the neck {kept}: error {errors}")
        return best

    def _farthest(self, problem: Problem) -> Point:
        """Return the cheapest point of the frontier with which the metric, untrained, has not fallen too far.

        Raises:
            GateError: There is none.
        """
        assert self.metric is not None and self.settings.max_drop is not None
        metric, allowed, points = self.metric, self.settings.max_drop, frontier(problem, POINTS)[::-1]

        tried = {0: metric(self.teacher)}

        def fits(number: int) -> bool:
            point = points[number - 1]
            settings, counts = _widths(self.settings, point)
            student = copy_of(self.teacher, self.build)
            accelerate(student)
            replace(self, student=student, settings=settings, count=None, steps=[], reporter=QUIET)._reduced(counts)
            with fake_quantized(student, self._clips(student, point.int8)):
                tried[number] = metric(student)
            self.reporter.say(f"{told(point.shares)}: {tried[number]:.4f} on training pictures, untrained")
            return tried[0] - tried[number] <= allowed + ROUNDING

        taken = longest(fits, len(points))
        if not taken:
            raise GateError(
                f"A drop of {allowed} cannot be kept: {told(points[0].shares)} already loses "
                f"{tried[0] - tried[1]:.4f} before it is trained.",
                "Raise --max-drop, or ask for a --budget and look at what training brings back.",
            )
        return points[taken - 1]

    def _clips(self, net: Network, int8: Sequence[str]) -> dict[str, float]:
        """Return the clips of the layers in 8 bits."""
        if self.quant is None or not int8:
            return {}
        clips = measure_clips(net, self.pictures, self.quant.percentile, self.quant.min_clip)
        return {name: clips[name] for name in int8}

    def _cut(self, counts: Mapping[str, int] | None) -> Plan:
        sites = self.sites.found
        with self.reporter.task("least squares", len(sites)) as bar:
            reports = reduce_sites(
                self.student, self.teacher, sites, self.pictures, self.settings.tolerance,
                counts=counts, multiple=self.multiple, exclude=self.exclude, advance=bar.advance,
            )  # fmt: skip
        shapes = {name: value.shape for name, value in state_of(self.student).items()}
        plan = Plan.from_groups("arm", kept_groups(reports), shapes)
        before = count_flops(self.student, self.input_shape)
        apply_plan(self.student, plan)
        after = count_flops(self.student, self.input_shape)
        self._log("channels by least squares", sites=[_site_entry(report, before, after) for report in reports])
        return plan

    def _rewrite(self, plan: Plan) -> Plan:
        """Make the exact rewrites, each held against the network before it on a real picture."""
        if self.parts.head:
            put_at(self.student, THRESHOLD, paddle.nn.Identity())  # no exported network has it
            plan = replace(plan, dropped=(*plan.dropped, THRESHOLD))
        for rewrite in exact_rewrites(self.student, self.settings.rewrites, self.pictures[0]):
            difference = apply_exactly(self.student, rewrite, self.pictures[:1])
            plan = replace(plan, rewrites=(*plan.rewrites, rewrite))
            self._log(f"{rewrite.kind} {rewrite.layer}", difference=difference)
        return plan

    def _collapse(self, plan: Plan, width: int) -> Plan:
        """Make a detector's neck linear."""
        last = self.parts.last
        if last:
            put_at(self.student, last, paddle.nn.Identity())
        with self.reporter.task("neck", 3) as bar:
            rewrite, neck_error, map_error = collapse_neck(
                self.student, self.teacher, self.pictures, width, bar.advance
            )
        self._log(f"linear neck{last and f' without {last}'}", neck_error=neck_error, map_error=map_error)
        dropped = (*plan.dropped, last) if last else plan.dropped
        return replace(plan, dropped=dropped, rewrites=(*plan.rewrites, rewrite))

    def _narrow(self, plan: Plan, width: int) -> Plan:
        """Narrow a detector's head."""
        narrowed, error = narrow_head(self.student, self.pictures, width)
        if narrowed is None:
            return plan
        self._log(f"head of {width} channels", error=error)
        return replace(plan, rewrites=(*plan.rewrites, narrowed))

    def _log(self, step: str, **found: Any) -> None:
        """Note a step, with what the network costs after it."""
        entry: dict[str, Any] = {"step": step, **found}
        entry["macs"] = sum(count_flops(self.student, self.input_shape).values())
        if self.count is not None:
            counted = dict(self.count(self.student))
            entry["nb_bytes"], entry["instructions"] = counted.pop(SIZE, None), counted
        first = self.steps[0] if self.steps else entry
        self.steps.append(entry)
        shares = {"multiply-adds": entry["macs"] / first["macs"]}
        for cpu, count in entry.get("instructions", {}).items():
            shares[cpu] = count / first["instructions"][cpu]
        told = [f"{name} {value:.1e}" for name, value in found.items() if isinstance(value, float)]
        told += [f"{share:.3f} of {name}" for name, share in shares.items()]
        self.reporter.say(f"{step}: {', '.join(told)}")


def _widths(settings: ArmPrune, point: Point) -> tuple[ArmPrune, dict[str, int]]:
    """Return the settings with a point's widths of neck and head, and how many channels each site keeps."""
    counts = dict(point.settings)
    widths = {"neck_width": counts.pop(NECK, None), "head_width": counts.pop(HEAD_PART, None)}
    return settings.model_copy(update={name: width for name, width in widths.items() if width is not None}), counts


def made_by(plan: Plan, build: Callable[[], Network]) -> dict[str, list[int]]:
    """Return the shapes of the parameters and buffers that a plan's rewrites bring into a network."""
    net = build()
    before = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    apply_plan(net, replace(plan, made={}))
    after = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    return {n: list(s) for n, s in after.items() if before.get(n) != s and n not in plan.keep}


def _site_entry(report: Reduction, before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, Any]:
    site = report.site
    return {
        "layer": site.name,
        "channels": site.channels,
        "kept": len(report.kept),
        "error_before": report.error_before,
        "error": report.error,
        "macs_before": sum(before.get(name, 0) for name in site.layers),
        "macs": sum(after.get(name, 0) for name in site.layers),
    }
