"""Rewrites of quantized programs: what differs because other values are rounded up stays, a fault does not."""

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from ppedge.convert.rewriting import runner  # noqa: E402
from ppedge.program.passes import LIMIT  # noqa: E402
from ppedge.program.rounding import Expected, largest_difference, without_rounding  # noqa: E402
from program.tiny import program_of, round_to_8_bits  # noqa: E402


def chain(net, x):
    for layer in (net.one, net.two, net.three):
        x = paddle.nn.functional.relu(layer(x))
    return net.last(x)


@pytest.fixture(scope="module")
def run():
    """Run a program as rewriting does, on one picture."""
    x = np.random.default_rng(5).standard_normal((1, 3, 24, 32), dtype=np.float32)
    return runner([x], "int8")


@pytest.fixture(scope="module")
def float_program(tmp_path_factory):
    def make():
        conv = paddle.nn.Conv2D
        return {"one": conv(3, 16, 3), "two": conv(16, 16, 3), "three": conv(16, 16, 3), "last": conv(16, 1, 1)}

    return program_of(tmp_path_factory.mktemp("chain"), make, chain)


@pytest.fixture(scope="module")
def program(float_program):
    quantized = float_program.copy()
    round_to_8_bits(quantized, {"conv2d"})
    return quantized


@pytest.fixture(scope="module")
def expected(program, run):
    return Expected(program, run)


def moved(program, by):
    """Move the first layer's bias."""
    other = program.copy()
    name = min(name for name in other.weights if name.endswith(".b_0"))
    other.set_weight(name, other.weights[name] + np.float32(by))
    return other


def test_without_rounding_a_program_computes_what_its_weights_say(program, float_program, run):
    assert program.quantized and not any("moving" in one.type for one in without_rounding(program).operators)
    whole = float_program.copy()
    levels = run(without_rounding(program))
    for name in [name for name in whole.weights if name.endswith(".w_0")]:
        steps = np.abs(whole.weights[name]).max(axis=(1, 2, 3), keepdims=True) / 127
        whole.set_weight(name, (np.round(whole.weights[name] / steps) * steps).astype(np.float32))
    assert largest_difference(levels, run(whole), 0)[0] < 1e-4
    assert program.quantized  # the program itself stays


def test_other_roundings_are_no_fault(program, expected, run):
    other = moved(program, 3e-5)
    flipped, allowed = largest_difference(run(other), run(program), LIMIT)
    difference, refused = expected.judge(other, LIMIT)
    assert flipped > 3 * allowed  # what a comparison of the outputs alone would refuse
    assert refused == "" and 0 < difference < LIMIT


def test_a_fault_is_one_with_and_without_rounding(program, expected):
    difference, refused = expected.judge(moved(program, 0.01), LIMIT)
    assert refused == f"an output would differ by {difference:.2g}" and difference > LIMIT


def test_values_that_are_clipped_otherwise_are_a_fault(program, expected, run):
    other = program.copy()
    scales = [name for name in other.weights if name.endswith(".scale")]
    for name in scales:
        other.set_weight(name, np.array([0.7], np.float32))
    assert largest_difference(run(without_rounding(other)), run(without_rounding(program)), 0)[0] == 0
    refused = expected.judge(other, LIMIT)[1]
    assert refused.startswith("8 bits would cost ") and refused.endswith(" times the error that they do")


def test_a_float_program_is_held_to_the_limit(float_program, run):
    expected = Expected(float_program, run)
    assert expected.judge(moved(float_program, 3e-5), LIMIT)[1] == ""
    assert "would differ by" in expected.judge(moved(float_program, 1e-2), LIMIT)[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_a_fault(program, expected, value):
    assert "would differ by" in expected.judge(moved(program, value), LIMIT)[1]
