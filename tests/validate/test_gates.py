import json
from dataclasses import replace

import numpy as np
import pytest

from ppedge.data.source import spread
from ppedge.errors import GateError
from ppedge.metrics.agreement import BoxAgreement, TextAgreement
from ppedge.metrics.bootstrap import Measured
from ppedge.metrics.drop import Drop
from ppedge.metrics.tensors import TensorParity
from ppedge.ocr.ctc import Text
from ppedge.ocr.db import Box
from ppedge.recipe.road import Gates
from ppedge.validate import gates
from ppedge.validate.parity import Parity, Shape
from ppedge.validate.stage import require_passed

QUAD = np.array([[0, 0], [99, 0], [99, 99], [0, 99]], np.float32)


def parity(task="det", *, difference=1e-5, shape_difference=1e-5, drop=0.0, wrong=0, broken=0, repeats=0):
    """Figures of ten boxes or lines, of which ``wrong`` differ."""
    if task == "det":
        agreement = BoxAgreement()
        for k in range(10):
            agreement.add([Box(QUAD, 0.9)], [Box(QUAD + 50 * (k < wrong), 0.9)])
    else:
        agreement = TextAgreement()
        for k in range(10):
            agreement.add("a", Text("a", 0.9), Text("b" if k < wrong else "a", 0.9))
    return Parity(
        "pc", "arm", 10, 10,
        TensorParity(difference, 0.0, 1.0, 60.0),
        agreement,
        "hmean",
        {"hmean": 0.9},
        {"hmean": 0.9 - drop},
        {"hmean": Measured(-drop, -drop - 0.02, -drop + 0.01)},
        Measured(0.9 - drop, 0.5, 1.0),
        [Shape("first", (1, 3, 32, 32), TensorParity(shape_difference, 0.0, 1.0, 60.0))],
        repeats,
        broken,
    )  # fmt: skip


def check(limits, precision="fp32", task="det", **figures):
    rows = gates.check_parity(Gates(**{**NONE, **limits}), "m.onnx", precision, "cortex-a53", parity(task, **figures))
    return {row.gate: row.passed for row in rows}


NONE = {"max_difference": None, "max_metric_drop": None, "min_found": None}
ALWAYS = {"broken_outputs": True, "repeat_differences": True}


@pytest.mark.parametrize(
    ("limits", "figures", "passed"),
    [
        ({}, {"difference": 9.0, "drop": 1.0, "wrong": 10}, {}),  # left out means not checked
        ({}, {"broken": 1}, {"broken_outputs": False}),
        ({}, {"repeats": 1}, {"repeat_differences": False}),
        ({"max_difference": 1e-3}, {"difference": 1e-3}, {"max_difference": True}),
        ({"max_difference": 1e-3}, {"difference": 2e-3}, {"max_difference": False}),
        ({"max_difference": 1e-3}, {"shape_difference": 2e-3}, {"max_difference": False}),
        ({"max_difference": 1e-3}, {"difference": float("inf")}, {"max_difference": False}),
        ({"max_difference": 1e-3}, {"difference": float("nan")}, {"max_difference": False}),
        # One step of rounding may turn a whole step of int8.
        ({"max_difference": 1e-3}, {"difference": 0.5, "precision": "int8"}, {}),
        ({"max_metric_drop": 0.0}, {}, {"max_metric_drop": True}),
        ({"max_metric_drop": 0.0}, {"drop": -0.05}, {"max_metric_drop": True}),  # better on ARM
        ({"max_metric_drop": 0.01}, {"drop": 0.02}, {"max_metric_drop": False}),  # from 0.01 to 0.04
        ({"max_metric_drop": 0.01}, {"drop": 0.02, "precision": "int8"}, {"max_metric_drop": False}),
        ({"max_metric_drop": 0.005}, {"drop": 0.01}, {"max_metric_drop": True}),  # from 0 to 0.03: it may be chance
        ({"max_metric_drop": 0.005}, {"drop": 0.011}, {"max_metric_drop": False}),
        ({"min_found": 10}, {"wrong": 10}, {"min_found": True}),  # of the PC alone
        ({"min_found": 11}, {}, {"min_found": False}),
        ({"min_found": 11}, {"task": "rec"}, {"min_found": False}),
        ({"min_box_agreement": 0.9}, {"wrong": 1}, {"min_box_agreement": True}),
        ({"min_box_agreement": 0.9}, {"wrong": 2}, {"min_box_agreement": False}),
        ({"min_box_agreement": 1.0}, {"wrong": 2, "task": "rec"}, {}),  # not a recogniser's
        ({"min_string_agreement": 0.9}, {"wrong": 1, "task": "rec"}, {"min_string_agreement": True}),
        ({"min_string_agreement": 0.9}, {"wrong": 2, "task": "rec"}, {"min_string_agreement": False}),
        ({"min_string_agreement": 1.0}, {"wrong": 2}, {}),  # not a detector's
    ],
)
def test_parity(limits, figures, passed):
    assert check(limits, **figures) == {**ALWAYS, **passed}


@pytest.mark.parametrize(
    ("limits", "baseline", "passed"),
    [
        ({}, 3000, {}),
        ({"max_instructions": 2000}, 3000, {"max_instructions": True}),
        ({"max_instructions": 1999}, 3000, {"max_instructions": False}),
        ({"min_speedup": 1.5}, 3000, {"min_speedup": True}),
        ({"min_speedup": 1.6}, 3000, {"min_speedup": False}),
        ({"min_speedup": 0.1}, None, {"min_speedup": False}),  # nothing to compare with
    ],
)
def test_cost(limits, baseline, passed):
    rows = gates.check_cost(Gates(**{**NONE, **limits}), "m.onnx", "cortex-a53", 2000, baseline)
    assert {row.gate: row.passed for row in rows} == passed
    json.dumps([row.to_dict() for row in rows], allow_nan=False)


def test_the_interval_stands_beside_the_drop():
    rows = gates.check_parity(Gates(), "m.onnx", "fp32", "cortex-a53", parity(drop=0.02))
    (row,) = [row.to_dict() for row in rows if row.gate == "max_metric_drop"]
    assert row == {
        "gate": "max_metric_drop", "model": "m.onnx", "cpu": "cortex-a53", "value": 0.02, "limit": 0.005,
        "note": "95% interval +0.0100 to +0.0400", "by_chance": False, "passed": False,
    }  # fmt: skip
    assert gates.told(row) == ("max_metric_drop 0.02 > 0.005 (m.onnx on cortex-a53; 95% interval +0.0100 to +0.0400)")


def test_a_drop_that_may_be_chance_passes_and_says_so():
    rows = gates.check_parity(Gates(), "m.onnx", "int8", "cortex-a53", parity(drop=0.01))
    (row,) = [row.to_dict() for row in rows if row.gate == "max_metric_drop"]
    assert row["by_chance"] and row["passed"]
    note = "95% interval +0.0000 to +0.0300: may be chance"
    assert gates.told(row) == f"max_metric_drop 0.01 > 0.005 (m.onnx on cortex-a53; {note})"


def test_two_engines_that_find_nothing_do_not_agree():
    nothing = parity()
    nothing.agreement.__init__()
    (row,) = [r for r in gates.check_parity(Gates(), "m.onnx", "int8", "cortex-a53", nothing) if r.gate == "min_found"]
    assert not row.passed
    assert gates.told(row.to_dict()) == "min_found 0 < 1 (m.onnx on cortex-a53; boxes that the PC finds)"


def test_what_slimming_lost_is_a_gate_of_the_report():
    drop = Drop("hmean", 0.7, 0.2, 0.5, 0.4, 0.6, 0.03)
    (row,) = gates.check_slimming(drop)
    assert gates.told(row.to_dict()) == (
        "slim.max_metric_drop 0.5 > 0.03 (slim; hmean 0.7000 as trained, 0.2000 slimmed; "
        "95% interval +0.4000 to +0.6000)"
    )
    assert gates.check_slimming(replace(drop, limit=None)) == gates.check_slimming(None) == []


def test_a_row_in_words():
    def told(*row):
        return gates.told(gates.Row(*row).to_dict())

    assert told("min_speedup", "m.nb", "cortex-a53", 1.2, 1.5) == "min_speedup 1.2 < 1.5 (m.nb on cortex-a53)"
    assert told("min_speedup", "m.nb", "cortex-a53", 1.6, 1.5) == "min_speedup 1.6 >= 1.5 (m.nb on cortex-a53)"
    assert told("max_nb_bytes", "m.nb", None, 10.0, 20.0) == "max_nb_bytes 10 <= 20 (m.nb)"
    assert told("max_nb_bytes", "m.nb", None, 2228000.0, 2e6) == "max_nb_bytes 2,228,000 > 2,000,000 (m.nb)"
    assert told("max_x", "m.nb", None, 0.0100000001, 0.01) == "max_x 0.0100000001 > 0.01 (m.nb)"
    assert told("max_x", "m.nb", None, float("nan"), 20.0) == "max_x not finite > 20 (m.nb)"


def test_failed_gates_are_named_with_exit_code_1(tmp_path):
    rows = [gates.Row(gate, "m.onnx", "cortex-a53", value, 1.0) for gate, value in (("max_a", 2), ("min_b", 2))]
    rows.append(gates.Row("max_metric_drop", "n.onnx", "cortex-a76", 3.0, 1.0, "one sample"))
    with pytest.raises(GateError) as error:
        require_passed({"gates": [row.to_dict() for row in rows]}, tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: 2 gates failed: max_a 2 > 1 (m.onnx on cortex-a53); "
        "max_metric_drop 3 > 1 (n.onnx on cortex-a76; one sample). "
        "More pictures (--limit) narrow the interval of a metric's drop. See report.json, or change validate.gates."
    )
    assert error.value.exit_code == 1
    rows.append(gates.Row(gates.SLIMMING, "slim", None, 0.5, 0.03))
    with pytest.raises(GateError, match=r"change validate\.gates and slim\.max_metric_drop\.$"):
        require_passed({"gates": [row.to_dict() for row in rows]}, tmp_path)
    require_passed({"gates": [rows[1].to_dict()]}, tmp_path)
    require_passed({"gates": []}, tmp_path)


@pytest.mark.parametrize(
    ("count", "limit", "chosen"), [(10, 3, [0, 3, 6]), (2, 5, [0, 1]), (4, 4, [0, 1, 2, 3]), (9, 1, [0])]
)
def test_samples_are_spread(count, limit, chosen):
    assert spread(list(range(count)), limit) == chosen
