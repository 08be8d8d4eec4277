import json

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models.weights import state_of
from ppedge.slim.channels.fpgm import keep_channels, keep_count
from ppedge.slim.plan import Plan, apply_plan
from ppedge.slim.rewrites import Rewrite
from ppedge.train.task import Task
from small import tiny_recipe

EMPTY = {"schema": 2, "method": "x", "parameters": {}, "dropped": [], "rewrites": [], "precision": {}, "made": {}}


@pytest.fixture
def plan(example):
    state = state_of(example.build())
    kept = {g: keep_channels(g, state, keep_count(g.channels, 0.5, 4)) for g in example.groups}
    return Plan.from_groups("fpgm flat", kept, example.shapes)


def test_a_plan_reads_back_equal(plan, tmp_path):
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    first = (tmp_path / "plan.json").read_bytes()
    Plan.load(tmp_path / "plan.json").save(tmp_path / "plan.json")
    assert (tmp_path / "plan.json").read_bytes() == first


def test_all_of_a_plan_reads_back(tmp_path):
    rewrite = Rewrite("linear_neck", "neck", {"in_channels": [8, 16], "width": 24})
    plan = Plan("arm", {"w": [4, 3]}, {"w": {0: [1, 2]}}, ("a.b",), (rewrite,), {"c": "fp32", "d": "int8"}, {"e": [7]})
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    assert plan.float_layers == ["c"]


def test_grouped_convolutions_keep_their_groups():
    """Only a depthwise one has as many groups as channels: four groups of four became sixteen, under an empty plan."""
    net = paddle.nn.Sequential(paddle.nn.Conv2D(16, 16, 3, padding=1, groups=4), paddle.nn.Conv2D(16, 16, 3, groups=16))
    x = paddle.rand([1, 16, 8, 8])
    wanted = net(x).numpy()
    apply_plan(net, Plan("none", {}, {}))
    assert [layer._groups for layer in net] == [4, 16]
    np.testing.assert_array_equal(net(x).numpy(), wanted)


def test_a_plan_of_schema_1_still_loads(tmp_path):
    path = tmp_path / "plan.json"
    parameters = {"w": {"shape": [4, 3], "keep": {"0": [1, 2]}}}
    path.write_text(json.dumps({"schema": 1, "method": "fpgm flat", "parameters": parameters}))
    assert Plan.load(path) == Plan("fpgm flat", {"w": [4, 3]}, {"w": {0: [1, 2]}})


def test_a_plan_keeps_the_values_of_kept_channels(example, plan):
    net = example.build()
    before = state_of(net)
    apply_plan(net, plan)
    after = state_of(net)
    assert after.keys() == before.keys()
    for name, value in before.items():
        expected = value
        for axis, kept in plan.keep.get(name, {}).items():
            expected = np.take(expected, kept, axis)
        np.testing.assert_array_equal(after[name], expected)
        assert (name in plan.keep) == (after[name].shape != value.shape)
    assert sum(v.size for v in after.values()) < 0.8 * sum(v.size for v in before.values())


def test_a_group_that_keeps_all_is_not_in_the_plan(example):
    plan = Plan.from_groups("none", {g: list(range(g.channels)) for g in example.groups}, example.shapes)
    assert plan == Plan("none", {}, {})
    net = example.build()
    before = state_of(net)
    apply_plan(net, plan)
    assert all(np.array_equal(value, before[name]) for name, value in state_of(net).items())


def test_a_plan_of_another_network_is_refused_and_changes_nothing(examples, det_data):
    example = examples["det"]
    plan = Plan.from_groups("test", {g: [0] for g in example.groups}, example.shapes)
    wider = Task(tiny_recipe("det", det_data, model={"neck": {"name": "DBFPN", "out_channels": 32}})).build()
    for net in (wider, examples["rec"].build()):
        before = state_of(net)
        with pytest.raises(
            PpedgeError, match=r"The pruning plan does not fit the network: \d+ parameters differ, first "
        ):
            apply_plan(net, plan)
        assert all(np.array_equal(value, before[name]) for name, value in state_of(net).items())


def test_a_plan_is_not_applied_twice(examples):
    example = examples["det"]
    plan = Plan.from_groups("test", {g: [0, 1] for g in example.groups}, example.shapes)
    net = example.build()
    apply_plan(net, plan)
    with pytest.raises(PpedgeError, match="does not fit"):
        apply_plan(net, plan)


@pytest.mark.parametrize(
    "kept",
    [
        [],  # nothing left
        [-1, 2],
        [0, 8],  # beyond the last channel
    ],
)
def test_channels_that_are_not_there_are_refused(examples, kept):
    example = examples["det"]
    name, axis, _ = next(g for g in example.groups if g.channels == 8).members[0]
    plan = Plan("test", {name: list(example.shapes[name])}, {name: {axis: kept}})
    net = example.build()
    before = state_of(net)
    with pytest.raises(PpedgeError, match="does not fit"):
        apply_plan(net, plan)
    assert all(np.array_equal(value, before[name]) for name, value in state_of(net).items())


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        json.dumps({"schema": 3, "method": "x", "parameters": {}}),
        json.dumps({"schema": 2, "method": "x", "parameters": {}}),
        json.dumps({**EMPTY, "rewrites": [{"kind": "fold_bias"}]}),
        json.dumps({**EMPTY, "precision": {"w": "int4"}}),
        json.dumps({**EMPTY, "made": {"w": ["a"]}}),
        json.dumps({"schema": 1, "method": "x", "parameters": {"w": {"shape": [4], "keep": {"first": [0]}}}}),
        json.dumps({"schema": 1, "method": "x", "parameters": {"w": {"shape": [4], "keep": {"0": ["a"]}}}}),
        json.dumps({"schema": 1, "method": "x", "parameters": {"w": {"keep": {}}}}),
        json.dumps({"schema": 1, "method": "x", "parameters": {"w": 3}}),
        '{"schema": 1, "method": "x", "parameters": {"w": {"shape": [1e999], "keep": {}}}}',
        '{"schema": 1, "method": "x", "parameters": {"w": {"shape": [1.5], "keep": {}}}}',
        json.dumps({"schema": 1, "method": "x", "parameters": {"w": {"shape": [4], "keep": {"0": [2, 1]}}}}),
        json.dumps({"schema": 1, "method": "x", "parameters": {"w": {"shape": [4], "keep": {"-1": [0]}}}}),
        json.dumps({"schema": [], "method": "x", "parameters": {}}),
        json.dumps({**EMPTY, "method": None}),
        json.dumps({**EMPTY, "dropped": "all"}),
        json.dumps({**EMPTY, "rewrites": [{"kind": "linear_neck", "layer": "neck", "options": {"width": "wide"}}]}),
        json.dumps({**EMPTY, "rewrites": [{"kind": "linear_neck", "layer": "neck", "options": {"width": 1 << 40}}]}),
        '{"schema": 1, "meth',
        "",
    ],
)
def test_a_file_that_is_no_plan(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(PpedgeError, match=r"plan\.json: not (a pruning plan|JSON)"):
        Plan.load(path)


def test_no_plan(tmp_path):
    with pytest.raises(PpedgeError, match=r"plan\.json: no such file"):
        Plan.load(tmp_path / "plan.json")
