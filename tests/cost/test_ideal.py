"""Ideal instructions of layers, worked out by hand."""

import json
from pathlib import Path

import pytest

from ppedge.cost.ideal import ideal, lanes
from ppedge.cost.operators import Operation

A53, A76 = "cortex-a53", "cortex-a76"


def conv(read, output, size=1, strides=1, **more):
    return Operation("conv2d", ((1, *read),), (1, *output), kernel=(size,) * 2, strides=(strides,) * 2, **more)


@pytest.mark.parametrize(
    ("op", "core", "wanted"),
    [
        # 64 * 96 * 400 multiply-adds in all.
        (conv((64, 20, 20), (96, 20, 20), bias=True, activation="relu"), A53, 614_400),
        (conv((64, 20, 20), (96, 20, 20), precision="int8"), A53, 307_200),
        (conv((64, 20, 20), (96, 20, 20), precision="int8"), A76, 153_600),
        (conv((64, 20, 20), (96, 20, 20), precision="fp16"), A76, 307_200),
        # Winograd: 4 * 5 tiles of 6x6 pixels take 64 multiplications a pair of channels, where 24 * 30 pixels took 9.
        (conv((16, 24, 30), (32, 24, 30), 3), A53, 20 * 64 * 16 * 32 / 4),
        # 3 * 4 tiles of 4x4, and of 2x2.
        (conv((8, 12, 16), (8, 12, 16), 3), A76, 12 * 36 * 64 / 4),
        (conv((8, 5, 9), (8, 5, 9), 3), A76, 15 * 16 * 64 / 4),
        # In int8 the A53 has no tiles of 6x6, the A76 no Winograd.
        (conv((16, 24, 30), (32, 24, 30), 3, precision="int8"), A53, 48 * 36 * 512 / 8),
        (conv((16, 24, 30), (32, 24, 30), 3, precision="int8"), A76, 720 * 9 * 512 / 16),
        (conv((3, 32, 32), (8, 16, 16), 3, 2), A53, 256 * 8 * 27 / 4),
        (Operation("depthwise_conv2d", ((1, 24, 8, 80),), (1, 24, 8, 80), kernel=(5, 5), groups=24), A53,
         640 * 24 * 25 / 4),
        (Operation("conv2d_transpose", ((1, 24, 40, 40),), (1, 8, 80, 80), kernel=(2, 2), strides=(2, 2)), A53,
         1600 * 24 * 8 * 4 / 4),
        (Operation("fc", ((1, 80, 96),), (1, 80, 97), bias=True), A53, 80 * 96 * 97 / 4),
        (Operation("matmul_v2", ((1, 8, 40, 15), (1, 8, 15, 40)), (1, 8, 40, 40)), A53, 8 * 40 * 15 * 40 / 4),
        # Two passes of a first layer over 96 values a step, two of a second over both states of 48.
        (Operation("rnn", ((20, 1, 96),), (20, 1, 96), hidden=48, layers=4), A53,
         20 * 4 * 48 * (2 * (96 + 48) + 2 * (96 + 48)) / 4),
        # Without multiply-adds: what is read or what is written, four values an instruction.
        (Operation("elementwise_mul", ((1,), (1, 24, 40, 40)), (1, 24, 40, 40)), A76, 38_400 / 4),
        (Operation("pool2d", ((1, 24, 40, 40),), (1, 24, 20, 20), variant="max", kernel=(2, 2), strides=(2, 2)), A53,
         38_400 / 4),
        (Operation("nearest_interp_v2", ((1, 24, 20, 20),), (1, 24, 40, 40)), A53, 38_400 / 4),
        (Operation("fill_constant", (), (1, 96)), A53, 24),
    ],
)  # fmt: skip
def test_ideal(op, core, wanted):
    assert ideal(op, core) == wanted


def test_lanes_are_those_of_the_core_not_of_its_name():
    assert [lanes("int8", core) for core in ("cortex-a53", "cortex-a72", "cortex-a76", "neoverse-n1")] == [8, 8, 16, 16]
    assert lanes("fp32", A76) == lanes("any", A76) == 4


def test_no_counted_product_of_whole_networks_is_better_than_ideal():
    kept = json.loads((Path(__file__).resolve().parents[2] / "benchmarks/cost_networks.json").read_text())
    for network in kept["networks"].values():
        for values, *counts in network["operators"]:
            given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            op = Operation(**{**given, "inputs": tuple(map(tuple, values["inputs"]))})
            if op.type in ("conv2d", "depthwise_conv2d", "conv2d_transpose", "fc", "matmul_v2", "rnn"):
                assert all(count > ideal(op, core) for core, count in zip((A53, A76), counts, strict=True)), op
