"""Budgets on tiny networks, priced by their multiply-adds."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import paddle
import pytest

from ppedge.errors import GateError, PpedgeError
from ppedge.models.flops import count_flops
from ppedge.models.network import copy_of
from ppedge.recipe.slim import ArmPrune, Budget
from ppedge.slim.arm.budget import Budgeting
from ppedge.slim.arm.influence import Spot, influences
from ppedge.slim.arm.meeting import told
from ppedge.slim.arm.parts import HEAD_PART, NECK
from ppedge.slim.arm.prices import Prices
from ppedge.slim.arm.search import Point, Problem, choose, frontier, nearest
from ppedge.slim.arm.slimming import ArmSlimming

SETTINGS = ArmPrune(neck_width=8, head_width=8)
SITE = "backbone.stage3.0.expand_conv.conv"


def pictures(example):
    rng = np.random.default_rng(1)
    return [paddle.to_tensor(rng.standard_normal(example.shape, dtype=np.float32)) for _ in range(2)]


def pricer(example):
    """Two cores of which one thinks depthwise convolutions dear."""

    def price(net):
        macs = {name: float(count) for name, count in count_flops(net, example.shape).items() if count}
        dear = {name: count * (5 if "bottleneck" in name else 1) for name, count in macs.items()}
        return Prices({"a53": macs, "a76": dear}, {})

    return price


def budgeting_of(example, price=None, settings=SETTINGS):
    return Budgeting(example.build(), example.traced, pictures(example), settings, example.task.build,
                     price or pricer(example), multiple=4)  # fmt: skip


def shares(price, net, whole):
    return {core: total / whole[core] for core, total in price(net).total.items()}


@pytest.fixture(scope="module")
def det(examples):
    budgeting = budgeting_of(examples["det"])
    return budgeting, budgeting.problem()


def test_each_part_has_levels_that_cost_less_and_lose_more(det):
    _, problem = det
    assert {NECK, HEAD_PART, SITE} <= set(problem.parts)
    for part, levels in problem.parts.items():
        costs, errors = [level.cost["a53"] for level in levels], [level.error for level in levels]
        assert costs == sorted(costs, reverse=True) and len(set(costs)) == len(costs), part
        assert all(b >= a for a, b in pairwise(errors)), part
        assert all(np.isfinite(errors)) and min(errors) >= 0
        assert part == NECK or errors[0] < 1e-3


def test_prices_that_are_a_lower_bound_are_told_before_the_search(examples, monkeypatch):
    example = examples["cls"]
    complete = pricer(example)
    budgeting = budgeting_of(example, lambda net: replace(complete(net), warning="Not in the cost table: prelu."))
    told = []
    monkeypatch.setattr(budgeting.reporter, "say", told.append)
    assert budgeting.problem().parts
    assert told == ["Not in the cost table: prelu."]


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_what_is_predicted_is_what_the_whole_network_costs(examples, det, task):
    budgeting = det[0] if task == "det" else budgeting_of(examples[task])
    problem = det[1] if task == "det" else budgeting.problem()
    shared = 0.02  # a layer between two sites is counted half to each, as if both were at one level
    for point in frontier(problem):
        found = shares(budgeting.price, budgeting.form(point.settings), problem.whole)
        assert point.shares == {core: pytest.approx(share, rel=shared) for core, share in found.items()}


def test_a_whole_detector_is_slimmed_to_its_budget(examples, det):
    example, (budgeting, problem) = examples["det"], det
    low, high = (max(point.shares.values()) for point in (frontier(problem)[0], frontier(problem)[-1]))
    asked = round((low + high) / 2, 3)
    settings = SETTINGS.model_copy(update={"budget": Budget(a53=asked, a76=asked)})
    teacher = example.build()
    student = copy_of(teacher, example.task.build)
    slimming = ArmSlimming(teacher, student, example.traced, pictures(example), settings, example.shape,
                           example.task.build, multiple=4, price=budgeting.price)  # fmt: skip
    slimming.run()
    search = slimming.steps[0]["search"]
    found = shares(budgeting.price, student, problem.whole)
    assert search["shares"] == {core: pytest.approx(share, rel=1e-6) for core, share in found.items()}
    assert max(found.values()) <= asked + 1e-3
    assert search["settings"] == choose(problem, settings.budget.shares).settings
    kept = {block["layer"]: block["kept"] for block in slimming.steps[1]["sites"]}
    assert kept == {name: count for name, count in search["settings"].items() if name in kept}
    assert student.head.binarize.conv3.weight.shape[1] == search["settings"][HEAD_PART]
    assert student.neck.out_channels == search["settings"][NECK]
    assert len(search["frontier"]) == 5


def test_a_budget_that_cannot_be_met_names_the_nearest_that_can(det):
    budgeting, problem = det
    with pytest.raises(GateError, match=r"The budget a53=0\.010 a76=0\.500 cannot be met: the nearest point is a53=0"):
        budgeting.meet(problem, {"a53": 0.01, "a76": 0.5})
    named = told(nearest(problem, {"a53": 0.01, "a76": 0.01}).shares)
    asked = {core: float(share) for core, _, share in (item.partition("=") for item in named.split())}
    assert budgeting.meet(problem, asked).shares == {c: pytest.approx(s, abs=1.1e-3) for c, s in asked.items()}


def test_parts_that_cost_more_together_are_searched_again(examples):
    """A converter that joins neighbouring layers makes costs that do not add up."""
    example = examples["rec"]
    plain = pricer(example)

    def price(net):
        layers = plain(net).cost["a53"]
        joined = max(c for n, c in layers.items() if "expand" in n) - min(c for n, c in layers.items() if "expand" in n)
        return Prices({"a53": {**layers, "joined": 0.3 * joined}}, {})

    budgeting = budgeting_of(example, price)
    problem = budgeting.problem()
    asked = {"a53": round(np.mean([frontier(problem)[k].shares["a53"] for k in (1, 2)]), 3)}
    point = budgeting.meet(problem, asked)
    found = shares(price, budgeting.form(point.settings), problem.whole)
    assert point.shares == found and found["a53"] <= asked["a53"] + 5e-4


def test_where_instructions_are_counted_a_budget_is_held_to_counts(examples, det):
    example, problem = examples["det"], det[1]
    price = pricer(example)

    def count(net, int8):  # a tenth dearer than predicted once a network is slimmed
        macs = price(net).total["a53"]
        return {"cortex-a53": int(macs if macs == problem.whole["a53"] else 1.1 * macs)}

    asked = {"a53": frontier(problem)[3].shares["a53"] + 1e-4}
    budgeting = budgeting_of(example)
    assert budgeting.meet(problem, asked).shares["a53"] > asked["a53"] / 1.1
    budgeting.count = count
    one_core = Problem(problem.parts, {"a53": problem.fixed["a53"]}, {"a53": problem.whole["a53"]})
    point = budgeting.meet(one_core, asked)
    assert point.shares["a53"] == pytest.approx(
        1.1 * shares(price, budgeting.form(point.settings), problem.whole)["a53"], rel=1e-4
    )
    assert point.shares["a53"] <= asked["a53"] + 1e-3


def test_a_search_does_not_choose_twice_what_is_too_dear(examples, det):
    """A network that counts a little more than its prediction, so that the ratio alone would lead nowhere."""
    example, problem = examples["det"], det[1]
    point = frontier(problem)[3]
    asked = {core: share + 1e-6 for core, share in point.shares.items()}
    budgeting = budgeting_of(example)
    priced, tried = budgeting._priced, []

    def dearer(problem, chosen):
        tried.append(chosen.settings)
        found = priced(problem, chosen)
        more = 1.2e-6 if chosen.settings == point.settings else 0
        shares = {core: share + more for core, share in found.shares.items()}
        return Point(found.settings, found.error, shares)

    budgeting._priced = dearer
    found = budgeting.meet(problem, asked)
    assert tried[0] == point.settings and found.settings == tried[-1] != point.settings
    assert all(found.shares[core] <= asked[core] for core in asked)


def test_the_room_that_a_choice_leaves_is_used(examples, det):
    """A network whose parts cost less together than predicted, the less the narrower they are."""
    example, problem = examples["det"], det[1]
    points = frontier(problem, 9)
    budgeting, tried = budgeting_of(example), []

    def cheaper(problem, chosen):
        tried.append(chosen)
        return Point(chosen.settings, chosen.error, {core: share**1.5 for core, share in chosen.shares.items()})

    budgeting._priced = cheaper
    asked = {"a53": points[4].shares["a53"], "a76": points[4].shares["a76"]}
    found = budgeting.meet(problem, asked)
    assert tried[0].error == choose(problem, asked).error > found.error == min(one.error for one in tried if all(
        share**1.5 <= asked[core] for core, share in one.shares.items()))  # fmt: skip
    assert max(found.shares[core] / asked[core] for core in asked) > 0.9
    assert all(found.shares[core] <= asked[core] for core in asked)


def test_the_cheapest_point_is_taken_if_as_a_whole_it_is_within_the_budget(examples, det):
    """Though by its prediction it is over."""
    example, problem = examples["det"], det[1]
    cheapest = nearest(problem, {"a53": 0.01})
    budgeting = budgeting_of(example)
    budgeting._priced = lambda problem, chosen: Point(chosen.settings, chosen.error, {**chosen.shares, "a53": 0.1})
    assert cheapest.shares["a53"] > 0.11
    assert budgeting.meet(problem, {"a53": 0.11}).settings == cheapest.settings


def test_excluded_blocks_and_what_is_null_are_not_chosen(examples):
    example = examples["det"]
    budgeting = budgeting_of(example, settings=ArmPrune(neck_width=None, head_width=None))
    budgeting.exclude = [SITE]
    parts = budgeting.problem().parts
    assert not {NECK, HEAD_PART, SITE} & set(parts) and len(parts) > 3


def test_the_files_bytes_are_held_to_a_budget_too(examples):
    example = examples["det"]
    plain = pricer(example)

    def price(net):
        stored = {name.removesuffix(".weight"): 4.0 * np.prod(t.shape) for name, t in net.state_dict().items()}
        return Prices({**plain(net).cost, "nb": stored}, {})

    budgeting = budgeting_of(example, price)
    problem = budgeting.problem()
    free = budgeting.meet(problem, {"a53": 0.9})
    asked = (nearest(problem, {"nb": 0.01}).shares["nb"] + free.shares["nb"]) / 2
    point = budgeting.meet(problem, {"a53": 0.9, "nb": asked})
    found = shares(price, budgeting.form(point.settings), problem.whole)
    assert found["nb"] == point.shares["nb"] <= asked and found["a53"] <= 0.9
    assert point.error > free.error
    spread = [max(each.shares["a53"], each.shares["a76"]) for each in frontier(problem)]
    assert spread == sorted(spread) and spread[-1] > 1.5 * spread[0]  # of the cores alone


def slimming_within(example, max_drop, quant=None):
    teacher = example.build()
    price = pricer(example)
    wanted = [teacher(x).numpy() for x in pictures(example)]

    def fidelity(net):
        return -sum(float(((net(x).numpy() - y) ** 2).mean()) for x, y in zip(pictures(example), wanted, strict=True))

    settings = SETTINGS.model_copy(update={"max_drop": max_drop})
    slimming = ArmSlimming(teacher, copy_of(teacher, example.task.build), example.traced, pictures(example), settings,
                           example.shape, example.task.build, multiple=4, price=price, quant=quant,
                           metric=fidelity)  # fmt: skip
    return slimming, fidelity


@pytest.mark.slow
def test_the_cheapest_network_that_loses_no_more_than_allowed(examples):
    """Bisected as if the metric fell from point to point; here it does."""
    example = examples["det"]
    free, fidelity = slimming_within(example, 1e9)
    free.run()
    cheapest = free.steps[0]["search"]
    assert cheapest["shares"] == cheapest["frontier"][0]["shares"]
    lost = -fidelity(free.student)
    bound, fidelity = slimming_within(example, lost / 4)
    bound.run()
    assert 0 <= -fidelity(bound.student) <= lost / 4
    assert bound.steps[0]["search"]["shares"]["a53"] > cheapest["shares"]["a53"]


def test_a_drop_that_cannot_be_kept_is_a_sentence(examples):
    slimming, _ = slimming_within(examples["det"], 0.0)
    with pytest.raises(GateError, match=r"A drop of 0\.0 cannot be kept: a53=\S+ a76=\S+ already loses"):
        slimming.run()


def test_without_prices_a_budget_is_a_sentence(examples):
    example = examples["det"]
    settings = SETTINGS.model_copy(update={"budget": Budget(a53=0.5)})
    teacher = example.build()
    slimming = ArmSlimming(teacher, copy_of(teacher, example.task.build), example.traced, pictures(example), settings,
                           example.shape, example.task.build, multiple=4)  # fmt: skip
    with pytest.raises(PpedgeError, match="A budget needs predicted instructions"):
        slimming.run()


class Two(paddle.nn.Layer):
    """Two convolutions whose sum is the output, the second one a tenth of it, and one that nobody hears."""

    def __init__(self):
        super().__init__()
        self.loud, self.quiet, self.mute = (paddle.nn.Conv2D(3, 3, 1, bias_attr=False) for _ in range(3))
        for layer in (self.loud, self.quiet, self.mute):
            layer.weight.set_value(np.eye(3, dtype=np.float32)[:, :, None, None])

    def forward(self, x):
        """Run the network."""
        return 0.9 * self.loud(x) + 0.1 * self.quiet(x) + 0 * self.mute(x)


def test_influence_is_what_a_layers_error_does_to_the_output():
    net = Two()
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32), dtype=np.float32))
    before = net(x).numpy()
    found = influences(net, [Spot("loud"), Spot("quiet"), Spot("mute"), Spot("loud")], [x])
    assert list(found.values()) == [pytest.approx(0.81, rel=0.05), pytest.approx(0.01, rel=0.05), 0]
    np.testing.assert_array_equal(net(x).numpy(), before)
