"""Passes that say the same by other operators: each on a small network, at odd sizes, and where each does nothing."""

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from paddle import nn  # noqa: E402
from paddle.nn import functional as F  # noqa: E402

from ppedge.program.border import border_rows  # noqa: E402
from ppedge.program.folding import fold_before  # noqa: E402
from ppedge.program.pools import few_rows  # noqa: E402
from ppedge.program.slices import slices  # noqa: E402
from ppedge.program.strides import column_strides, row_strides  # noqa: E402
from ppedge.program.transposed import sub_pixel  # noqa: E402
from ppedge.program.upsampling import nearest  # noqa: E402
from program.tiny import outputs_of, program_of, round_to_8_bits  # noqa: E402

ALL = (row_strides, column_strides, few_rows, sub_pixel, nearest, border_rows, slices)


def depthwise(channels, kernel, stride, **options):
    return nn.Conv2D(channels, channels, kernel, stride=stride, padding=kernel // 2, groups=channels, **options)


def normed(channels, kernel, stride, **options):
    conv = depthwise(channels, kernel, stride, bias_attr=False, **options)
    return {"conv": conv, "norm": nn.BatchNorm2D(channels)}


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("height", [12, 7, 1])
def test_every_other_row_is_kept(check, kernel, height):
    """Of an odd height too: the convolution computes a row more, which is not kept."""
    make = lambda: normed(4, kernel, (2, 1))  # noqa: E731
    forward = lambda net, x: F.hardswish(F.relu(net.norm(net.conv(x))))  # noqa: E731
    found, changes, program = check(make, forward, [row_strides], (-1, 4, height, -1), (2, 4, height, 9))
    # What opt joins with the convolution comes before the rows are dropped, the rest behind.
    assert found[1:] == ["batch_norm", "relu", "reshape2", "split", "reshape2", "hard_swish", "scale"]
    assert [(one.kind, one.where) for one in changes] == [("row-strides", "conv2d_0.w_0")]
    conv = program.operators[1]
    assert conv.get("strides") == [1, 1]
    assert conv.get("paddings") == (
        [kernel // 2] * 2 if height == 12 else [kernel // 2, kernel // 2 + 1, *[kernel // 2] * 2]
    )
    assert row_strides(program) == []


@pytest.mark.parametrize("kernel", [3, 5])
def test_every_other_column_is_kept(check, kernel):
    """The width is free: odd ones, and narrower than the kernel."""
    make = lambda: normed(4, kernel, (1, 2))  # noqa: E731
    forward = lambda net, x: net.norm(net.conv(x)).tanh()  # noqa: E731
    shapes = [(2, 4, 3, width) for width in (1, 2, 10, 21)]
    found, changes, _ = check(make, forward, [column_strides], (-1, 4, 3, -1), *shapes)
    assert found[1:] == ["batch_norm", "reshape2", "concat", "pool2d", "reshape2", "tanh", "scale"]
    assert [one.kind for one in changes] == ["column-strides"]


def test_a_stride_behind_which_a_bias_was_folded(check):
    make = lambda: normed(4, 3, (2, 1))  # noqa: E731
    forward = lambda net, x: net.norm(net.conv(x)).tanh()  # noqa: E731
    passes = [fold_before, row_strides]
    found, _, _ = check(make, forward, passes, (1, 4, 6, -1), (1, 4, 6, 9))
    assert found == ["depthwise_conv2d", "elementwise_add", "reshape2", "split", "reshape2", "tanh", "scale"]


def test_two_that_read_a_convolution_both_read_what_is_kept(check):
    make = lambda: normed(4, 3, (2, 1))  # noqa: E731
    forward = lambda net, x: net.norm(y := net.conv(x)) + y  # noqa: E731
    found, _, _ = check(make, forward, [row_strides], (1, 4, 6, -1), (1, 4, 6, 9))
    assert found[1:4] == ["reshape2", "split", "reshape2"]


@pytest.mark.parametrize(
    ("make", "height"),
    [
        (lambda: normed(4, 3, (2, 1)), -1),
        (lambda: normed(4, 3, (1, 2)), -1),
        (lambda: normed(4, 3, (2, 2)), 6),
        (lambda: normed(4, 7, (2, 1)), 6),
        (lambda: normed(4, 3, (2, 1), dilation=2), 6),
        (lambda: {"conv": nn.Conv2D(4, 4, 3, stride=(2, 1), padding=1), "norm": nn.BatchNorm2D(4)}, 6),
    ],
    ids=["free-height", "free-height-columns", "both", "7x7", "dilated", "dense"],
)
def test_other_strides_are_left(check, make, height):
    forward = lambda net, x: net.norm(net.conv(x))  # noqa: E731
    shape = (1, 4, 6, 4)
    _, changes, _ = check(make, forward, ALL, (-1, 4, height, 4), shape)
    assert changes == []


@pytest.mark.parametrize(
    ("pool", "channels", "rows", "expected"),
    [
        (lambda x: F.max_pool2d(x, 2), 4, 2, ["reshape2", "pool2d", "reshape2"]),
        (lambda x: F.avg_pool2d(x, 2), 4, 2, ["reshape2", "pool2d", "reshape2"]),
        (lambda x: F.avg_pool2d(x, 2), 3, 2, ["split", "elementwise_add", "concat", "pool2d", "scale"]),
        (lambda x: F.avg_pool2d(x, (3, 2)), 3, 3, ["split", *["elementwise_add"] * 2, "concat", "pool2d", "scale"]),
    ],
    ids=["max-2", "mean-2", "mean-2-odd-channels", "mean-3"],
)
def test_pooling_of_few_rows(check, pool, channels, rows, expected):
    make = lambda: {"conv": nn.Conv2D(channels, channels, 1)}  # noqa: E731
    shapes = [(2, channels, rows, width) for width in (2, 9, 20)]
    forward = lambda net, x: pool(net.conv(x))  # noqa: E731
    found, changes, _ = check(make, forward, [few_rows], (-1, channels, rows, -1), *shapes)
    assert found[3:-1] == expected and [one.kind for one in changes] == ["few-rows"]


@pytest.mark.parametrize(
    ("pool", "rows"),
    [
        (lambda x: F.max_pool2d(x, 2), 4),
        (lambda x: F.max_pool2d(x, 2), -1),
        (lambda x: F.max_pool2d(x, (3, 2)), 3),
        (lambda x: F.avg_pool2d(x, 2, padding=1), 2),
        (lambda x: F.max_pool2d(x, 2, stride=1), 2),
        (lambda x: F.max_pool2d(x, 2, ceil_mode=True), 2),
        (lambda x: F.adaptive_avg_pool2d(x, 1), 2),
        (lambda x: F.max_pool2d(x, (2, 1), stride=(2, 1)), 2),
    ],
    ids=["higher", "free-height", "max-3", "padded", "stride-1", "ceil", "global", "narrow"],
)
def test_other_poolings_are_left(check, pool, rows):
    make = lambda: {"conv": nn.Conv2D(4, 4, 1)}  # noqa: E731
    forward = lambda net, x: pool(net.conv(x))  # noqa: E731
    _, changes, _ = check(make, forward, ALL, (1, 4, rows, -1), (1, 4, max(rows, 2), 9))
    assert changes == []


def head(width=6, outputs=1, **options):
    """DB's, behind its first convolution."""
    up = {"stride": 2, **options}
    return {
        "conv2": nn.Conv2DTranspose(4, width, 2, **up),
        "norm2": nn.BatchNorm2D(width),
        "conv3": nn.Conv2DTranspose(width, outputs, 2, **up),
        "norm3": nn.BatchNorm2D(outputs),
    }


def plain(net, x):
    return F.sigmoid(net.conv3(F.relu(net.norm2(net.conv2(x)))))


SIZES = ((1, 4, 3, 5), (2, 4, 1, 2))


@pytest.mark.parametrize(
    ("make", "forward", "passes"),
    [
        (head, plain, [sub_pixel]),
        (head, plain, [fold_before, sub_pixel]),
        (
            lambda: head(bias_attr=False),
            lambda net, x: F.sigmoid(net.norm3(net.conv3(F.hardswish(net.conv2(x))))),
            [sub_pixel],
        ),
    ],
    ids=["as-trained", "folded", "without-biases"],
)
def test_two_transposed_convolutions_become_a_shuffle_of_pixels(check, make, forward, passes):
    found, changes, program = check(make, forward, passes, (-1, 4, -1, -1), *SIZES)
    assert [one for one in found if one not in ("relu", "hard_swish")] == [
        *["conv2d", "elementwise_add"] * 2, "pixel_shuffle", "sigmoid", "scale",
    ]  # fmt: skip
    assert (changes[-1].kind, changes[-1].where) == ("sub-pixel", "conv2d_transpose_0.w_0")
    assert set(program.origins.values()) <= {"conv2d_transpose_0.w_0", "conv2d_transpose_1.w_0"}


@pytest.mark.parametrize(
    ("make", "forward"),
    [
        (lambda: head(outputs=2), plain),
        (lambda: head(output_padding=1), plain),
        (head, lambda net, x: F.sigmoid(net.conv3(F.softmax(net.conv2(x), axis=1)))),
        (head, lambda net, x: net.conv3(y := F.relu(net.conv2(x))).mean() + y),
        (head, lambda net, x: F.relu(net.conv2(x))),
    ],
    ids=["two-outputs", "output-padding", "across-channels", "two-readers", "one-alone"],
)
def test_other_transposed_convolutions_are_left(check, make, forward):
    _, changes, _ = check(make, forward, ALL, (-1, 4, -1, -1), SIZES[0])
    assert changes == []


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (2, ["depthwise_conv2d_transpose"]),
        (4, ["conv2d", "pixel_shuffle"]),
        (8, ["conv2d", "pixel_shuffle", "depthwise_conv2d_transpose"]),
    ],
)
def test_pixels_are_repeated_by_convolutions(check, factor, expected):
    make = lambda: {"conv": nn.Conv2D(4, 3, 1)}  # noqa: E731
    forward = lambda net, x: F.interpolate(net.conv(x), scale_factor=factor, mode="nearest").tanh()  # noqa: E731
    found, changes, _ = check(make, forward, [nearest], (-1, 4, -1, -1), *SIZES)
    assert found[3:] == [*expected, "tanh", "scale"] and [one.kind for one in changes] == ["nearest"]


@pytest.mark.parametrize(
    "options",
    [
        {"scale_factor": 3, "mode": "nearest"},
        {"scale_factor": [2, 4], "mode": "nearest"},
        {"size": [6, 10], "mode": "nearest"},
        {"scale_factor": 2, "mode": "bilinear"},
    ],
    ids=["3", "two-factors", "size", "bilinear"],
)
def test_other_upsamplings_are_left(check, options):
    make = lambda: {"conv": nn.Conv2D(4, 3, 1)}  # noqa: E731
    _, changes, _ = check(make, lambda net, x: F.interpolate(net.conv(x), **options), ALL, (-1, 4, -1, -1), SIZES[0])
    assert changes == []


@pytest.mark.parametrize(
    ("conv", "rows", "kernel", "paddings"),
    [
        ({"kernel_size": 3, "padding": 1}, 1, [1, 3], [0, 0, 1, 1]),
        ({"kernel_size": 5, "padding": 2}, 2, [3, 5], [1, 1, 2, 2]),
        ({"kernel_size": 5, "padding": [3, 1, 2, 2], "stride": (2, 1)}, 1, [1, 5], [0, 0, 2, 2]),
    ],
)
def test_rows_of_a_kernel_that_see_zeros_alone_are_cut_off(check, conv, rows, kernel, paddings):
    make = lambda: {"conv": nn.Conv2D(4, 3, **conv)}  # noqa: E731
    forward = lambda net, x: net.conv(x)  # noqa: E731
    _, changes, program = check(make, forward, [border_rows], (-1, 4, rows, -1), (2, 4, rows, 9))
    made = program.operators[1]
    assert list(program.shape(made.input("Filter")))[2:] == kernel and made.get("paddings") == paddings
    assert [(one.kind, one.where) for one in changes] == [("border-rows", "conv2d_0.w_0")]


@pytest.mark.parametrize(
    ("conv", "rows"),
    [
        ({"kernel_size": 3, "padding": 1}, 2),
        ({"kernel_size": 3, "padding": 1}, -1),
        ({"kernel_size": 3, "padding": 1, "groups": 4}, 1),
        ({"kernel_size": 3, "padding": 2, "dilation": 2}, 1),
    ],
    ids=["all-seen", "free-height", "depthwise", "dilated"],
)
def test_other_kernels_are_left(check, conv, rows):
    make = lambda: {"conv": nn.Conv2D(4, 4, **conv)}  # noqa: E731
    _, changes, _ = check(make, lambda net, x: net.conv(x), ALL, (-1, 4, rows, -1), (1, 4, max(rows, 1), 9))
    assert changes == []


def attention(net, x):
    parts = net.linear(x).reshape([0, -1, 3, 2, 2]).transpose([2, 0, 3, 1, 4])
    return F.softmax(parts[0] @ parts[1].transpose([0, 1, 3, 2])) @ parts[2]


def test_slices_of_one_variable_are_taken_by_one_split(check):
    make = lambda: {"linear": nn.Linear(5, 12)}  # noqa: E731
    found, changes, _ = check(make, attention, [slices], (1, -1, 5), (1, 7, 5), (1, 1, 5))
    assert "slice" not in found and found.count("split") == 1 and found.count("squeeze2") == 3
    assert [one.kind for one in changes] == ["slices"]


@pytest.mark.parametrize(
    "cut",
    [
        lambda y: y[0:2] + y[1:3],
        lambda y: y[:, 0] + y[:, 1],
        lambda y: y[2] * 2,
        lambda y: y[-1] + y[1:2],
    ],
    ids=["two-deep", "second-axis", "one-slice", "axis-kept"],
)
def test_other_slices_are_left(check, cut):
    make = lambda: {"linear": nn.Linear(5, 6)}  # noqa: E731
    _, changes, _ = check(make, lambda net, x: cut(net.linear(x)), ALL, (3, 4, 5), (3, 4, 5))
    assert changes == []


def behind_a_convolution():
    return {"conv1": nn.Conv2D(4, 4, 3, padding=1), **head()}


def enlarged(net, x):
    return plain(net, F.interpolate(net.conv1(x), scale_factor=2))


def test_of_a_quantized_program_what_is_in_float_takes_another_form(tmp_path):
    program = program_of(tmp_path / "net", behind_a_convolution, enlarged, (1, 4, -1, -1))
    round_to_8_bits(program, {"conv2d"})
    before = outputs_of(program, tmp_path / "before", (1, 4, 6, 7))[0]
    assert [one.kind for one in (*sub_pixel(program), *nearest(program))] == ["sub-pixel", "nearest"]
    assert program.quantized and np.abs(outputs_of(program, tmp_path / "after", (1, 4, 6, 7))[0] - before).max() < 1e-6


def test_transposed_convolutions_in_8_bits_keep_their_form(tmp_path):
    program = program_of(tmp_path / "net", behind_a_convolution, enlarged, (1, 4, -1, -1))
    round_to_8_bits(program, {"conv2d_transpose"})
    assert program.quantized and sub_pixel(program) == []
