"""LSTMs as the operator of Paddle before 2.0, for which Paddle Lite has a faster kernel."""

import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from paddle import nn  # noqa: E402

from ppedge.program.recurrent import lstm  # noqa: E402

WIDTHS = [(2, 6, 1, width) for width in (1, 2, 13)]


def lines(net, x):
    """A map of one row as PP-OCR's recognisers give it to their LSTM."""
    return net.last(net.lstm(x.squeeze(2).transpose([0, 2, 1]))[0])


def encoder(**options):
    directions = 2 if options.get("direction") == "bidirectional" else 1
    return lambda: {"lstm": nn.LSTM(6, 5, **options), "last": nn.Linear(5 * directions, 3)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_layers": 2, "direction": "bidirectional"}, [*["mul", "lstm"] * 2, "concat"] * 2),
        ({"num_layers": 2}, ["mul", "lstm"] * 2),
        ({"direction": "bidirectional"}, [*["mul", "lstm"] * 2, "concat"]),
    ],
    ids=["two-layers", "forward", "one-layer"],
)
def test_an_lstm_goes_layer_by_layer(check, options, expected):
    """Of one column too, and of two lines at once, each of which begins anew."""
    found, changes, program = check(encoder(**options), lines, [lstm], (2, 6, 1, -1), *WIDTHS)
    assert found == ["im2sequence", *expected, "reshape2", "matmul_v2", "elementwise_add", "scale"]
    assert [(one.kind, one.where) for one in changes] == [("lstm", "lstm_cell_0.w_0")]
    assert not [name for name in program.weights if name.startswith("lstm_cell") and name.endswith(("_0", "_1"))]
    assert lstm(program) == []


def with_its_end(net, x):
    """The last state is read as well."""
    made, (hidden, _) = net.lstm(x.squeeze(2).transpose([0, 2, 1]))
    return net.last(made) + net.last(hidden.transpose([1, 0, 2]))


def begun(net, x):
    """It does not begin with zeros."""
    state = paddle.full([1, 2, 5], 0.5)
    return net.last(net.lstm(x.squeeze(2).transpose([0, 2, 1]), (state, state))[0])


def of_higher_maps(net, x):
    """The rows of a map, not its columns."""
    return net.last(net.lstm(x.squeeze(3).transpose([0, 2, 1]))[0])


@pytest.mark.parametrize(
    ("make", "forward", "spec", "shape"),
    [
        (encoder(), with_its_end, (2, 6, 1, -1), (2, 6, 1, 4)),
        (encoder(), begun, (2, 6, 1, -1), (2, 6, 1, 4)),
        (encoder(), of_higher_maps, (2, 6, -1, 1), (2, 6, 4, 1)),
        (encoder(), lines, (-1, 6, 1, -1), (2, 6, 1, 4)),
        (lambda: {"lstm": nn.GRU(6, 5), "last": nn.Linear(5, 3)}, lines, (2, 6, 1, -1), (2, 6, 1, 4)),
    ],
    ids=["read-at-its-end", "begun", "rows", "free-batch", "gru"],
)
def test_others_are_left(check, make, forward, spec, shape):
    _, changes, _ = check(make, forward, [lstm], spec, shape)
    assert changes == []
