"""A convolution from many channels to few, or on one row, gives what Paddle's gives, forward and backward."""

import numpy as np
import paddle
import pytest
from paddle import nn

from ppedge.files.inference_model import InferenceModel
from ppedge.models import dense
from ppedge.models.depthwise import accelerate


def results(layer, x, gradient):
    x = paddle.to_tensor(x, stop_gradient=False)
    y = layer(x)
    y.backward(paddle.to_tensor(gradient))
    found = [y.numpy(), x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())]
    layer.clear_gradients()
    return found


@pytest.fixture
def forms(monkeypatch):
    """The names of the forms in which convolutions were run, but for Paddle's own."""
    calls = []

    def noting(name):
        original = getattr(dense, name)
        monkeypatch.setattr(dense, name, lambda *given: (calls.append(name), original(*given))[1])

    noting("narrowing_conv2d")
    noting("row_conv2d")
    return calls


@pytest.mark.parametrize(
    ("channels", "kernel", "bias", "height", "width"),
    [(3, 3, False, 12, 9), (3, 3, True, 5, 40), (3, 5, True, 3, 3), (3, 9, False, 4, 7), (8, 3, True, 1, 9),
     (3, 5, False, 1, 40)],
)  # fmt: skip
def test_values_and_gradients_are_paddles(forms, channels, kernel, bias, height, width):
    paddle.seed(kernel)
    layer = nn.Conv2D(8, channels, kernel, padding=kernel // 2, bias_attr=None if bias else False)
    rng = np.random.default_rng(kernel)
    x, gradient = (rng.standard_normal((2, c, height, width)).astype(np.float32) for c in (8, channels))
    expected = results(layer, x, gradient)
    accelerate(layer)
    found = results(layer, x, gradient)
    assert forms == ["row_conv2d" if height == 1 else "narrowing_conv2d"] and len(found) == 3 + bias
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 1, "stride": (1, 2)},
        {"kernel_size": 3, "padding": 0},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": (1, 3), "padding": (0, 1)},
        {"kernel_size": 3, "padding": 1, "groups": 2},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
        {"kernel_size": 3, "padding": 1, "out_channels": 5},
    ],
)
def test_others_are_left_as_they_are(forms, options):
    layer = nn.Conv2D(8, **{"out_channels": 4, **options})
    x = paddle.randn([1, 8, 9, 9])
    wanted = layer(x).numpy()
    accelerate(layer)
    assert np.array_equal(layer(x).numpy(), wanted)
    assert not forms


def test_a_map_that_is_small_beside_the_weights_is_left_to_paddle(forms):
    layer = nn.Conv2D(64, 4, 3, padding=1)
    accelerate(layer)
    layer(paddle.randn([1, 64, 7, 9]))
    assert not forms
    layer(paddle.randn([1, 64, 8, 8]))
    assert forms


def test_a_mismatch_has_paddles_message():
    layer = nn.Conv2D(8, 4, 3, padding=1)
    accelerate(layer)
    with pytest.raises(ValueError, match="channel"):
        layer(paddle.randn([1, 6, 9, 9]))


def test_an_export_has_paddles_own_convolution(tmp_path):
    net = nn.Sequential(nn.Conv2D(8, 4, 3, padding=1))
    accelerate(net)
    paddle.jit.save(net, str(tmp_path / "net"), input_spec=[paddle.static.InputSpec([1, 8, 16, 16], "float32")])
    operators = InferenceModel.at(tmp_path / "net").signature().operators
    assert "conv2d" in operators and "conv2d_transpose" not in operators
