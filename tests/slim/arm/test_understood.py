"""Slimming for ARM asks the network: what it does not understand stays as it is, and is named."""

import contextlib

import numpy as np
import paddle
import pytest
from paddle import nn

from ppedge.errors import GateError, PpedgeError
from ppedge.models.flops import count_flops
from ppedge.models.heads.pf_local import PFHeadLocal
from ppedge.models.necks.lk_pan import LKPAN
from ppedge.models.necks.rse_fpn import RSEFPN
from ppedge.models.network import copy_of
from ppedge.models.slimmed import LinearNeck
from ppedge.models.weights import state_of
from ppedge.progress import Reporter
from ppedge.recipe.slim import ArmPrune, Budget
from ppedge.slim.arm import budget
from ppedge.slim.arm.budget import Budgeting
from ppedge.slim.arm.collapse import neck_errors
from ppedge.slim.arm.parts import HEAD_PART, NECK
from ppedge.slim.arm.prices import Prices
from ppedge.slim.arm.sites import find_sites
from ppedge.slim.arm.slimming import ArmSlimming
from ppedge.slim.arm.understood import told, understood
from ppedge.slim.channels.groups import trace
from ppedge.slim.plan import apply_plan
from small import lively

SHAPE = (1, 3, 64, 64)


class SilentBackbone(nn.Layer):
    """A backbone that does not tell its layers."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.out_channels = inner, inner.out_channels

    def forward(self, x):
        return self.inner(x)


def squeezed(example):
    def build():
        net = example.build()
        with paddle.utils.unique_name.guard("toy_"):
            net.neck = RSEFPN(net.backbone.out_channels, net.neck.out_channels)
        net.eval()
        return net

    return build


def slimming_of(build, said, **settings):
    paddle.seed(3)
    teacher = build()
    reporter = Reporter(quiet=True)
    reporter.say = said.append
    rng = np.random.default_rng(1)
    pictures = [paddle.to_tensor(rng.standard_normal(SHAPE, dtype=np.float32)) for _ in range(2)]
    settings = ArmPrune(**{"tolerance": 0.3, "neck_width": 8, "head_width": 8, **settings})
    return ArmSlimming(teacher, copy_of(teacher, build), trace(build(), SHAPE), pictures, settings, SHAPE, build,
                       multiple=4, price=price, reporter=reporter)  # fmt: skip


def price(net):
    macs = {name: float(count) for name, count in count_flops(net, SHAPE).items() if count}
    return Prices({"a53": macs, "a76": macs}, {})


def test_v1s_networks_are_understood_whole(example):
    net = example.build()
    found, settings = understood(net), ArmPrune()
    sites = find_sites(net, example.traced, example.picture(), taken=found.taken(settings))
    assert told(found, sites) == ""
    assert len([site for site in sites.found if "expand_conv" in site.name]) == 11
    assert (found.head, found.neck) == ((example.recipe.task == "det"),) * 2
    assert found.replaces(settings) == ({NECK, HEAD_PART} if found.neck else set())
    assert not any(name.startswith(("neck", "head")) for site in sites.found for name in site.layers)
    reasons = ("residual stream", "means over the picture alone", "nothing that runs")
    assert all(any(reason in why for reason in reasons) for why in sites.left.values())


@pytest.mark.parametrize(
    ("neck", "kernel", "linear", "why"),
    [
        (None, 7, False, "the form of the neck DBFPN, since the head begins with no 3x3 convolution"),
        ({"mode": "lite"}, 3, False, ""),
        ({}, 3, True, ""),
    ],
)
def test_what_of_a_detectors_neck_is_understood(examples, neck, kernel, linear, why):
    """A neck goes with the convolution behind it, if that is 3x3; the head's rewrites do not look at that."""
    net = examples["det"].build()
    if neck is not None:
        net.neck = LKPAN(net.backbone.out_channels, 24, **neck)
    net.head.binarize.conv1 = nn.Conv2D(24, 6, kernel, padding=kernel // 2, bias_attr=False)
    found = understood(net)
    assert found.head and found.neck is (why == "") and found.linear is linear
    assert found.left_alone == ((why,) if why else ())


def test_a_head_that_refines_its_map_stays_as_it_is_and_is_named(examples):
    net = examples["det"].build()
    net.head = PFHeadLocal(24)
    found = understood(net)
    assert not found.head and not found.neck and found.left_alone == ("the head PFHeadLocal",)


def rebuilt_as(student, build, plan):
    rebuilt = build()
    apply_plan(rebuilt, plan)
    return {n: v.shape for n, v in state_of(rebuilt).items()} == {n: v.shape for n, v in state_of(student).items()}


def test_a_neck_that_is_not_linear_becomes_so_or_keeps_its_form_and_loses_channels(examples):
    build = squeezed(examples["det"])
    replaced, kept = slimming_of(build, []), slimming_of(build, [], neck_width=None)
    plans = [slimming.run() for slimming in (replaced, kept)]
    assert isinstance(replaced.student.neck, LinearNeck) and isinstance(kept.student.neck, RSEFPN)
    assert {"fold_bias", "shuffle_head", "linear_neck"} <= {rewrite.kind for rewrite in plans[0].rewrites}
    assert {"fold_bias", "shuffle_head"} == {rewrite.kind for rewrite in plans[1].rewrites} - {"narrow_head"}
    assert not any(name.startswith("neck") for name in plans[0].keep)
    assert any(name.startswith("neck.inp_conv") for name in plans[1].keep)
    for slimming, plan in zip((replaced, kept), plans, strict=True):
        assert rebuilt_as(slimming.student, build, plan)
        macs = [sum(count_flops(net, SHAPE).values()) for net in (slimming.teacher, slimming.student)]
        assert macs[1] < macs[0]


def test_a_budget_takes_the_form_of_a_neck_that_loses_less(examples, monkeypatch):
    build, said, measured, share = squeezed(examples["det"]), [], [], 0.5
    slimming = slimming_of(build, said, budget=Budget(a53=share))
    site_errors = budget.site_errors

    def noted(teacher, sites, *rest, **options):
        measured.append([site.name for site in sites])
        return site_errors(teacher, sites, *rest, **options)

    monkeypatch.setattr(budget, "site_errors", noted)
    met = {}
    for budgeting, problem in slimming.searches():
        with contextlib.suppress(GateError):
            met[budgeting.settings.neck_width is None] = budgeting.meet(problem, {"a53": share}).error
    assert measured[1] and not {*measured[0]} & {*measured[1]}  # none twice
    plan = slimming.run()
    keeps = min(met, key=met.get)
    assert isinstance(slimming.student.neck, RSEFPN) is keeps and (slimming.settings.neck_width is None) is keeps
    assert rebuilt_as(slimming.student, build, plan)
    (told_of_it,) = (line for line in said if line.startswith("the neck "))
    assert told_of_it.startswith("the neck keeps" if keeps else "the neck becomes")
    assert all(f"{error:.4f}" in told_of_it for error in met.values())
    reached = slimming.frontier()
    shares, errors = [point.shares["a53"] for point in reached], [point.error for point in reached]
    assert shares == sorted(shares) and errors == sorted(errors, reverse=True) and len(set(errors)) == len(errors) > 1


def test_what_a_linear_neck_cannot_give_is_counted(examples):
    """Of a linear neck nothing is lost at full width; of one that weighs channels by their means as much as is lost."""
    rng = np.random.default_rng(5)
    kinds = [(factor, shift) for factor in (0.2, 1, 3) for shift in (-2, 0, 2)]  # by whose means channels are weighed
    pictures = [paddle.to_tensor(factor * rng.standard_normal((1, 3, 96, 96)).astype(np.float32) + shift)
                for factor, shift in kinds]  # fmt: skip
    lost = {}
    for name, build in (("linear", examples["det"].build), ("squeezed", squeezed(examples["det"]))):
        teacher = lively(build())
        for layer, value in teacher.state_dict().items():
            if layer.endswith("se_block.conv2.weight"):  # fresh, it weighs all channels nearly alike
                value.set_value(30 * value)
        lost[name] = neck_errors(teacher, pictures, understood(teacher).last)
        plain = neck_errors(teacher, pictures)
        added = {rank: lost[name][rank] - error for rank, error in plain.items()}
        assert max(added.values()) == pytest.approx(min(added.values()))
        lost[name] = min(added.values())
    # A border of zeros is not the same behind one convolution as behind three.
    assert 0 <= lost["linear"] < 0.5 * lost["squeezed"] and lost["squeezed"] < 1


def test_a_backbone_that_tells_no_layers_loses_channels_too(examples):
    def build():
        net = examples["det"].build()
        net.backbone = SilentBackbone(net.backbone)
        return net

    slimming = slimming_of(build, [])
    plan = slimming.run()
    assert any(name.startswith("backbone.inner.stage") for name in plan.keep)
    assert plan.dropped == ("head.thresh",) and "linear_neck" in {rewrite.kind for rewrite in plan.rewrites}
    assert rebuilt_as(slimming.student, build, plan)


class Mixing(nn.Layer):
    """Channels that go through something unknown."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2D(3, 8, 1), nn.Conv2D(8, 1, 1)

    def forward(self, x):
        return self.last(paddle.cumsum(self.first(x), axis=1))


def test_a_network_of_which_nothing_is_understood_says_so():
    slimming = slimming_of(Mixing, said := [])
    assert slimming.run().keep == {} and len(slimming.steps[0]["pinned"]) == 2
    assert any("all channels, none of which least squares could take out" in line for line in said)
    budgeting = Budgeting(slimming.teacher, slimming.traced, slimming.pictures, slimming.settings, Mixing, price)
    with pytest.raises(PpedgeError, match=r"a budget has nothing to choose here; left as it is, .* Prune by fpgm"):
        budgeting.problem()
