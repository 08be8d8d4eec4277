import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models.backbones.mobilenet_v1_enhance import MobileNetV1Enhance
from ppedge.models.heads.db import MapHead
from ppedge.models.layers import ConvBNLayer
from ppedge.models.network import Network
from ppedge.models.rows import FoldedPool, SkippedRows
from ppedge.models.slimmed import FoldedMapHead, ShuffleHead
from ppedge.models.weights import load_weights, state_of
from ppedge.slim.arm.exact import exact_rewrites
from ppedge.slim.plan import Plan, apply_plan
from ppedge.slim.rewrites import EXACT, Rewrite, apply_exactly, apply_rewrite, layer_at
from reference import fill

HEAD = "head.binarize"
FOLD, SHUFFLE = Rewrite("fold_bias", HEAD), Rewrite("shuffle_head", HEAD)


def of_kernel(example, kernel):
    """A detector whose head begins with a convolution of that size."""
    net = example.build()
    old = net.head.binarize.conv1.weight.numpy()
    net.head.binarize.conv1 = paddle.nn.Conv2D(*old.shape[1::-1], kernel, padding=kernel // 2, bias_attr=False)
    wide = np.random.default_rng(5).normal(0, 0.05, (*old.shape[:2], kernel, kernel))
    net.head.binarize.conv1.weight.set_value((old if kernel == 3 else wide).astype(np.float32))
    return net


@pytest.mark.parametrize("kernel", [3, 7])
def test_exact_rewrites_change_nothing(examples, kernel):
    example = examples["det"]
    net, x = of_kernel(example, kernel), example.picture()
    with paddle.no_grad():
        before = net(x).numpy()
        assert before.std() > 0.01
        for rewrite, kind in ((FOLD, FoldedMapHead), (SHUFFLE, ShuffleHead)):
            difference = apply_exactly(net, rewrite, [x])
            assert 0 <= difference < 1e-5
            assert type(net.head.binarize) is kind
            np.testing.assert_allclose(net(x).numpy(), before, atol=1e-5)
        x = example.picture(1)[:, :, :32]
        other = of_kernel(example, kernel)
        np.testing.assert_allclose(net(x).numpy(), other(x).numpy(), atol=1e-5)


def test_a_rewrite_that_is_not_exact_is_refused_and_undone(examples, monkeypatch):
    example = examples["det"]
    net, x = example.build(), example.picture()
    monkeypatch.setattr("ppedge.slim.rewrites.EXACT", -1.0)
    before, head = state_of(net), net.head.binarize
    with pytest.raises(PpedgeError, match=r"fold_bias of head\.binarize changes the network's output by"):
        apply_exactly(net, FOLD, [x])
    assert net.head.binarize is head
    assert all(np.array_equal(value, before[name]) for name, value in state_of(net).items())
    assert EXACT == 1e-4


@pytest.mark.parametrize(
    "rewrite",
    [
        SHUFFLE,  # a head whose biases are not folded
        Rewrite("fold_bias", "neck"),
        Rewrite("fold_bias", "nowhere"),
        Rewrite("unheard", HEAD),
        Rewrite("fold_bias", HEAD, {"width": 3}),
    ],
)
def test_rewrites_that_do_not_fit_are_sentences(examples, rewrite):
    net = examples["det"].build()
    with pytest.raises(PpedgeError, match=r"[Tt]he plan"):
        apply_rewrite(net, rewrite)
    assert type(net.head.binarize) is MapHead


def rewritten_plan(example):
    last = "backbone.stage3.3"
    channels = [example.shapes[f"neck.in{k}_conv.weight"][1] for k in (2, 3, 4)]
    channels.append(example.shapes[f"{last}.conv.weight"][1])
    neck = Rewrite("linear_neck", "neck", {"in_channels": channels, "width": 16})
    return Plan(
        "test", {}, {}, ("head.thresh", last), (FOLD, SHUFFLE, neck, Rewrite("narrow_head", HEAD, {"width": 8}))
    )


def test_a_network_is_rebuilt_from_its_plan(examples, tmp_path):
    example = examples["det"]
    nets = [example.build(seed) for seed in range(2)]
    rewritten_plan(example).save(tmp_path / "plan.json")
    for net in nets:
        apply_plan(net, Plan.load(tmp_path / "plan.json"))
    load_weights(nets[1], state_of(nets[0]), "here")
    x = example.picture()
    with paddle.no_grad():
        np.testing.assert_array_equal(nets[0](x).numpy(), nets[1](x).numpy())
        assert nets[0](x).shape == [1, 1, *example.shape[2:]]
    names = [p.name for p in nets[0].parameters()]
    assert len(set(names)) == len(names)
    assert names == [p.name for p in nets[1].parameters()]
    nets[0].train()
    assert list(nets[0](x)) == ["maps"] and nets[0](x)["maps"].shape[1] == 1
    assert layer_at(nets[0], "head.binarize.conv2").weight.shape[0] == 8


def test_a_plan_whose_rewrites_make_something_else_is_refused(examples):
    example = examples["det"]
    plan = rewritten_plan(example)
    wrong = Plan("test", {}, {}, plan.dropped, plan.rewrites, {}, {"neck.in2_conv.weight": [1, 2, 3, 3]})
    with pytest.raises(PpedgeError, match=r"not the plan's: 1 parameters differ, first neck\.in2_conv\.weight"):
        apply_plan(example.build(), wrong)
    with pytest.raises(PpedgeError, match="not the plan's: 1 parameters differ, first no.layer"):
        apply_plan(example.build(), Plan("test", {}, {}, precision={"no.layer": "fp32"}))


@pytest.mark.parametrize(("task", "places"), [("rec", 4), ("cls", 4), ("det", 0)])
def test_rows_that_are_skipped_and_pools_that_are_folded_change_nothing(examples, task, places):
    example = examples[task]
    net, x = example.build(), example.picture()
    with paddle.no_grad():
        before = net(x).numpy()
        found = exact_rewrites(net, ["skip_rows", "fold_pool"], x)
        assert len(found) == places
        for rewrite in found:
            assert 0 <= apply_exactly(net, rewrite, [x]) < 1e-5
        np.testing.assert_allclose(net(x).numpy(), before, atol=1e-5)
    assert exact_rewrites(net, ["skip_rows", "fold_pool"], x) == []
    assert {type(layer_at(net, rewrite.layer)) for rewrite in found} <= {SkippedRows, FoldedPool}


def test_rows_of_ppocrv3s_recogniser_are_skipped_too():
    net = Network(MobileNetV1Enhance(0.125, (1, 2), "avg"), None, paddle.nn.Identity())
    fill(net)
    net.eval()
    x = paddle.rand([1, 3, 48, 64])
    before = net(x).numpy()
    assert np.abs(before).max() > 0.1
    found = exact_rewrites(net, ["skip_rows", "fold_pool"], x)
    assert [rewrite.layer for rewrite in found] == [f"backbone.block_list.{k}._depthwise_conv" for k in (3, 5, 11)]
    for rewrite in found:
        apply_rewrite(net, rewrite)
        assert type(layer_at(net, rewrite.layer)) is SkippedRows
    np.testing.assert_allclose(net(x).numpy(), before, atol=1e-5)


def test_rows_are_skipped_whatever_the_activation():
    x = paddle.randn([2, 8, 6, 11])
    for activation in ("relu", "hardswish", None):
        net = paddle.nn.Sequential(ConvBNLayer(8, 8, 5, (2, 1), groups=8, activation=activation))
        net.eval()
        before = net(x).numpy()
        apply_rewrite(net, Rewrite("skip_rows", "0"))
        assert type(net[0]) is SkippedRows and not net[0].training
        np.testing.assert_allclose(net(x).numpy(), before, atol=1e-6)
        with pytest.raises(PpedgeError, match=r"The plan rewrites 0, which is no ConvBNLayer or"):
            apply_rewrite(net, Rewrite("skip_rows", "0"))


@pytest.mark.parametrize(("stride", "groups"), [((2, 2), 8), ((1, 1), 8), ((2, 1), 1)])
def test_other_convolutions_have_no_rows_to_skip(stride, groups):
    net = paddle.nn.Sequential(ConvBNLayer(8, 8, 3, stride, groups=groups))
    with pytest.raises(PpedgeError, match="another stride or groups than skip_rows wants"):
        apply_rewrite(net, Rewrite("skip_rows", "0"))


def test_parameters_of_all_rewritten_layers_have_names_of_their_own(examples):
    example = examples["rec"]
    net = example.build()
    for rewrite in exact_rewrites(net, ["skip_rows", "fold_pool"], example.picture()):
        apply_rewrite(net, rewrite)
    parameters = net.parameters()
    assert len({parameter.name for parameter in parameters}) == len(parameters)
