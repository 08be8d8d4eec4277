"""Random small networks: what is cut out is what was silenced."""

from contextlib import ExitStack

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paddle import nn

from ppedge.models.layers import SEModule
from ppedge.models.weights import state_of
from ppedge.slim.channels.groups import trace
from ppedge.slim.channels.sensitivity import silenced
from ppedge.slim.plan import Plan, apply_plan

SHAPE = (2, 3, 8, 8)
KINDS = ("conv", "depthwise", "se", "residual", "dense", "transposed", "pool", "shared", "chosen")


class RandomNet(nn.Layer):
    """A chain of parts; each maps (N, C, H, W) to some (N, C', H', W')."""

    def __init__(self, kinds, widths):
        super().__init__()
        self.kinds = kinds
        self.parts = nn.LayerList()
        channels = 3
        for kind, width in zip(kinds, widths, strict=True):
            part, channels = self._part(kind, channels, width)
            self.parts.append(part)
        self.last = nn.Conv2D(channels, 2, 1)

    @staticmethod
    def _part(kind, channels, width):
        if kind == "conv":
            return nn.Sequential(nn.Conv2D(channels, width, 3, padding=1), nn.BatchNorm2D(width)), width
        if kind == "depthwise":
            return nn.Conv2D(channels, channels, 3, padding=1, groups=channels), channels
        if kind == "se":
            wide = nn.Conv2D(channels, 4 * width, 1)
            return nn.Sequential(wide, SEModule(4 * width)), 4 * width
        if kind in ("residual", "shared"):
            return nn.Conv2D(channels, channels, 1), channels
        if kind == "dense":
            return nn.Conv2D(channels, width, 1), channels + 2 * width
        if kind == "transposed":
            return nn.Conv2DTranspose(channels, width, 2, stride=2), width
        if kind == "chosen":
            return nn.Conv2D(channels, width, 1), width
        return nn.Identity(), channels

    def forward(self, x):
        """Run all parts."""
        for number, kind in enumerate(self.kinds):  # Paddle's tracer knows no zip(strict=True)
            y = self.parts[number](x)
            if kind == "residual":
                x = x + F.relu(y)
            elif kind == "shared":
                x = F.hardswish(y) * x
            elif kind == "dense":
                x = paddle.concat([y, x, F.relu(y)], axis=1)
            elif kind == "chosen":
                x = paddle.where(paddle.isnan(y), paddle.zeros_like(y), y)
            elif kind == "pool":
                x = F.max_pool2d(y, 2, 1, 1)
            else:
                x = F.relu(y)
        return self.last(x)


def build(kinds, widths, seed):
    paddle.seed(seed)
    with paddle.utils.unique_name.guard():
        net = RandomNet(kinds, widths)
    rng = np.random.default_rng(seed)
    for tensor in net.state_dict().values():
        if tensor.ndim == 1:
            tensor.set_value(rng.uniform(0.3, 1.5, tensor.shape).astype(np.float32))
    net.eval()
    return net


@settings(max_examples=25, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=2, max_size=5),
    seed=st.integers(0, 10**6),
)
def test_a_pruned_network_is_the_original_with_those_channels_zeroed(kinds, seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(2, 5, len(kinds)).tolist()
    groups = trace(build(kinds, widths, seed), SHAPE).groups
    whole, pruned = build(kinds, widths, seed), build(kinds, widths, seed)
    kept = {g: sorted(rng.choice(g.channels, rng.integers(1, g.channels + 1), replace=False).tolist()) for g in groups}
    shapes = {name: value.shape for name, value in state_of(whole).items()}
    apply_plan(pruned, Plan.from_groups("test", kept, shapes))
    x = paddle.to_tensor(rng.standard_normal(SHAPE).astype(np.float32))
    with paddle.no_grad():
        stack = [silenced(whole, g, sorted(set(range(g.channels)) - set(k))) for g, k in kept.items()]
        for layer in stack:
            layer.__enter__()
        expected = whole(x).numpy()
    np.testing.assert_allclose(pruned(x).numpy(), expected, atol=1e-4, rtol=1e-4)
    lost = sum(g.channels - len(k) for g, k in kept.items())
    sizes = [sum(v.size for v in state_of(net).values()) for net in (pruned, whole)]
    assert sizes[0] < sizes[1] or not lost


@pytest.mark.parametrize(
    ("kinds", "groups"),
    [
        (("conv",), [("parts.0.0.weight", 4)]),
        (("residual",), []),  # the picture's own channels
        (("conv", "residual"), [("parts.0.0.weight", 4)]),
        (("conv", "depthwise", "transposed"), [("parts.0.0.weight", 4), ("parts.2.weight", 4)]),
        (("conv", "se"), [("parts.0.0.weight", 4), ("parts.1.0.weight", 16), ("parts.1.1.conv1.weight", 4)]),
        (("dense",), [("parts.0.weight", 4)]),
        (("chosen",), [("parts.0.weight", 4)]),
    ],
)
def test_groups_of_networks_that_can_be_told_by_looking(kinds, groups):
    found = trace(build(kinds, [4] * len(kinds), 0), SHAPE).groups
    assert [(g.name, g.channels) for g in found] == groups


def test_a_channel_that_is_concatenated_twice_has_two_places():
    (group,) = trace(build(("dense",), [4], 0), SHAPE).groups
    assert [m.indices for m in group.members if m.name == "last.weight"] == [(0, 1, 2, 3), (7, 8, 9, 10)]


def test_channels_that_go_through_something_unknown_stay():
    class Flat(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(3, 4, 1)
            self.last = nn.Linear(4 * 64, 2)

        def forward(self, x):
            return self.last(paddle.flatten(F.relu(self.conv(x)), 1))

    assert trace(Flat(), (1, 3, 8, 8)).groups == []


class Odd(nn.Layer):
    """Networks in which a channel has a place that is easily overlooked."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.first, self.other, self.last = nn.Conv2D(3, 8, 1), nn.Conv2D(3, 8, 1), nn.Conv2D(8, 2, 1)
        self.shared = nn.Conv2D(8, 8, 1)
        self.vector = self.create_parameter([8])
        self.map = self.create_parameter([8, 1, 1])
        self.scale = self.create_parameter([1])

    def forward(self, x):
        """Run the network of the kind asked for."""
        y = F.relu(self.first(x))
        if self.kind == "returned":  # though another layer reads it too
            return y, self.last(y)
        if self.kind == "columns":  # as many as channels
            return self.last(y + self.vector)
        if self.kind == "map":
            return self.last(y + self.map)
        if self.kind == "broadcast":
            return self.last(y * F.sigmoid(y.mean(axis=1, keepdim=True)))
        if self.kind == "number":
            return self.last(F.relu(y * 3.0 + y.mean()))
        if self.kind == "scaled":  # the number stands before the map
            return self.last(self.scale * y)
        return self.last(self.shared(y) + F.relu(self.shared(F.relu(self.other(x)))))


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("returned", []),
        ("columns", []),
        ("map", []),
        ("broadcast", []),
        ("number", []),
        ("scaled", [(("first.weight",), 8)]),
        # One weight reads both maps: their channels go together.
        ("shared", [(("first.weight", "other.weight"), 8), (("shared.weight",), 8)]),
    ],
)
def test_channels_of_odd_networks(kind, groups):
    def build(seed):
        paddle.seed(seed)
        return Odd(kind)

    found = trace(build(0), (2, 3, 8, 8)).groups
    assert [(tuple(m.name for m in g.producers), g.channels) for g in found] == groups
    whole, pruned = build(0), build(0)
    kept = {group: [0, 3, 5] for group in found}
    apply_plan(pruned, Plan.from_groups("test", kept, {name: v.shape for name, v in state_of(whole).items()}))
    x = paddle.randn((2, 3, 8, 8))
    with paddle.no_grad(), ExitStack() as stack:
        for group in found:
            stack.enter_context(silenced(whole, group, [1, 2, 4, 6, 7]))
        for one, other in zip(paddle.utils.flatten(pruned(x)), paddle.utils.flatten(whole(x)), strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-5)
