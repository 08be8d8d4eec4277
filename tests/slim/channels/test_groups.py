import numpy as np
import paddle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppedge.models.flops import count_flops
from ppedge.models.weights import state_of
from ppedge.slim.channels.fpgm import flops_left
from ppedge.slim.channels.groups import trace
from ppedge.slim.channels.sensitivity import silenced
from ppedge.slim.plan import Plan, apply_plan


def test_every_member_of_a_group_has_its_channels(example):
    assert len(example.groups) > 10
    for group in example.groups:
        assert group.name == group.producers[0].name
        for name, axis, indices in group.members:
            assert len(set(indices)) == group.channels, (group.name, name, axis)
            assert 0 <= min(indices) <= max(indices) < example.shapes[name][axis]
        assert set(group.producers) <= set(group.members)


def test_no_index_of_a_parameter_is_in_two_groups(example):
    places = [(m.name, m.axis, i) for group in example.groups for m in group.members for i in m.indices]
    assert len(places) == len(set(places))


def test_groups_go_through_concatenation_and_transposed_convolutions(examples):
    groups = {group.name: group for group in examples["det"].groups}
    width = examples["det"].shapes["neck.p2_conv.weight"][0]
    for number, name in enumerate(("p5", "p4", "p3", "p2")):  # the order in which the neck lines them up
        members = {m.name: m for m in groups[f"neck.{name}_conv.weight"].members}
        assert members["head.binarize.conv1.weight"].indices == tuple(range(number * width, (number + 1) * width))
        assert members["head.thresh.conv1.weight"].axis == 1
    inner = groups["head.binarize.conv2.weight"]
    assert inner.producers[0].axis == 1
    assert ("head.binarize.conv3.weight", 0) in [m[:2] for m in inner.members]
    assert ("head.binarize.conv2.bias", 0) in [m[:2] for m in inner.members]


def test_inputs_and_outputs_are_not_pruned(examples):
    def pruned(task):
        return {member[:2] for group in examples[task].groups for member in group.members}

    # The first convolution's three colours, the map's one channel, a recogniser's classes and LSTM.
    assert ("backbone.conv.conv.weight", 1) not in pruned("det")
    assert {axis for name, axis in pruned("det") if ".conv3." in name and name.startswith("head")} == {0}
    assert not [name for name, _ in pruned("rec") if name.startswith(("neck", "head"))]
    assert ("head.fc.weight", 1) not in pruned("cls")


def test_what_a_classifiers_linear_layer_takes_is_left(examples):
    """Channels that go through a flattening are pinned."""
    members = {member[:2] for group in examples["cls"].groups for member in group.members}
    assert ("backbone.conv2.conv.weight", 1) in members
    assert not members & {("backbone.conv2.conv.weight", 0), ("head.fc.weight", 0)}


def test_tracing_is_the_same_every_time_and_in_any_mode(example):
    net = example.task.build()
    net.eval()
    assert trace(net, example.shape) == example.traced


def test_excluded_layers_are_in_no_group(example):
    left = trace(example.task.build(), example.shape, exclude=["backbone.stages", "backbone.blocks", "neck"]).groups
    assert 0 < len(left) < len(example.groups)
    assert set(left) < set(example.groups)
    assert not [
        producer
        for group in left
        for producer in group.producers
        if producer.name.startswith(("backbone.stages", "backbone.blocks", "neck"))
    ]


def cut(example, kept):
    """A network pruned to the kept channels of each group."""
    net = example.build()
    apply_plan(net, Plan.from_groups("test", kept, example.shapes))
    return net


@pytest.mark.parametrize("number", range(4))
def test_a_group_cut_out_gives_what_a_silenced_one_gives(example, number):
    """The claim that sensitivity rests on, for every group alone, random channels."""
    x, whole = example.picture(), example.build()
    changed = []
    with paddle.no_grad():
        untouched = whole(x).numpy()
        for index, group in list(enumerate(example.groups))[number::4]:
            rng = np.random.default_rng(index)
            count = int(rng.integers(1, group.channels))
            kept = sorted(rng.choice(group.channels, count, replace=False).tolist())
            gone = sorted(set(range(group.channels)) - set(kept))
            with silenced(whole, group, gone):
                expected = whole(x).numpy()
            np.testing.assert_allclose(cut(example, {group: kept})(x).numpy(), expected, atol=1e-5, err_msg=group.name)
            changed.append(np.abs(expected - untouched).max() > 1e-6)
        np.testing.assert_array_equal(whole(x).numpy(), untouched)
    assert np.mean(changed) > 0.3  # not DB's threshold head, nor a squeeze that is 0 anyway


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_all_groups_together_too(example, seed):
    """And the FLOPs that a plan promises are those of the pruned network."""
    rng = np.random.default_rng(seed)
    kept = {}
    for group in example.groups:
        count = int(rng.integers(1, group.channels + 1))
        kept[group] = sorted(rng.choice(group.channels, count, replace=False).tolist())
    pruned, whole, x = cut(example, kept), example.build(), example.picture(seed)
    before = state_of(whole)
    with paddle.no_grad():
        result = pruned(x).numpy()
        stack = [silenced(whole, g, sorted(set(range(g.channels)) - set(k))) for g, k in kept.items()]
        for layer in stack:
            layer.__enter__()
        expected = whole(x).numpy()
        for layer in reversed(stack):
            layer.__exit__(None, None, None)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert all(np.array_equal(value, before[name]) for name, value in state_of(whole).items())

    promised = flops_left(example.macs, example.shapes, {group: len(k) for group, k in kept.items()})
    found = sum(count_flops(pruned, example.shape).values()) / sum(example.macs.values())
    assert promised == pytest.approx(found, rel=1e-9)
