"""Hardswish's fast gradient is Paddle's, bit for bit: trainings come to the same bytes."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from ppedge.models import hardswish as module
from ppedge.models.hardswish import hardswish


@pytest.fixture
def counted(monkeypatch):
    """Skip where nothing can be compiled; return a list that grows with each gradient that is computed in C."""
    compiled = module.library(module.SOURCE)
    if compiled is None:
        pytest.skip("no C compiler")
    calls = []

    class Kernels:
        @staticmethod
        def hardswish_gradient(*arguments):
            calls.append(arguments)
            compiled.hardswish_gradient(*arguments)

    monkeypatch.setattr(module, "library", lambda source: Kernels)
    return calls


def gradients(activation, x, gradient):
    x = paddle.to_tensor(x, stop_gradient=False)
    y = activation(x)
    y.backward(paddle.to_tensor(gradient))
    return y.numpy(), x.grad.numpy()


@pytest.mark.parametrize("shape", [(1,), (3, 5, 7, 11), (4, 1000)])
def test_values_and_gradients_are_paddles(counted, shape):
    rng = np.random.default_rng(len(shape))
    x = rng.normal(scale=3, size=shape).astype(np.float32)
    gradient = rng.normal(size=shape).astype(np.float32)
    for mine, theirs in zip(gradients(hardswish, x, gradient), gradients(F.hardswish, x, gradient), strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_array_equal(mine, theirs)
    assert len(counted) == 1


def test_at_the_corners(counted):
    corners = np.array([-np.inf, -1e30, -3, np.nextafter(np.float32(-3), np.float32(0)), -1.5, 0, 3, 1e30, np.inf])
    corners = corners.astype(np.float32)
    _, mine = gradients(hardswish, corners, np.ones_like(corners))
    np.testing.assert_allclose(mine, [0, 0, 0, -0.5, 0, 0.5, 1, 1, 1], atol=1e-6)


def test_next_to_the_corners_too(counted):
    steps = np.arange(-2000, 2001).astype(np.int32)
    near = [(np.float32(corner).view(np.int32) + steps).view(np.float32) for corner in (-3, 3)]
    x = np.concatenate([*near, steps.astype(np.float32) * 1e-42])
    for mine, theirs in zip(gradients(hardswish, x, x), gradients(F.hardswish, x, x), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_map_that_is_not_contiguous(counted):
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(6, 4)).astype(np.float32)

    def turned(activation):
        return gradients(lambda x: activation(x.transpose([1, 0])), values, weights)

    for mine, theirs in zip(turned(hardswish), turned(F.hardswish), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert len(counted) == 1


def test_paddle_serves_where_nothing_is_learned_or_nothing_compiled(counted, monkeypatch):
    x = paddle.to_tensor([-1.0, 2.0], stop_gradient=False)
    with paddle.no_grad():
        assert hardswish(x).stop_gradient
    wide = paddle.to_tensor([-1.0, 2.0], dtype="float64", stop_gradient=False)
    hardswish(wide).sum().backward()
    np.testing.assert_allclose(wide.grad.numpy(), [1 / 6, 7 / 6])
    monkeypatch.setattr(module, "library", lambda source: None)
    hardswish(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1 / 6, 7 / 6], rtol=1e-6)
    assert not counted
