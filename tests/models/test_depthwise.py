"""The fast depthwise convolution gives what Paddle's gives, forward and backward."""

import ctypes

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from ppedge.models import depthwise
from ppedge.models.depthwise import accelerate, depthwise_conv2d
from ppedge.slim.int8.pact import quantize

CASES = [  # channels, kernel, stride, height, width
    (8, 3, (1, 1), 16, 48),
    (5, 3, (2, 1), 16, 47),
    (6, 5, (2, 1), 8, 33),
    (7, 5, (1, 1), 1, 1),
    (3, 5, (2, 2), 8, 3),
    (4, 3, (2, 2), 33, 18),
    (2, 3, (1, 2), 5, 40),
    (2, 5, (3, 3), 20, 70),
]


@pytest.fixture
def compiled():
    if depthwise.library(depthwise.SOURCE) is None:
        pytest.skip("no C compiler")


def results(convolve, x, weight, gradient):
    x, weight = paddle.to_tensor(x, stop_gradient=False), paddle.to_tensor(weight, stop_gradient=False)
    y = convolve(x, weight)
    y.backward(paddle.to_tensor(gradient))
    return y.numpy(), x.grad.numpy(), weight.grad.numpy()


@pytest.mark.parametrize(("channels", "kernel", "stride", "height", "width"), CASES)
def test_values_and_gradients_are_paddles(compiled, channels, kernel, stride, height, width):
    rng = np.random.default_rng(channels * kernel)
    x = rng.normal(size=(3, channels, height, width)).astype(np.float32)
    weight = rng.normal(size=(channels, 1, kernel, kernel)).astype(np.float32)
    padding = kernel // 2

    def slow(x, weight):
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=channels)

    gradient = rng.normal(size=slow(paddle.to_tensor(x), paddle.to_tensor(weight)).shape).astype(np.float32)
    expected = results(slow, x, weight, gradient)
    found = results(lambda x, w: depthwise_conv2d(x, w, stride, padding), x, weight, gradient)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def test_strided_tensors_and_inputs_without_gradient(compiled):
    base = paddle.randn([2, 16, 9, 4])
    x = base.transpose([0, 3, 1, 2])
    weight = paddle.randn([4, 1, 3, 3])
    weight.stop_gradient = False
    y = depthwise_conv2d(x, weight, (1, 1), 1)
    np.testing.assert_allclose(y.numpy(), F.conv2d(x, weight, padding=1, groups=4).numpy(), atol=1e-5)
    y.sum().backward()
    assert weight.grad is not None and x.grad is None
    x, weight = paddle.to_tensor(x.numpy(), stop_gradient=False), paddle.to_tensor(weight.numpy())
    depthwise_conv2d(x, weight, (1, 1), 1).sum().backward()
    assert x.grad.shape == x.shape


def small_net():
    paddle.seed(3)
    return paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 4, 3, padding=1),
        paddle.nn.Conv2D(4, 4, 5, stride=2, padding=2, groups=4),
        paddle.nn.Hardswish(),
        paddle.nn.Conv2D(4, 4, 3, padding=0, groups=4),  # not the fast form: Paddle's own serves
        paddle.nn.Conv2D(4, 8, 1),
    )


@pytest.mark.parametrize("quantized", [False, True])
def test_an_accelerated_network_learns_the_same(compiled, monkeypatch, quantized):
    def course(fast):
        net = small_net()
        if quantized:
            quantize(net, clip_l2=1e-4)
        if fast:
            accelerate(net)
            accelerate(net)
        calls = []
        monkeypatch.setattr(depthwise, "_call", lambda name, *rest: calls.append(name) or real(name, *rest))
        paddle.seed(4)
        x = paddle.randn([2, 3, 12, 20])
        net.train()
        net(x).square().mean().backward()
        assert calls.count("depthwise_forward") == (1 if fast else 0)
        return {name: p.grad.numpy() for name, p in net.named_parameters() if p.grad is not None}

    real = depthwise._call
    fast, slow = course(True), course(False)
    assert fast.keys() == slow.keys() and len(fast) >= 8
    for name, gradient in slow.items():
        np.testing.assert_allclose(fast[name], gradient, rtol=1e-4, atol=1e-6, err_msg=name)


def test_without_a_compiler_paddle_serves(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(depthwise, "library", depthwise.library.__wrapped__)
    net = small_net()
    accelerate(net)
    assert "forward" not in vars(net[1])


def test_memory_that_ran_out_is_an_error(compiled, monkeypatch):
    monkeypatch.setattr(depthwise, "library", lambda _: type("Empty", (), {"depthwise_forward": lambda *_: 1}))
    with pytest.raises(MemoryError):
        depthwise_conv2d(paddle.randn([1, 1, 4, 4]), paddle.randn([1, 1, 3, 3]), (1, 1), 1)
    assert ctypes.sizeof(depthwise._Shape) == 40
