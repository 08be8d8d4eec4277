"""Channels that are made alike, where a network has a place for it."""

import numpy as np
import paddle
import pytest
from paddle import nn

from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.weights import load_weights, state_of
from ppedge.slim.int8 import pact
from ppedge.slim.int8.equalize import SMALLEST, Place, equalize, places
from ppedge.slim.int8.rounding import Reference
from small import lively

SHAPE = (1, 3, 8, 8)


class Chain(nn.Layer):
    """Convolution, BatchNorm, an activation, a reader; and what else reads the map."""

    def __init__(self, act=None, reader=None, beside=False):
        super().__init__()
        self.first = nn.Conv2D(3, 6, 3, padding=1, bias_attr=False)
        self.norm = nn.BatchNorm2D(6)
        self.act = act or nn.ReLU()
        self.reader = reader or nn.Conv2D(6, 6, 3, padding=1, groups=6)
        self.beside = beside

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        return self.reader(x) + x if self.beside else self.reader(x)


def found_in(**options):
    return places(Chain(**options), SHAPE)


def ranges(net, name, picture):
    """The largest magnitude of each channel that a layer is given."""
    seen = []
    handle = dict(net.named_sublayers())[name].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    net(picture)
    handle.remove()
    return seen[0].abs().max(axis=[0, 2, 3]).numpy()


def uneven(build):
    """A network in eval mode of which some channels are a hundred times as large as others, and a picture."""
    net = lively(build())
    net.norm.weight.set_value(np.geomspace(0.1, 10, 6).astype(np.float32))
    freeze_batch_norm(net)
    return net, paddle.to_tensor(np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32))


def error(net, picture):
    return Reference(net, [picture]).error(pact.measure_clips(net, [picture], 100, 1e-3))


@pytest.mark.parametrize("act", [nn.ReLU(), nn.LeakyReLU(), nn.Identity()])
def test_what_is_positively_homogeneous_is_a_place(act):
    assert found_in(act=act) == [Place("norm", "reader", 0, True)]


@pytest.mark.parametrize("act", [nn.Hardswish(), nn.ReLU6(), nn.Swish(), nn.Sigmoid(), nn.MaxPool2D(2)])
def test_nothing_else_is(act):
    assert found_in(act=act) == []


def test_a_map_that_others_read_too_and_grouped_readers_are_no_places():
    assert found_in(beside=True) == []
    assert found_in(reader=nn.Conv2D(6, 6, 1, groups=2)) == []
    assert found_in(reader=nn.Conv2DTranspose(6, 4, 2, stride=2)) == [Place("norm", "reader", 0, False)]
    assert found_in(reader=nn.Conv2D(6, 4, 1)) == [Place("norm", "reader", 1, False)]


@pytest.mark.parametrize(
    "make", [None, lambda: nn.Conv2D(6, 4, 3, padding=1), lambda: nn.Conv2DTranspose(6, 4, 2, stride=2)]
)
def test_the_network_computes_the_same_and_loses_less_by_8_bits(make):
    def build():
        paddle.seed(0)
        return Chain(reader=make and make())

    (net, picture), where = uneven(build), places(build(), SHAPE)
    wanted, before = net(picture).numpy(), error(net, picture)
    spread = equalize(net, where, [picture])
    assert spread.keys() == {"reader"} and spread["reader"] > 2
    np.testing.assert_allclose(net(picture).numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert error(net, picture) < 0.7 * before


def test_a_depthwise_readers_channels_get_one_range_but_for_those_that_are_nearly_always_0():
    net, picture = uneven(Chain)
    net.norm.bias.set_value(np.array([-100, 0, 0, 0, 0, 0], np.float32))  # always 0 behind the ReLU
    net.norm.weight.set_value(np.array([1, 1e-4, 1, 2, 3, 4], np.float32))
    before = ranges(net, "reader", picture)
    equalize(net, places(Chain(), SHAPE), [picture])
    after = ranges(net, "reader", picture)
    assert after[0] == 0
    np.testing.assert_allclose(after[1], before[1] / SMALLEST, rtol=1e-5)
    np.testing.assert_allclose(after[2:], before.max(), rtol=1e-5)


def test_whole_networks_compute_the_same(example):
    net, picture = example.build(), example.picture()
    wanted, before = net(picture).numpy(), state_of(net)
    spread = equalize(net, places(example.task.build_shipped(), example.shape), [picture])
    assert len(spread) >= 3
    np.testing.assert_allclose(net(picture).numpy(), wanted, atol=1e-5)
    changed = {name for name, value in state_of(net).items() if value.tobytes() != before[name].tobytes()}
    assert {f"{name}.weight" for name in spread} <= changed
    assert not any("thresh" in name for name in changed)  # it does not run, so its ranges are not known


def test_without_places_the_network_stays_as_it_is():
    net, picture = uneven(Chain)
    before = state_of(net)
    assert equalize(net, [], [picture]) == {}
    same = Chain()
    load_weights(same, state_of(net), "memory")
    assert all(state_of(same)[name].tobytes() == value.tobytes() for name, value in before.items())
