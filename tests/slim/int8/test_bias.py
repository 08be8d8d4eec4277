"""Means that 8 bits move, and that are moved back."""

import numpy as np
import paddle
import pytest

from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.weights import state_of
from ppedge.slim.int8 import pact
from ppedge.slim.int8.bias import correct_bias
from ppedge.slim.int8.rounding import nearest_of, rounded


def means(net, names, picture):
    """Mean of each channel of what layers and the BatchNorms behind them give."""
    found = {}

    def watch(name):
        def hook(layer, inputs, output):
            axis = output.ndim - 1 if isinstance(layer, paddle.nn.Linear) else 1
            found[name] = output.mean(axis=[k for k in range(output.ndim) if k != axis]).numpy()

        return hook

    layers = dict(net.named_sublayers())
    handles = [layers[name].register_forward_post_hook(watch(name)) for name in names]
    with paddle.no_grad():
        net(picture)
    for handle in handles:
        handle.remove()
    return found


@pytest.fixture
def ready(example):
    net, picture = example.build(), example.picture()
    freeze_batch_norm(net)
    clips = pact.measure_clips(net, [picture], 95, 0.1)  # low clips, so that means move far
    return net, picture, nearest_of(net, clips)


def test_what_layers_give_has_the_mean_that_it_has_in_float(ready):
    net, picture, roundings = ready
    layers = dict(net.named_sublayers())
    # What a correction reaches: layers with a bias of their own, and BatchNorms.
    able = [name for name in roundings if layers[name].bias is not None]
    able += [name for name, layer in layers.items() if isinstance(layer, paddle.nn.BatchNorm2D)]
    wanted = means(net, able, picture)
    with rounded(net, roundings):
        before = means(net, able, picture)
    correct_bias(net, roundings, [picture])
    with rounded(net, roundings):
        after = means(net, able, picture)
    assert max(np.abs(before[name] - wanted[name]).max() for name in wanted) > 1e-2
    for name, mean in wanted.items():
        np.testing.assert_allclose(after[name], mean, atol=1e-4, err_msg=name)


def test_only_biases_and_means_are_changed_and_those_of_layers_that_run(ready):
    net, picture, roundings = ready
    before = state_of(net)
    corrected = correct_bias(net, roundings, [picture, picture])
    changed = {name for name, value in state_of(net).items() if value.tobytes() != before[name].tobytes()}
    assert changed and all(name.endswith((".bias", "._mean")) for name in changed)
    assert not any("thresh" in name for name in (*changed, *corrected))
    assert not any(layer._forward_post_hooks or layer._forward_pre_hooks for layer in net.sublayers())


def test_batches_are_averaged(examples):
    """The shift of two batches is the mean of the shifts of each."""
    example, shifts = examples["rec"], []
    pictures = [example.picture(seed) for seed in range(2)]
    for batches in (pictures[:1], pictures[1:], pictures):
        net = example.build()
        freeze_batch_norm(net)
        clips = {name: 1.0 for name in ("backbone.conv1.conv",)}
        before = net.backbone.conv1.bn._mean.numpy()
        correct_bias(net, nearest_of(net, clips), batches)
        shifts.append(net.backbone.conv1.bn._mean.numpy() - before)
    np.testing.assert_allclose(shifts[2], (shifts[0] + shifts[1]) / 2, atol=1e-6)
    assert np.abs(shifts[0] - shifts[1]).max() > 1e-5
