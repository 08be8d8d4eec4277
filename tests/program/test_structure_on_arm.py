"""What the passes write is computed on Paddle Lite's ARM runtime as Paddle computes what was there before."""

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from paddle import nn  # noqa: E402
from paddle.nn import functional as F  # noqa: E402

from ppedge.arm import lite  # noqa: E402
from ppedge.convert.lite import to_nb  # noqa: E402
from ppedge.engines import open_engine  # noqa: E402
from ppedge.errors import PpedgeError  # noqa: E402
from ppedge.files.inference_model import InferenceModel  # noqa: E402
from ppedge.program.batch import of_one  # noqa: E402
from ppedge.program.passes import APPROXIMATE, PASSES, rewrite  # noqa: E402
from program.tiny import outputs_of, program_of, round_to_8_bits  # noqa: E402


def depthwise(kernel, stride):
    return nn.Conv2D(8, 8, kernel, stride=stride, padding=kernel // 2, groups=8)


def recogniser():
    """Strides of one side, of 7 rows; a pooling of all four that are left; a 3x3 convolution of one row."""
    return {"rows": depthwise(5, (2, 1)), "columns": depthwise(3, (1, 2)), "conv": nn.Conv2D(8, 8, 3, padding=1)}


def lines(net, x):
    x = F.hardswish(net.columns(F.relu(net.rows(x))))
    x = F.avg_pool2d(x, (4, 2))
    return net.conv(x)


def detector():
    up = {"kernel_size": 2, "stride": 2}
    return {
        "first": nn.Conv2DTranspose(8, 6, **up),
        "norm": nn.BatchNorm2D(6),
        "second": nn.Conv2DTranspose(6, 1, **up),
    }


def maps(net, x):
    x = F.interpolate(x, scale_factor=2, mode="nearest") + F.interpolate(
        F.avg_pool2d(x, 2), scale_factor=4, mode="nearest"
    )
    return F.sigmoid(net.second(F.relu(net.norm(net.first(x)))))


def affine():
    """PP-OCRv4's: a scale and a shift behind an activation, before a convolution that is padded."""
    number = lambda value: paddle.create_parameter([1], "float32", default_initializer=nn.initializer.Constant(value))  # noqa: E731
    return {
        "first": nn.Conv2D(8, 8, 1),
        "second": nn.Conv2D(8, 8, 3, padding=1),
        "scale": number(1.5),
        "shift": number(0.75),
    }


def activated(net, x):
    return net.second(net.scale * F.hardswish(net.first(x)) + net.shift)


def newest():
    """PP-OCRv6's: windows of two, a pooling of neighbours, a large kernel, GELU."""
    return {
        "first": nn.Conv2D(8, 8, 2, padding=[0, 1, 0, 1]),
        "large": nn.Conv2D(8, 8, 7, padding=3, groups=8),
        "last": nn.Conv2D(8, 8, 1),
    }


def stem(net, x):
    x = F.relu(x)
    return net.last(F.gelu(net.large(net.first(x) + F.max_pool2d(x, 2, 1, "SAME"))))


def scaled():
    return {"first": nn.Conv2D(8, 8, 1), "second": nn.Conv2D(8, 8, 3, padding=1)}


def by_itself(net, x):
    """With a ``scale`` of its own behind the activation."""
    return net.second(paddle.scale(F.hardswish(net.first(x)), 1.5, 0.75))


def crnn():
    return {
        "lstm": nn.LSTM(24, 16, num_layers=2, direction="bidirectional"),
        "last": nn.Linear(32, 8),
    }


def sequence(net, x):
    return F.softmax(net.last(net.lstm(x.squeeze(2).transpose([0, 2, 1]))[0]))


def require_runtime():
    try:
        lite.registered()
    except PpedgeError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("make", "forward", "spec", "shapes", "kinds"),
    [
        (recogniser, lines, (1, 8, 7, -1), [(1, 8, 7, width) for width in (4, 7, 16, 17, 18, 33, 80)],
         {"row-strides", "column-strides", "few-rows", "border-rows"}),
        (detector, maps, (-1, 8, -1, -1), [(1, 8, 2, 2), (1, 8, 6, 10), (1, 8, 20, 18)], {"sub-pixel", "nearest"}),
        (newest, stem, (-1, 8, -1, -1), [(1, 8, 5, 7), (1, 8, 20, 33)],
         {"shifted-max", "whole-windows", "large-windows", "approximate-gelu"}),
        (affine, activated, (-1, 8, -1, -1), [(1, 8, 6, 10)], {"one-scale"}),
        (scaled, by_itself, (-1, 8, -1, -1), [(1, 8, 6, 10)], {"one-scale"}),
        (crnn, sequence, (1, 24, 1, -1), [(1, 24, 1, width) for width in (1, 80, 7, 80, 160, 2)], {"lstm"}),
    ],
    ids=["recogniser", "detector", "newest", "affine", "scaled", "crnn"],
)  # fmt: skip
def test_on_arm(tmp_path, make, forward, spec, shapes, kinds):
    require_runtime()
    program = program_of(tmp_path / "net", make, forward, spec)
    inputs = [np.random.default_rng(1).standard_normal(shape, dtype=np.float32) for shape in shapes]
    with open_engine("paddle", tmp_path / "net" / "net.pdmodel") as engine:
        expected = [engine.run([x])[0] for x in inputs]
    assert kinds <= {change.kind for change in rewrite(program, [*PASSES, *APPROXIMATE])}
    program.write(InferenceModel.at(tmp_path / "out"))
    to_nb(tmp_path / "out", tmp_path / "out.nb", "fp32")
    with open_engine("arm-paddlelite", tmp_path / "out.nb") as engine:
        for x, theirs in zip(inputs, expected, strict=True):
            np.testing.assert_allclose(engine.run([x])[0], theirs, atol=1e-4 if "approximate-gelu" in kinds else 2e-6)


def test_an_lstm_of_any_number_of_lines_on_arm(tmp_path):
    """As PaddleOCR exports it, made one of one line: the runtime aborts on first states of a free batch."""
    require_runtime()
    program = program_of(tmp_path / "net", crnn, sequence, (-1, 24, 1, -1))
    of_one(program).write(InferenceModel.at(tmp_path / "one"))
    to_nb(tmp_path / "one", tmp_path / "one.nb", "fp32")
    with (
        open_engine("paddle", tmp_path / "net" / "net.pdmodel") as theirs,
        open_engine("arm-paddlelite", tmp_path / "one.nb") as mine,
    ):
        for width in (80, 7):
            x = np.random.default_rng(1).standard_normal((1, 24, 1, width), dtype=np.float32)
            np.testing.assert_allclose(mine.run([x])[0], theirs.run([x])[0], atol=2e-6)


def in_8_bits(folder, **options):
    """A detector's end, its transposed convolutions in 8 bits, rewritten for ARM."""
    make = lambda: {**detector(), "first": nn.Conv2DTranspose(8, 6, 2, stride=2, **options)}  # noqa: E731
    program = program_of(folder / "net", make, maps, (-1, 8, -1, -1))
    round_to_8_bits(program, ("conv2d_transpose",))
    rewrite(program, PASSES)
    return program


def test_transposed_convolutions_in_8_bits_on_arm(tmp_path):
    require_runtime()
    program, shape = in_8_bits(tmp_path), (1, 8, 6, 10)
    [theirs] = outputs_of(program, tmp_path, shape)
    to_nb(tmp_path / "out", tmp_path / "out.nb", "int8", list(program.origins))
    with open_engine("arm-paddlelite", tmp_path / "out.nb") as engine:
        [mine] = engine.run([np.random.default_rng(5).standard_normal(shape, dtype=np.float32)])
    assert np.abs(mine - theirs).max() < 1e-5 and theirs.std() > 0.005


def test_what_is_in_float_takes_another_form_among_8_bits_on_arm(tmp_path):
    """Upsampling of what a convolution in 8 bits gives, and transposed convolutions behind it."""
    require_runtime()
    make = lambda: {"before": nn.Conv2D(8, 8, 3, padding=1), **detector()}  # noqa: E731
    program = program_of(tmp_path / "net", make, lambda net, x: maps(net, net.before(x)), (1, 8, -1, -1))
    in_float = [name for name in program.weights if "transpose" in name]
    round_to_8_bits(program, ("conv2d",))
    kinds = {change.kind for change in rewrite(program, PASSES)}
    assert {"sub-pixel", "nearest"} <= kinds
    shape = (1, 8, 6, 10)
    [theirs] = outputs_of(program, tmp_path, shape)
    to_nb(tmp_path / "out", tmp_path / "out.nb", "int8", [*in_float, *program.origins])
    with open_engine("arm-paddlelite", tmp_path / "out.nb") as engine:
        [mine] = engine.run([np.random.default_rng(5).standard_normal(shape, dtype=np.float32)])
    assert np.abs(mine - theirs).max() < 1e-5 and theirs.std() > 0.005


def test_what_opt_joins_with_a_transposed_convolution_in_8_bits_is_refused(tmp_path):
    program = in_8_bits(tmp_path, bias_attr=False)
    program.write(InferenceModel.at(tmp_path / "out"))
    with pytest.raises(PpedgeError, match=r"follows conv2d_transpose_\d.w_0 with it.*computes that wrongly in 8 bits"):
        to_nb(tmp_path / "out", tmp_path / "out.nb", "int8", list(program.origins))
    assert not (tmp_path / "out.nb").exists()
