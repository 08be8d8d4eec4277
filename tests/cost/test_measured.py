"""Rows of a trace, names of rows, and the real runtime where there is one."""

import pytest

from ppedge.arm import lite
from ppedge.cost.measured import measure_operators, turns
from ppedge.errors import MissingError
from ppedge.files.naming import named
from ppedge.files.nb import Operator


def piece(place, total):
    return place, {"total": total, "load": total // 2}


# A loop that is entered three times, passes over the first operator, and runs two; a piece begins at its place.
TRACE = [piece(None, 5), piece(0, 7), piece(8, 1), piece(40, 1), piece(8, 2), piece(20, 100), piece(32, 3),
         piece(8, 2), piece(20, 50), piece(32, 4), piece(44, 9)]  # fmt: skip


def test_one_row_an_operator_and_nothing_is_lost():
    before, rows = turns(TRACE, 2)
    assert [row["total"] for row in rows] == [100 + 3 + 2, 50 + 4 + 9]
    assert before["total"] + sum(row["total"] for row in rows) == sum(counts["total"] for _, counts in TRACE)
    assert before["load"] + sum(row["load"] for row in rows) == sum(counts["load"] for _, counts in TRACE)


def test_a_loop_that_turns_otherwise_is_refused():
    with pytest.raises(ValueError, match=r"4 operators, but its blocks were entered \[1, 2, 3\] times"):
        turns(TRACE, 4)
    with pytest.raises(ValueError, match=r"entered \[\] times"):
        turns([piece(None, 5)], 1)


def test_names():
    def op(**inputs):
        return Operator("x", inputs, {}, {}, None)

    operators = [op(Input=["x"]), op(Filter=["conv2d_0.w_0"]), op(X=["t"]), op(WeightList=["lstm.w_0", "lstm.w_1"])]
    names = named(operators, {"conv2d_0.w_0": "backbone.conv1.conv"})
    assert names == ["", "backbone.conv1.conv", "after backbone.conv1.conv", "lstm.w_0"]


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a76"])
def test_the_rows_of_the_real_runtime_sum_to_the_whole(cpu):
    try:
        lite.registered()
    except MissingError as error:
        pytest.skip(str(error))
    shape = (1, 2, 24, 24)
    measured = measure_operators(lite.SELFTEST, cpu, shape)
    assert [op.type for op in measured.operators] == ["conv2d", "reshape2", "fusion_elementwise_add_activation"]
    assert measured.rest["total"] < 0.2 * measured.total  # of so small a network the call itself is a part
    assert measured.instructions[0]["fma"] > 1000

    from ppedge.cost.report import cost_of

    report = cost_of(lite.SELFTEST, cpu, shape)
    assert sum(row["instructions"] for row in report["operators"]) == report["instructions"] == measured.total
