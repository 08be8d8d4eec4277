import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.weights import load_weights, state_of
from ppedge.slim.int8 import pact


@pytest.mark.parametrize(
    ("x", "clip", "y", "by_x", "by_clip"),
    [
        (0.5, 1.0, 0.5, 1, 0),  # inside: unchanged
        (-0.375, 1.0, -0.375, 1, 0),  # hardswish's negative lobe too
        (3.0, 1.0, 1.0, 0, 1),  # above: the clip, which alone learns
        (-3.0, 1.0, -1.0, 0, -1),  # below: mirrored
        (3.0, 4.0, 3.0, 1, 0),
    ],
)
def test_symmetric_clip(x, clip, y, by_x, by_clip):
    layer = pact.SymmetricPACT()
    layer.alpha.set_value(np.array([clip], np.float32))
    value = paddle.to_tensor([x], stop_gradient=False)
    result = layer(value)
    result.backward()
    assert (float(result), float(value.grad), float(layer.alpha.grad)) == (y, by_x, by_clip)


def frozen(example):
    net = example.build()
    freeze_batch_norm(net)
    return net


def batches(example, count=3):
    return [example.picture(seed) for seed in range(count)]


def test_clips_start_where_the_data_says(examples):
    example = examples["rec"]
    first = next(name for name, layer in example.build().named_sublayers() if isinstance(layer, paddle.nn.Conv2D))
    magnitudes = [np.abs(x.numpy()) for x in batches(example)]
    for percentile in (100, 90):
        clips = pact.measure_clips(frozen(example), batches(example), percentile, 0.1)
        expected = np.mean([np.percentile(m, percentile) for m in magnitudes])
        assert clips[first] == pytest.approx(expected, rel=1e-5)
        assert min(clips.values()) >= 0.1
    assert min(pact.measure_clips(frozen(example), batches(example), 90, 5.0).values()) == 5.0


def test_a_layer_that_is_given_no_finite_numbers_is_named(examples):
    example = examples["rec"]
    net = frozen(example)
    _, first = next((name, one) for name, one in net.named_sublayers() if isinstance(one, paddle.nn.Conv2D))
    first.weight.set_value(np.full(first.weight.shape, 3e38, np.float32))
    with pytest.raises(
        PpedgeError, match=r"^backbone\..*: on training pictures this layer is given values that are infinite"
    ):
        pact.measure_clips(net, batches(example), 99.99, 0.1)


def test_clips_are_lifted_to_the_floor_and_otherwise_left(example):
    net = frozen(example)
    clips = pact.measure_clips(net, batches(example), 99.0, 0.1)
    pact.quantize(net, clip_l2=2e-5)
    pact.set_clips(net, clips)
    found = pact.clips_of(net)
    assert found == pytest.approx(clips, rel=1e-6)
    name = next(iter(found))
    pact.set_clips(net, {name: -3.0})
    pact.Quantized(net, example.task.loss, 0.25).after_step()
    lifted = pact.clips_of(net)
    assert lifted[name] == 0.25
    assert all(value == max(found[other], 0.25) for other, value in lifted.items() if other != name)


def test_the_course_of_clips_in_one_line():
    said = pact.describe_course({"a": 2.0, "b": 4.0, "c": 1.0}, {"a": 2.2, "b": 2.0, "c": 1.5})
    clips = "3 clips, the ranges of what layers are given in 8 bits, end"
    assert said == f"{clips} at 0.500 to 1.500 of their start; farthest b: 4 to 2"
    said = pact.describe_course({"a": 2.0, "b": 4.0, "c": 1.0}, {"a": 2.0, "b": 4.001, "c": 1.0})
    assert said == f"{clips} where calibration put them"


def test_clips_have_their_own_decay(example):
    net = frozen(example)
    pact.quantize(net, clip_l2=0.5)
    clips = [p for name, p in net.named_parameters() if name.endswith(pact.CLIP)]
    assert len(clips) > 20
    assert all(p.regularizer._coeff == 0.5 for p in clips)


def test_the_exported_form_computes_the_same_without_clips(example):
    """Behind the clip lies a quantizer whose scale is a mean of clipped maxima: it bounds as much."""
    net = frozen(example)
    clips = pact.measure_clips(net, batches(example), 95.0, 0.1)  # low enough to cut
    before = net.eval() or net(example.picture(9)).numpy()
    pact.quantize(net, clip_l2=2e-5)
    pact.set_clips(net, clips)
    pact.calibrate(net, batches(example))
    net.eval()
    exported = example.task.build()
    pact.quantize(exported)
    load_weights(exported, pact.without_clips(state_of(net)), "memory")
    exported.eval()
    with paddle.no_grad():  # else Paddle's quantizers keep the graph in their scales
        for seed in (0, 9):
            x = example.picture(seed)
            found = exported(x).numpy()
            np.testing.assert_allclose(found, net(x).numpy(), atol=1e-6)
    assert np.abs(found - before).max() > 1e-4  # it is quantized


def test_calibration_changes_scales_alone(example):
    net = frozen(example)
    pact.quantize(net)
    before = state_of(net)
    pact.calibrate(net, batches(example))
    changed = {name for name, value in state_of(net).items() if not np.array_equal(value, before[name])}
    assert changed
    assert {name.rpartition(".")[2] for name in changed} <= {"_scale", "_state", "_accum"}


def test_scales_are_means_of_what_was_seen_alone(example):
    """Paddle's own start counts for a magnitude of 1 that no picture had."""
    net = frozen(example)
    pact.quantize(net)
    pictures = [x * 50 for x in batches(example)]
    pact.calibrate(net, pictures)
    scale = next(value for name, value in state_of(net).items() if name.endswith("_fake_quant_input._scale"))
    maxima = [float(x.abs().max()) for x in pictures]
    assert scale.item() == pytest.approx(np.average(maxima, weights=[0.81, 0.9, 1]), rel=1e-5)


def test_excluded_layers_and_lstms_stay_in_float(examples):
    example = examples["rec"]
    net = frozen(example)
    left = pact.float_layers(net, ["head"])
    assert left == ["neck.encoder.lstm", "head.fc"]
    assert pact.float_layers(net) == left[:1]
    pact.quantize(net, exclude=["head"])
    quantizers = {name.partition("._fake_quant")[0] for name in net.state_dict() if "_fake_quant" in name}
    assert len(quantizers) > 20
    assert not [name for name in quantizers if name.startswith(("neck", "head"))]


def test_names_do_not_depend_on_what_was_built_before(example):
    def names():
        net = frozen(example)
        pact.quantize(net, clip_l2=1e-5)
        return [(key, tensor.name) for key, tensor in net.state_dict().items()]

    first = names()
    pact.SymmetricPACT()
    assert names() == first
