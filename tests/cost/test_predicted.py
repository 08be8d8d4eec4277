"""The shipped table against stored counts of whole networks, which took no part in making it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ppedge.cost.operators import CORES, Operation
from ppedge.cost.predicted import about, int8_gain, predict
from ppedge.errors import PpedgeError

NETWORKS = json.loads(Path(__file__).with_name("networks.json").read_text())
POINTWISE = Operation("conv2d", ((1, 64, 20, 20),), (1, 96, 20, 20), bias=True)


def operation(values):
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return Operation(**{**given, "inputs": tuple(tuple(shape) for shape in values["inputs"])})


@pytest.mark.parametrize("cpu", CORES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_predicted_within_five_percent(name, cpu):
    counted = NETWORKS[name]["counted"][cpu]
    predicted = sum(predict(operation(values), cpu) for values in NETWORKS[name]["operators"])
    assert predicted == pytest.approx(counted, rel=0.05)


def test_the_table_says_where_it_comes_from():
    assert about()["runtime"].startswith("paddlelite ")
    assert about()["points"] > 500 and 0 < about()["sweep_error"] < 0.05
    assert "families" not in about()


def test_cost_grows_with_each_side_of_a_product():
    for core in CORES:
        base = predict(POINTWISE, core)
        assert predict(replace(POINTWISE, output=(1, 192, 20, 20)), core) > 1.5 * base
        assert predict(replace(POINTWISE, inputs=((1, 128, 20, 20),)), core) > 1.5 * base
        wide = replace(POINTWISE, inputs=((1, 64, 20, 40),), output=(1, 96, 20, 40))
        assert predict(wide, core) == pytest.approx(2 * base, rel=0.1)


def test_another_precision_than_the_operations_own():
    quantized = replace(POINTWISE, precision="int8", variant="int8_out")
    for core in CORES:
        assert predict(POINTWISE, core, "int8") == predict(quantized, core)
        assert predict(quantized, core, "fp32") == predict(POINTWISE, core)
    # The dot product makes the A76's int8 the cheapest of all.
    assert predict(quantized, "cortex-a76") < 0.7 * predict(POINTWISE, "cortex-a76")


@pytest.mark.parametrize(
    ("op", "core", "told"),
    [
        (POINTWISE, "cortex-a72", "cortex-a72: the cost table has no such core"),
        (Operation("yolo_box", ((1, 3),), (1, 3)), "cortex-a53", "yolo_box: the cost table has no kernel like it"),
    ],
)
def test_what_the_table_does_not_hold(op, core, told):
    with pytest.raises(PpedgeError, match=told):
        predict(op, core)


def test_a_layer_alone_in_int8_pays_for_its_border():
    calib = Operation("calib", POINTWISE.inputs, POINTWISE.inputs[0], "int8", "fp32_to_int8")
    quantized = replace(POINTWISE, precision="int8", variant="fp32_out")
    for core in CORES:
        parts = predict(POINTWISE, core) - predict(quantized, core) - predict(calib, core)
        assert int8_gain(POINTWISE, core) == pytest.approx(parts)
    assert 0 < int8_gain(POINTWISE, "cortex-a53") < int8_gain(POINTWISE, "cortex-a76")


@pytest.mark.parametrize(
    "op",
    [
        Operation("depthwise_conv2d", ((1, 96, 4, 160),), (1, 96, 4, 160), kernel=(5, 5), groups=96, bias=True),
        Operation("conv2d", ((1, 96, 1, 1),), (1, 24, 1, 1)),  # of squeeze and excitation
        Operation("fc", ((1, 80, 96),), (1, 80, 97), bias=True),
    ],
    ids=lambda op: op.type,
)
def test_layers_that_are_dearer_in_int8(op):
    assert all(int8_gain(op, core) < 0 for core in CORES)
