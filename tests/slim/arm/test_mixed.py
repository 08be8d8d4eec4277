"""8 bits as part of a budget."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from ppedge.models.flops import count_flops
from ppedge.recipe.slim import ArmPrune, Quant
from ppedge.slim.arm.budget import Budgeting
from ppedge.slim.arm.mixed import int8_errors, with_int8
from ppedge.slim.arm.parts import HEAD_PART, NECK, REPLACED, owners
from ppedge.slim.arm.prices import Prices
from ppedge.slim.arm.search import Int8, Level, Problem, choose, frontier
from ppedge.slim.int8.pact import measure_clips
from ppedge.slim.int8.rounding import fake_quantized

ARM = Quant(method="arm")
CORES = ("a53", "a76")
SHARED = 0.03
"""What a prediction may be off by: a layer between two sites is counted half to each, as if both were at one level."""


def both(value):
    return dict.fromkeys(CORES, value)


def prices(cost, gain):
    return Prices(both(cost), {name: both(value) for name, value in gain.items()})


@pytest.fixture
def small():
    """A block of two widths, a stem of no choice, and what they cost."""
    problem = Problem({"block": [Level(16, 0.0, both(60.0)), Level(8, 0.2, both(30.0))]}, both(40.0), both(100.0))
    wide = prices({"block.a": 40.0, "block.b": 20.0, "stem": 30.0, "rest": 10.0}, {"block.a": 10.0, "stem": 6.0})
    narrow = prices({"block.a": 20.0, "block.b": 10.0, "stem": 30.0, "rest": 10.0}, {"block.a": -1.0, "stem": 6.0})
    return problem, [({"block": 16}, wide), ({"block": 8}, narrow)]


def test_each_layer_that_gains_may_be_in_int8_at_each_width(small):
    problem, forms = small
    asked = {}

    def errors_of(part_of):
        asked.update(part_of)
        return dict.fromkeys(part_of, 0.01)

    found = with_int8(problem, forms, ARM, errors_of)
    assert asked == {"block.a": "block", "stem": "stem"}
    wide, narrow = problem.parts["block"]
    assert found.parts["block"] == [replace(wide, int8={"block.a": Int8(0.01, both(10.0))}), narrow]
    assert found.parts["stem"] == [Level(None, 0.0, both(30.0), {"stem": Int8(0.01, both(6.0))})]
    assert found.fixed == both(10.0) and found.whole == problem.whole
    point = choose(found, both(0.85))
    assert point.settings == {"block": 16} and set(point.int8) == {"block.a", "stem"}
    assert point.shares == both(pytest.approx(0.84))
    assert choose(found, both(0.95)).int8 == ("block.a",)  # as good as the stem, and cheaper
    assert choose(found, {}).int8 == ()


def none(part_of):
    return dict.fromkeys(part_of, 0.0)


def test_what_is_excluded_stays_in_float(small):
    problem, forms = small
    found = with_int8(problem, forms, Quant(method="arm", exclude=["stem"]), none)
    assert "stem" not in found.parts and found.fixed == problem.fixed


def test_a_layer_need_gain_on_one_core_where_budgets_limit_both(small):
    problem, forms = small
    forms[0][1].gain["block.a"]["a76"] = -1.0
    assert with_int8(problem, forms, ARM, none).parts["block"] == problem.parts["block"]
    assert with_int8(problem, forms, ARM, none, ["a53"]).parts["block"] == problem.parts["block"]
    assert with_int8(problem, forms, ARM, none, ["a53", "nb"]).parts["block"] == problem.parts["block"]
    one_core = with_int8(problem, forms, Quant(method="arm", cores=["a53"]), none, CORES)
    assert set(one_core.parts["block"][0].int8) == {"block.a"}
    found = with_int8(problem, forms, ARM, none, CORES)
    assert set(choose(found, {"a53": 0.85, "a76": 0.96}).int8) == {"block.a", "stem"}
    assert choose(found, {"a53": 0.96, "a76": 0.94}).int8 == ("stem",)  # the block is dearer on one of them
    forms[0][1].gain["block.a"]["a53"] = -1.0
    assert with_int8(problem, forms, ARM, none, CORES).parts["block"] == problem.parts["block"]


def test_errors_are_each_layers_own_and_another_stands_in_for_a_layer_to_come(examples):
    example = examples["det"]
    pictures = [example.picture(seed) for seed in range(2)]
    stem, first = "backbone.conv.conv", "neck.in2_conv"
    known = {}
    found = int8_errors(example.build(), pictures, {stem: stem, first: NECK, "neck.new": NECK}, ARM, known)
    assert set(found) == {stem, first, "neck.new"} and min(found.values()) >= 0 < found[stem]
    assert found["neck.new"] == max(error for name, error in known.items() if owners(name, [NECK], REPLACED))
    assert {stem: found[stem], first: found[first]}.items() <= known.items()
    known[stem] = 7.0  # what is known is not measured again
    assert int8_errors(example.build(), pictures, {stem: stem}, ARM, known) == {stem: 7.0}
    coarse = int8_errors(example.build(), pictures, {stem: stem}, ARM.model_copy(update={"percentile": 60.0}))
    assert coarse[stem] > 2 * found[stem]


def test_parts_by_the_names_of_their_layers():
    parts = [NECK, HEAD_PART]
    assert owners("head.binarize.conv1", parts, REPLACED) == [NECK]
    assert owners("head.binarize.conv2", parts, REPLACED) == [HEAD_PART]
    assert owners("head.thresh.conv2", parts, REPLACED) == []
    assert owners("backbone.1.x", ["backbone.1", "backbone.10", "backbone.1.x"], {}) == ["backbone.1", "backbone.1.x"]
    layers = {"first": ("a", "b"), "second": ("b", "c")}
    assert [owners(layer, layers, layers) for layer in "abcd"] == [["first"], ["first", "second"], ["second"], []]


@pytest.fixture(scope="module")
def searched(examples):
    """A detector whose 1x1 convolutions save half in int8."""
    example = examples["det"]

    def price(net):
        macs = {name: float(count) for name, count in count_flops(net, example.shape).items() if count}
        gain = {name: both(macs[name] / 2) for name in macs if "expand_conv" in name or "linear_conv" in name}
        return Prices(both(macs), gain)

    rng = np.random.default_rng(1)
    pictures = [paddle.to_tensor(rng.standard_normal(example.shape, dtype=np.float32)) for _ in range(2)]
    budgeting = Budgeting(example.build(), example.traced, pictures, ArmPrune(neck_width=8, head_width=8),
                          example.task.build, price, quant=ARM, multiple=4)  # fmt: skip
    return budgeting, budgeting.problem()


def test_the_cheapest_network_has_layers_in_int8_and_costs_what_is_predicted(searched):
    budgeting, problem = searched
    for point in frontier(problem):
        net = budgeting.form(point.settings)
        price = budgeting.price(net)
        left = price.total["a53"] - price.saved(point.int8)["a53"]
        assert point.shares["a53"] == pytest.approx(left / problem.whole["a53"], rel=SHARED)
        assert set(point.int8) <= {name for name, _ in net.named_sublayers()}
    assert frontier(problem)[0].int8
    in_float = Problem(
        {part: [replace(level, int8={}) for level in levels] for part, levels in problem.parts.items()},
        problem.fixed, problem.whole,
    )  # fmt: skip
    cheapest = max(frontier(in_float)[0].shares.values())
    better = choose(problem, both(cheapest + 1e-6))
    assert better.error < choose(in_float, both(cheapest + 1e-6)).error


def test_what_is_counted_has_the_chosen_layers_in_int8(searched):
    budgeting, problem = searched
    asked = frontier(problem)[1].shares
    told = []

    def count(net, int8=()):
        told.append(tuple(int8))
        price = budgeting.price(net)
        left = price.total["a53"] - price.saved(int8)["a53"]
        return {f"cortex-{core}": int(left) for core in CORES}

    counted = Budgeting(budgeting.teacher, budgeting.traced, budgeting.pictures, budgeting.settings, budgeting.build,
                        budgeting.price, count, ARM, multiple=4)  # fmt: skip
    point = counted.meet(problem, {core: share + 1e-6 for core, share in asked.items()})
    assert () in told and point.int8 in told and point.int8
    assert point.shares["a53"] <= asked["a53"] + 1e-6
    assert point.shares["a53"] == pytest.approx(asked["a53"], rel=SHARED)


def test_8_bits_of_two_layers_make_about_the_sum_of_their_errors(examples):
    """What the search adds up."""
    example = examples["rec"]
    net, pictures = example.build(), [example.picture(seed) for seed in range(2)]
    names = {name: name for name in ("backbone.blocks.2.expand_conv.conv", "backbone.blocks.2.linear_conv.conv")}
    alone = int8_errors(net, pictures, names, ARM)
    clips = measure_clips(net, pictures, ARM.percentile, ARM.min_clip)
    net.eval()
    with paddle.no_grad():
        wanted = [net(picture).numpy() for picture in pictures]
        with fake_quantized(net, {name: clips[name] for name in names}):
            error = sum(float(((net(x).numpy() - y) ** 2).mean()) for x, y in zip(pictures, wanted, strict=True))
    assert error / sum(y.var() for y in wanted) == pytest.approx(sum(alone.values()), rel=0.5)
