"""Division of networks into units whose rounding is learned together."""

import paddle
from paddle import nn

from ppedge.slim.int8 import pact
from ppedge.slim.int8.units import LARGEST, units_of


class Odd(nn.Layer):
    """A flat network: one layer runs twice, one never, one reads two maps."""

    class Sum(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(4, 4, 1)

        def forward(self, x, y):
            return self.conv(x + y)

    def __init__(self):
        super().__init__()
        self.unused = nn.Conv2D(3, 4, 1)
        self.shared = nn.Conv2D(4, 4, 1)
        self.sum = self.Sum()
        self.first = nn.Conv2D(3, 4, 1)
        self.many = nn.Sequential(*(nn.Conv2D(4, 4, 1) for _ in range(LARGEST + 1)))

    def forward(self, x):
        x = self.first(x)
        return self.many(self.sum(self.shared(x), self.shared(x)))


def quantizable(net):
    return [name for name, layer in net.named_sublayers() if isinstance(layer, pact.QUANTIZED)]


def test_every_layer_that_runs_is_in_one_unit_and_blocks_stay_whole(example):
    net = example.build()
    names, ran = quantizable(net), []
    for name, layer in net.named_sublayers():
        if name in names:
            layer.register_forward_pre_hook(lambda layer, inputs, name=name: ran.append(name))
    found = units_of(net, names, example.picture())
    inside = [name for unit in found for name in unit.inside]
    assert inside == ran
    assert {name for name in names if "thresh" in name}.isdisjoint(inside)
    for block, _ in net.units():
        within = {name for name in ran if name == block or name.startswith(f"{block}.")}
        assert any(within <= set(unit.inside) for unit in found), block
    assert all(dict(net.named_sublayers())[unit.name] is unit.layer for unit in found)
    assert not any(layer._forward_pre_hooks or layer._forward_post_hooks for name, layer in net.named_sublayers()
                   if name not in names)  # fmt: skip


def test_a_flat_network_is_divided_into_layers():
    net = Odd()
    net.eval()
    found = units_of(net, quantizable(net), paddle.randn([1, 3, 4, 4]))
    assert [unit.name for unit in found] == ["first", "sum.conv", *(f"many.{k}" for k in range(LARGEST + 1))]
    assert [unit.inside for unit in found] == [(unit.name,) for unit in found]
    assert [unit.chained for unit in found] == [False, False, *([True] * (LARGEST + 1))]
    assert units_of(net, ["first"], paddle.randn([1, 3, 4, 4])) == [found[0]]
