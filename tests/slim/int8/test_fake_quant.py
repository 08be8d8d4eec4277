"""The fast fake quantizers of training give what Paddle's give."""

import numpy as np
import paddle
import pytest

from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.weights import load_weights, state_of
from ppedge.slim.int8 import fake_quant, pact


@pytest.fixture
def compiled():
    if fake_quant.library(fake_quant.SOURCE, *fake_quant.OPTIONS) is None:
        pytest.skip("no C compiler")


@pytest.fixture
def quantized(compiled, monkeypatch):
    """Build a layer or network and quantize it with clips, in the fast form or in Paddle's."""

    def build(make, fast, clip=None):
        paddle.seed(7)
        with monkeypatch.context() as patch:
            if not fast:
                patch.setattr(fake_quant, "library", lambda *_: None)
            net = make()
            pact.quantize(net, clip_l2=1e-4)
        if clip is not None:
            pact.set_clips(net, dict.fromkeys(pact.clips_of(net), clip))
        return net.train() or net

    return build


LAYERS = {
    "conv": (lambda: paddle.nn.Conv2D(3, 5, 3, padding=1), (2, 3, 11, 13)),
    "pointwise": (lambda: paddle.nn.Conv2D(16, 8, 1, bias_attr=False), (3, 16, 32, 29)),  # more than a chunk
    "depthwise": (lambda: paddle.nn.Conv2D(4, 4, 5, padding=2, groups=4), (2, 4, 9, 9)),
    "transposed": (lambda: paddle.nn.Conv2DTranspose(4, 6, 2, stride=2), (2, 4, 5, 7)),
    "linear": (lambda: paddle.nn.Linear(6, 9), (5, 3, 6)),
}
DYADIC = 0.75  # with it and such inputs PACT's own x - (x - a) is exact


def inputs(shape, seed=0):
    """Multiples of 1/64, some of them beyond the clip, some on it, some ties between two levels of 1."""
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(0, 0.5, shape) * 64).astype(np.float32) / 64


def steps(net, x, count=2):
    """Outputs, gradients and state of a few batches in training mode."""
    found = {}
    for step in range(count):
        value = paddle.to_tensor(x + np.float32(step) / 8, stop_gradient=False)
        y = net(value)
        (y * paddle.linspace(-1, 1, y.size).reshape(y.shape)).sum().backward()
        found |= {f"output {step}": y.numpy(), f"input's gradient {step}": value.grad.numpy()}
    gradients = {f"{name}'s gradient": p.grad.numpy() for name, p in net.named_parameters() if p.grad is not None}
    return {**found, **gradients}, state_of(net)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_learns_what_it_learns_with_paddles(quantized, kind):
    make, shape = LAYERS[kind]
    results = []
    for fast in (True, False):
        net = paddle.nn.Sequential(quantized(lambda: paddle.nn.Sequential(make()), fast, DYADIC))
        layer = next(layer for layer in net.sublayers() if hasattr(layer, "_fake_quant_input"))
        assert ("forward" in vars(layer._fake_quant_input)) is fast
        results.append(steps(net, inputs(shape)))
    (mine, my_state), (theirs, their_state) = results
    assert mine.keys() == theirs.keys() and len(mine) >= 6
    for name, value in theirs.items():
        # A clip's gradient is a sum over all values, of either sign, in an order that depends on the processor.
        share = 1e-4 if name.endswith("alpha's gradient") else 1e-5
        np.testing.assert_allclose(mine[name], value, rtol=share, atol=share * np.abs(value).max(), err_msg=name)
    assert list(my_state) == list(their_state)
    for name, value in their_state.items():  # of the outputs, float sums may be in another order
        tolerance = 1e-5 if "_ma_output_scale" in name else 0
        np.testing.assert_allclose(my_state[name], value, rtol=tolerance, err_msg=name)


def test_rounding_is_paddles_to_the_bit(quantized):
    """127 levels on 127 whole numbers: halves are ties; beyond the scale and beyond the clip too."""
    x = paddle.to_tensor(np.arange(-300, 301, dtype=np.float32)[None, :, None, None] / 2)
    for clip in (1000.0, 127.0, 100.0):
        rounded = {}
        for fast in (True, False):
            net = quantized(lambda: paddle.nn.Sequential(paddle.nn.Conv2D(601, 2, 1)), fast, clip)
            layer = net[0]._layer
            for name in ("_scale", "_state", "_accum"):
                getattr(layer._fake_quant_input, name).set_value(np.full([1], 127, np.float32))
            net.eval()
            rounded[fast] = layer._fake_quant_input(layer._act_preprocess(x)).numpy().ravel()
            weight = layer._fake_quant_weight(layer.weight).numpy()
            rounded[fast] = np.concatenate([rounded[fast], weight.ravel(), layer._fake_quant_weight._scale.numpy()])
        np.testing.assert_array_equal(rounded[True], rounded[False])
    assert {0.5, 1.5} & set(np.abs(rounded[True][:601])) == set()


def test_clip_learns_from_values_beyond_it_alone(quantized):
    net = quantized(lambda: paddle.nn.Sequential(paddle.nn.Conv2D(1, 1, 1, bias_attr=False)), True, 1.0)
    net[0]._layer.weight.set_value(np.ones([1, 1, 1, 1], np.float32))
    x = paddle.to_tensor(np.array([0.5, 1, 3, -1, -2], np.float32).reshape(1, 1, 1, 5), stop_gradient=False)
    y = net(x)
    y.backward(paddle.to_tensor(np.array([1, 2, 4, 8, 16], np.float32).reshape(y.shape)))
    np.testing.assert_array_equal(x.grad.numpy().ravel(), [1, 2, 0, 8, 0])
    assert float(net[0]._layer._act_preprocess.alpha.grad) == 4 - 16


def test_a_broken_value_is_not_lost(quantized):
    """Training refuses to keep a state that is not finite."""
    net = quantized(lambda: paddle.nn.Sequential(paddle.nn.Conv2D(1, 1, 1)), True)
    x = np.ones((1, 1, 4, 9), np.float32)
    x[0, 0, 2, 3] = np.nan
    assert np.isnan(net(paddle.to_tensor(x)).numpy()[0, 0, 2, 3])
    assert np.isnan(state_of(net)["0._layer._fake_quant_input._scale"]).all()


@pytest.mark.slow
def test_a_network_learns_what_it_learns_with_paddles(quantized, example):
    def course(fast):
        net = quantized(lambda: frozen(example), fast)
        pact.set_clips(net, pact.measure_clips(frozen(example), [example.picture()], 99, 0.1))
        pact.calibrate(net, [example.picture(seed) for seed in range(2)])
        optimizer = paddle.optimizer.SGD(1e-3, parameters=net.parameters())
        for seed in range(3):
            output = net.train() or net(example.picture(seed))
            sum(value.square().mean() for value in output.values()).backward()
            optimizer.step()
            optimizer.clear_grad()
        exported = example.task.build()
        pact.quantize(exported)
        load_weights(exported, pact.without_clips(state_of(net)), "memory")
        exported.eval()
        # With gradients, Paddle's quantizers would keep the graph in their scales until the interpreter dies.
        with paddle.no_grad():
            return state_of(net), exported(example.picture(9)).numpy()

    (mine, my_output), (theirs, their_output) = course(True), course(False)
    assert list(mine) == list(theirs)
    assert any(name.endswith(pact.CLIP) for name in mine)
    for name, value in theirs.items():
        # A value between two levels may go the other way for the last bit of a sum: of thousands, one.
        np.testing.assert_allclose(mine[name], value, rtol=2e-3, atol=2e-3 * np.abs(value).max() + 1e-6, err_msg=name)
    np.testing.assert_allclose(my_output, their_output, atol=0.01 * np.abs(their_output).max())


def frozen(example):
    net = example.build()
    freeze_batch_norm(net)
    return net


def test_the_exported_form_keeps_paddles_own_operators(example):
    net = example.build()
    pact.quantize(net)
    assert not [name for name, layer in net.named_sublayers() if "forward" in vars(layer)]


def test_without_a_compiler_paddle_serves(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fake_quant, "library", fake_quant.library.__wrapped__)
    net = paddle.nn.Sequential(paddle.nn.Conv2D(1, 1, 1))
    pact.quantize(net, clip_l2=1e-4)
    assert not [layer for layer in net.sublayers() if "forward" in vars(layer)]
    assert net(paddle.ones([1, 1, 2, 2])).shape == [1, 1, 2, 2]


def test_a_traced_network_has_paddles_operators(quantized):
    net = quantized(lambda: paddle.nn.Sequential(paddle.nn.Conv2D(3, 2, 1)), True, DYADIC)
    x = paddle.to_tensor(inputs((1, 3, 8, 8)))
    net(x)
    net.eval()
    expected = net(x).numpy()
    traced = paddle.jit.to_static(net, [paddle.static.InputSpec([1, 3, 8, 8])], full_graph=True)
    operators = [op.type for op in traced.forward.concrete_program.main_program.global_block().ops]
    assert "fake_quantize_dequantize_moving_average_abs_max" in operators
    assert "fake_channel_wise_quantize_dequantize_abs_max" in operators
    np.testing.assert_allclose(traced(x).numpy(), expected, atol=1e-6)
