"""Windows for which there is no fast kernel, as others: the same at odd sizes, and where each pass does nothing."""

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from paddle import nn  # noqa: E402
from paddle.nn import functional as F  # noqa: E402

from ppedge.program.gelu import BOUND, approximate_gelu  # noqa: E402
from ppedge.program.windows import large_windows, shifted_max, whole_windows  # noqa: E402
from program.tiny import outputs_of, program_of  # noqa: E402

ALL = (shifted_max, whole_windows, large_windows)
SHAPES = [(2, 3, height, width) for height, width in ((1, 1), (2, 9), (7, 4), (12, 13))]
FREE = (-1, 3, -1, -1)


def conv(kernel, padding, channels=3, **options):
    return lambda: {"conv": nn.Conv2D(3, channels, kernel, padding=padding, **options)}


def pooled(window=2, stride=1, padding="SAME", before=F.relu):
    return lambda net, x: F.max_pool2d(before(net.conv(x)), window, stride, padding)


@pytest.mark.parametrize("padding", ["SAME", [0, 1, 0, 1]])
def test_pooling_of_neighbours(check, padding):
    found, changes, program = check(conv(1, 0), pooled(padding=padding), [shifted_max], FREE, *SHAPES)
    assert found[-5:-1] == ["depthwise_conv2d", "elementwise_max"] * 2
    assert [one.kind for one in changes] == ["shifted-max"]
    assert shifted_max(program) == []


@pytest.mark.parametrize(
    "forward",
    [
        pooled(before=lambda x: x),  # values below zero, where a pooling sees no border
        pooled(before=F.hardswish),
        pooled(window=3),
        pooled(stride=2),
        pooled(padding=[1, 0, 1, 0]),
        lambda net, x: F.avg_pool2d(F.relu(net.conv(x)), 2, 1, "SAME"),
    ],
    ids=["linear", "hard-swish", "3x3", "stride-2", "in front", "mean"],
)
def test_other_poolings_of_neighbours_are_left(check, forward):
    assert check(conv(1, 0), forward, [shifted_max], FREE, SHAPES[2])[1] == []


@pytest.mark.parametrize("padding", ["SAME", [0, 1, 0, 1]])
def test_a_window_of_two(check, padding):
    forward = lambda net, x: F.relu(net.conv(x))  # noqa: E731
    _, changes, program = check(conv(2, padding, 5), forward, [whole_windows], FREE, *SHAPES)
    assert [(one.kind, one.where) for one in changes] == [("whole-windows", "conv2d_0.w_0")]
    assert program.shape("conv2d_0.w_0") == (5, 3, 3, 3)


@pytest.mark.parametrize("side", [7, 9])
@pytest.mark.parametrize("bias", [None, False])
def test_a_large_window(check, side, bias):
    """Each weight is in one of the four once; the bias is added once."""
    make = conv(side, side // 2, groups=3, bias_attr=bias)
    forward = lambda net, x: F.relu(net.conv(x))  # noqa: E731
    found, changes, program = check(make, forward, [large_windows], FREE, *SHAPES)
    assert found.count("depthwise_conv2d") == 4 and found.count("elementwise_add") == 3 + (bias is None)
    assert [(one.kind, one.where) for one in changes] == [("large-windows", "conv2d_0.w_0")]
    assert set(program.origins.values()) == {"conv2d_0.w_0"}
    assert all(program.shape(name) == (3, 1, 5, 5) for name in program.origins)


@pytest.mark.parametrize(
    "make",
    [
        conv(2, 0),
        conv(2, [1, 0, 1, 0]),
        conv(2, "SAME", stride=2),
        conv(3, 1),
        conv(5, 2, groups=3),
        conv(7, 3),
        conv(7, 1, groups=3),
        conv(7, 3, groups=3, stride=2),
        conv(7, 6, groups=3, dilation=2),
        conv((7, 5), (3, 2), groups=3),
    ],
)
def test_other_windows_are_left(check, make):
    forward = lambda net, x: F.relu(net.conv(x))  # noqa: E731
    assert check(make, forward, ALL, FREE, (1, 3, 14, 14))[1] == []


def test_gelu_is_within_its_bound(tmp_path):
    """At every scale, of values far beyond those that networks have."""
    make = lambda: {"conv": nn.Conv2D(1, 4, 1, bias_attr=False)}  # noqa: E731
    program = program_of(tmp_path, make, lambda net, x: F.gelu(net.conv(x)), (-1, 1, 1, -1))
    program.set_weight("conv2d_0.w_0", np.float32([0.2, 1, 4, 1e19]).reshape(4, 1, 1, 1))
    theirs = outputs_of(program, tmp_path / "before", (1, 1, 1, 50_000))[0].astype(np.float64)
    assert [one.kind for one in approximate_gelu(program)] == ["approximate-gelu"]
    difference = np.abs(outputs_of(program, tmp_path / "after", (1, 1, 1, 50_000))[0] - theirs)
    assert BOUND / 2 < difference.max() < BOUND


def test_the_tanh_form_is_left(check):
    forward = lambda net, x: F.gelu(net.conv(x), approximate=True)  # noqa: E731
    assert check(conv(1, 0), forward, [approximate_gelu], FREE, SHAPES[2])[1] == []
