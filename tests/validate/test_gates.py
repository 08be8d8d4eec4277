import json

import pytest

from ppedge.errors import GateError
from ppedge.recipe import Gates
from ppedge.validate import gates
from ppedge.validate.parity import Parity
from ppedge.validate.stage import require_passed, spread


def parity(difference=1e-5, before=0.9, after=0.9):
    return Parity("pc", "arm", 3, difference, 0.0, {"hmean": before}, {"hmean": after})


def check(limits, precision="fp32", instructions=1000, **figures):
    rows = gates.check(Gates(**limits), f"det.{precision}.onnx", precision, "hmean", parity(**figures), instructions)
    return {row.gate: row.passed for row in rows}


NONE = {"max_difference": None, "max_metric_drop": None}


@pytest.mark.parametrize(
    ("limits", "figures", "passed"),
    [
        ({}, {}, {"max_difference": True, "max_metric_drop": True}),  # those of the recipe's defaults
        (NONE, {"difference": 9.0}, {}),  # left out means not checked
        ({**NONE, "max_difference": 1e-3}, {"difference": 1e-3}, {"max_difference": True}),
        ({**NONE, "max_difference": 1e-3}, {"difference": 2e-3}, {"max_difference": False}),
        ({**NONE, "max_difference": 1e-3}, {"difference": float("inf")}, {"max_difference": False}),
        ({**NONE, "max_difference": 1e-3}, {"difference": float("nan")}, {"max_difference": False}),
        # One step of rounding may turn a whole step of int8.
        ({**NONE, "max_difference": 1e-3}, {"difference": 0.5, "precision": "int8"}, {}),
        ({**NONE, "max_metric_drop": 0.0}, {"after": 0.9}, {"max_metric_drop": True}),
        ({**NONE, "max_metric_drop": 0.0}, {"after": 0.95}, {"max_metric_drop": True}),  # better on ARM
        ({**NONE, "max_metric_drop": 0.01}, {"after": 0.88}, {"max_metric_drop": False}),
        ({**NONE, "max_metric_drop": 0.01}, {"after": 0.88, "precision": "int8"}, {"max_metric_drop": False}),
        ({**NONE, "max_instructions": 1000}, {}, {"max_instructions": True}),
        ({**NONE, "max_instructions": 999}, {}, {"max_instructions": False}),
    ],
)
def test_rows(limits, figures, passed):
    assert check(limits, **figures) == passed


def test_a_row_says_what_was_checked():
    row = gates.check(Gates(**NONE, max_instructions=10), "a.onnx", "fp32", "hmean", parity(), 11)[0]
    assert row.to_dict() == {
        "gate": "max_instructions", "model": "a.onnx", "value": 11.0, "limit": 10.0, "passed": False
    }  # fmt: skip
    json.dumps(row.to_dict(), allow_nan=False)


def test_failed_gates_are_named_with_exit_code_1(tmp_path):
    rows = [gates.Row("a", "m.onnx", 2.0, 1.0), gates.Row("b", "m.onnx", 0.5, 1.0), gates.Row("c", "n.onnx", 3.0, 1.0)]
    with pytest.raises(GateError, match=r"2 gates failed: a 2 > 1 \(m\.onnx\); c 3 > 1 \(n\.onnx\)\.") as error:
        require_passed({"gates": [row.to_dict() for row in rows]}, tmp_path)
    assert error.value.exit_code == 1
    require_passed({"gates": [rows[1].to_dict()]}, tmp_path)
    require_passed({"gates": []}, tmp_path)


@pytest.mark.parametrize(
    ("count", "limit", "chosen"), [(10, 3, [0, 3, 6]), (2, 5, [0, 1]), (4, 4, [0, 1, 2, 3]), (9, 1, [0])]
)
def test_samples_are_spread(count, limit, chosen):
    assert spread(list(range(count)), limit) == chosen
