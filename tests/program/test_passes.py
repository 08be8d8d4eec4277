"""The passes of exact rewrites: each on a small network, and where each keeps its hands off."""

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from paddle.nn import functional as F  # noqa: E402

from ppedge.program.folding import fold_before, fold_behind, one_scale, plain_bias  # noqa: E402
from ppedge.program.gates import join_gates  # noqa: E402
from ppedge.program.identities import drop_dead_operators, drop_identities  # noqa: E402
from program.tiny import outputs_of, program_of, round_to_8_bits, types  # noqa: E402

ALL = (drop_dead_operators, drop_identities, fold_before, fold_behind, one_scale, join_gates)


class Scalars(paddle.nn.Layer):
    """PP-OCRv4's learnable affine block: a number on the left, and one on the right."""

    def __init__(self, scale, shift):
        super().__init__()
        for name, value in (("scale", scale), ("shift", shift)):
            setattr(self, name, self.create_parameter([1], default_initializer=paddle.nn.initializer.Constant(value)))

    def forward(self, x):
        return self.scale * x + self.shift


def conv(inputs, outputs, size=3, **options):
    return paddle.nn.Conv2D(inputs, outputs, size, **{"padding": size // 2, **options})


@pytest.fixture
def check(tmp_path):
    """Apply passes to a network, and hold the outputs against those before; return the program and the changes."""

    def run(make, forward, *passes, shape=(-1, 3, -1, -1), edit=lambda program: None):
        program = program_of(tmp_path / "net", make, forward, shape)
        edit(program)
        before = outputs_of(program, tmp_path / "before")
        changes = [change for one in passes for change in one(program)]
        for mine, theirs in zip(outputs_of(program, tmp_path / "after"), before, strict=True):
            assert np.abs(mine - theirs).max() < 1e-5 * max(1, np.abs(theirs).max())
        return program, changes

    return run


def test_all_behind_a_convolution_is_folded_into_it(check):
    def make():
        return {"conv": conv(3, 8), "norm": paddle.nn.BatchNorm2D(8), "lab": Scalars(1.5, -0.25)}

    program, changes = check(make, lambda net, x: net.lab(net.norm(net.conv(x))).tanh(), fold_before)
    assert types(program) == ["conv2d", "elementwise_add", "tanh", "scale"]
    added = program.operators[2]
    # What opt joins with the convolution: a bias of one axis.
    assert (added.get("axis"), program.shape(added.input("Y"))) == (1, (8,))
    assert [(one.kind, one.where) for one in changes] == [("fold-before", "conv2d_0.w_0")]
    assert changes[0].done == "2 elementwise_add, batch_norm, elementwise_mul into the convolution"
    assert sorted(program.weights) == ["conv2d_0.bias", "conv2d_0.w_0"]
    assert fold_before(program) == []


@pytest.mark.parametrize(("outputs", "bias"), [(8, True), (1, True), (8, False)])
def test_a_transposed_convolution_carries_its_bias_and_norm(check, outputs, bias):
    def make():
        up = paddle.nn.Conv2DTranspose(3, outputs, 2, stride=2, bias_attr=None if bias else False)
        return {"up": up, "norm": paddle.nn.BatchNorm2D(outputs)}

    program, _ = check(make, lambda net, x: F.relu(net.norm(net.up(x))), fold_before, one_scale)
    assert types(program) == ["conv2d_transpose", "elementwise_add", "relu", "scale"]


@pytest.mark.parametrize("outputs", [8, 1])
def test_a_bias_of_a_computed_filter_is_added_along_one_axis(check, outputs):
    """What `fold_before` leaves alone, as a quantized convolution."""

    def forward(net, x):
        return F.conv2d(x, net.conv.weight * 2, net.conv.bias, padding=1)

    program, changes = check(lambda: {"conv": conv(3, outputs)}, forward, plain_bias)
    assert types(program) == ["scale", "conv2d", "elementwise_add", "scale"]
    assert [one.where for one in changes] == ["conv2d_0.b_0"]
    added = next(one for one in program.operators if one.type == "elementwise_add")
    assert (added.input("Y"), added.get("axis")) == ("conv2d_0.b_0", 1)


def test_the_bias_of_a_transposed_convolution_in_8_bits_stays_apart(check):
    """Opt would join it, and the BatchNorm behind it, and computes both wrongly; of a plain convolution it does not."""

    def make():
        return {
            "conv": conv(3, 4),
            "up": paddle.nn.Conv2DTranspose(4, 8, 2, stride=2),
            "norm": paddle.nn.BatchNorm2D(8),
        }

    def edit(program):
        round_to_8_bits(program, ("conv2d", "conv2d_transpose"))

    def forward(net, x):
        return F.relu(net.norm(net.up(net.conv(x))))

    program, changes = check(make, forward, plain_bias, *ALL, edit=edit)
    assert [one.where for one in changes if one.kind == "plain-bias"] == ["conv2d_0.b_0"]
    assert types(program)[-4:] == ["reshape2", "elementwise_add", "batch_norm", "relu"]


def test_scaling_without_a_shift_leaves_no_bias(check):
    make = lambda: {"conv": conv(3, 8, bias_attr=False), "lab": Scalars(2.0, 0.0)}  # noqa: E731
    program, _ = check(make, lambda net, x: net.lab(net.conv(x)).tanh(), fold_before)
    assert types(program) == ["conv2d", "tanh", "scale"]


def test_a_filter_that_two_share_is_changed_for_one(check):
    make = lambda: {"conv": conv(3, 3, bias_attr=False), "lab": Scalars(2.0, 0.5)}  # noqa: E731
    program, _ = check(make, lambda net, x: net.lab(net.conv(F.relu(net.conv(x)))).tanh(), fold_before)
    convolutions = [one.input("Filter") for one in program.operators if one.type == "conv2d"]
    assert convolutions == ["conv2d_0.w_0", "conv2d_0.w_0.1"]
    assert program.origins["conv2d_0.w_0.1"] == "conv2d_0.w_0"


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: (y := net.conv(x)) + net.lab(y),  # two read the convolution
        lambda net, x: net.conv(x) * x.mean(),  # not a constant
        lambda net, x: net.conv(x) * net.rows,  # one for each row
        lambda net, x: net.lab(F.conv2d(x, net.conv.weight * 2, padding=1)),  # the filter is computed
        lambda net, x: net.lab(F.relu(net.conv(x))),
    ],
    ids=["two-readers", "computed", "by-row", "no-weight", "not-linear"],
)
def test_nothing_is_folded_into_the_convolution_before(check, forward):
    def make():
        rows = paddle.nn.Layer().create_parameter([9, 1], default_initializer=paddle.nn.initializer.Normal())
        return {"conv": conv(3, 3, bias_attr=False), "lab": Scalars(1.5, 0.5), "rows": rows}

    program, changes = check(make, forward, fold_before, shape=(-1, 3, 9, 14))
    assert changes == []


def test_a_norm_that_learns_from_its_inputs_is_left(check):
    def learning(program):
        norm = next(one for one in program.operators if one.type == "batch_norm")
        norm.set("is_test", False)
        norm.set("use_global_stats", False)

    make = lambda: {"conv": conv(3, 8, bias_attr=False), "norm": paddle.nn.BatchNorm2D(8)}  # noqa: E731
    program = check(make, lambda net, x: net.norm(net.conv(x)).tanh(), edit=learning)[0]
    assert fold_before(program) == []


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_what_convolutions_without_padding_read_is_folded_into_them(check, groups):
    def make():
        return {"lab": Scalars(1.5, 0.75), "norm": paddle.nn.BatchNorm2D(4), "one": conv(4, 8, 1, groups=groups),
                "two": conv(4, 4, 3, padding=0, bias_attr=False), "first": conv(3, 4)}  # fmt: skip

    def forward(net, x):
        x = net.lab(F.hardswish(net.first(x)))
        return net.one(x), F.relu(net.two(x))

    program, changes = check(make, forward, fold_before, fold_behind, drop_identities)
    first = "depthwise_conv2d" if groups == 4 else "conv2d"
    assert types(program) == [
        "conv2d", "elementwise_add", "hard_swish", first, "elementwise_add", "conv2d", "elementwise_add", "relu",
    ]  # fmt: skip
    assert sum(one.kind == "fold-behind" for one in changes) == 4


def test_constants_of_each_channel_are_folded_behind_too(check):
    def make():
        gains = paddle.nn.Layer().create_parameter([4, 1, 1], default_initializer=paddle.nn.initializer.Normal())
        return {"first": conv(3, 4), "gains": gains, "one": conv(4, 8, 3, groups=2), "up": transposed()}

    def transposed():
        return paddle.nn.Conv2DTranspose(4, 2, 2, stride=2, bias_attr=False)

    def forward(net, x):
        x = F.hardswish(net.first(x)) * net.gains
        return net.one(x), net.up(x)

    program, _ = check(make, forward, fold_before, fold_behind, drop_identities)
    assert "elementwise_mul" not in types(program)


@pytest.mark.parametrize("other", ["padded", "no-convolution"])
def test_a_shift_before_a_padded_convolution_becomes_one_scale(check, other):
    """A zero-padded convolution cannot carry a shift: at its border the padding has none."""

    def make():
        return {"first": conv(3, 4), "lab": Scalars(1.5, 0.75), "one": conv(4, 8, 1), "two": conv(4, 4, 3)}

    def forward(net, x):
        x = net.lab(F.hardswish(net.first(x)))
        return net.one(x), net.two(x) if other == "padded" else F.sigmoid(x)

    program, changes = check(make, forward, fold_before, fold_behind, one_scale)
    assert not any(one.kind == "fold-behind" for one in changes)
    # Behind an activation that opt joins with its convolution, opt would fold a scale into that convolution's weights.
    assert types(program)[2:4] == ["hard_swish", "batch_norm"] and "elementwise_mul" not in types(program)
    assert [one.done for one in changes][-1] == "elementwise_mul and elementwise_add as one batch_norm"


def test_a_constant_on_a_side_that_would_widen_the_map_is_left(check):
    """A convolution to one channel and eight constants make eight channels."""

    def make():
        gains = paddle.nn.Layer().create_parameter([8, 1, 1], default_initializer=paddle.nn.initializer.Normal())
        return {"first": conv(3, 1, bias_attr=False), "gains": gains, "last": conv(8, 2, 1)}

    program, changes = check(make, lambda net, x: net.last(net.first(x) * net.gains), fold_before, fold_behind)
    assert [one.done for one in changes] == ["elementwise_add, scale into the convolution"]
    assert "elementwise_mul" in types(program)


def test_a_gate_takes_the_map_that_is_added(check):
    def make():
        return {"first": conv(3, 4), "gate": conv(4, 4, 1)}

    def forward(net, x):
        x = net.first(x)
        return (x + x * F.sigmoid(net.gate(F.adaptive_avg_pool2d(x, 1)))).tanh()

    program, changes = check(make, forward, fold_before, join_gates)
    assert types(program)[-5:] == ["sigmoid", "scale", "elementwise_mul", "tanh", "scale"]
    assert [(one.kind, one.where) for one in changes[2:]] == [("gate", "conv2d_1.w_0")]


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, other: x + x * F.sigmoid(x),  # a gate for each value
        lambda x, other: other + x * F.sigmoid(F.adaptive_avg_pool2d(x, 1)),  # another map is added
        lambda x, other: (y := x * F.sigmoid(F.adaptive_avg_pool2d(x, 1)), x + y),  # the product is an output too
    ],
    ids=["wide", "another-map", "two-readers"],
)
def test_other_gates_are_left(check, forward):
    make = lambda: {"one": conv(3, 3, 1), "two": conv(3, 3, 1)}  # noqa: E731
    assert check(make, lambda net, x: forward(net.one(x), net.two(x)), join_gates)[1] == []


def test_identities_go(check):
    def forward(net, x):
        return paddle.assign(net.drop(net.first(x))).tanh()

    make = lambda: {"first": conv(3, 4, 1), "drop": paddle.nn.Dropout(0.3)}  # noqa: E731
    program, changes = check(make, forward, drop_identities)
    assert types(program)[-1] == "tanh" and "assign" not in types(program) and "dropout" not in types(program)
    assert [one.kind for one in changes] == ["identities"] * len(changes) and len(changes) >= 2


def test_dropout_that_scales_in_inference_is_left(check):
    make = lambda: {"first": conv(3, 4, 1), "drop": paddle.nn.Dropout(0.3, mode="downscale_in_infer")}  # noqa: E731
    program, _ = check(make, lambda net, x: net.drop(net.first(x)).tanh(), drop_identities)
    assert "dropout" in types(program)


def test_an_input_that_is_an_output_keeps_one_operator(check):
    make = lambda: {"first": conv(3, 4)}  # noqa: E731
    program, _ = check(make, lambda net, x: (paddle.assign(x), net.first(x).tanh()), *ALL)
    writer = program.writer(program.outputs[0])
    assert writer is not None and writer.type != "feed" and list(writer.reads) == program.inputs


def test_what_no_output_reads_is_dropped(check):
    def unread(program):
        program.remove(program.readers(program.outputs[1])[0])

    def forward(net, x):
        x = net.first(x)
        return x.tanh(), net.second(x)

    make = lambda: {"first": conv(3, 4), "second": conv(4, 1)}  # noqa: E731
    program, changes = check(make, forward, drop_dead_operators, edit=unread)
    assert types(program) == ["conv2d", "reshape2", "elementwise_add", "tanh", "scale"]
    assert {one.kind for one in changes} == {"dead"}
