"""The files in ``benchmarks`` that the shipped table comes from."""

import json
from pathlib import Path

import pytest

from ppedge.cost.operators import Operation
from ppedge.cost.predicted import TABLE

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CONVOLUTION = Operation("conv2d", ((1, 3, 8, 8),), (1, 4, 4, 4), kernel=(3, 3), strides=(2, 2), weight="w")


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_an_operation_comes_back_without_its_weights_name(scripts):
    from cost_store import compact, operation

    values = compact(CONVOLUTION)
    assert set(values) == {"type", "inputs", "output", "kernel", "strides"}
    assert operation(json.loads(json.dumps(values))) == Operation(
        "conv2d", ((1, 3, 8, 8),), (1, 4, 4, 4), kernel=(3, 3), strides=(2, 2)
    )


@pytest.mark.parametrize("name", ["cost_points.json", "cost_networks.json"])
def test_what_is_committed_is_what_the_scripts_write(scripts, tmp_path, name):
    from cost_store import write_rows

    write_rows(tmp_path / name, json.loads((BENCHMARKS / name).read_text()))
    assert (tmp_path / name).read_text() == (BENCHMARKS / name).read_text()


def test_one_point_a_line(scripts, tmp_path):
    from cost_store import write_rows

    write_rows(tmp_path / "a.json", {"runtime": "r", "points": {"a": [[{"type": "relu"}, 1], [{}, 2]], "b": []}})
    text = (tmp_path / "a.json").read_text()
    assert text == '{"runtime":"r",\n"points":{"a":[[{"type":"relu"},1],\n[{},2]],\n"b":[]}}\n'


@pytest.mark.parametrize("family", ["calib.int8.fp32_to_int8.cortex-a53", "columns2.int8.cortex-a76"])
def test_the_table_is_fitted_to_the_points(scripts, family):
    from cost_fit import families, fit

    points = json.loads((BENCHMARKS / "cost_points.json").read_text())
    table = json.loads(TABLE.read_text())
    rows = families(points)[family]
    shipped = table["families"][family]
    assert (table["runtime"], shipped["points"]) == (points["runtime"], len(rows))
    fresh = fit(rows)
    for terms, *_ in rows:
        costs = [
            sum(factor * terms.get(name, 0.0) for name, factor in each.items()) for each in (fresh, shipped["factors"])
        ]
        assert costs[0] == pytest.approx(costs[1], rel=1e-3)


@pytest.mark.parametrize(
    ("read", "written", "window", "stride", "found"),
    [
        (10, 10, 3, 1, [9, 10, 9]),
        (10, 5, 3, 2, [4, 5, 5]),  # the picture ends where the last window does
        (11, 6, 3, 2, [5, 6, 5]),
        (4, 2, 5, 2, [1, 1, 2, 2, 1]),
        (3, 1, 3, 3, [1, 1, 1]),
    ],
)
def test_how_often_a_place_of_a_window_meets_the_picture(read, written, window, stride, found):
    from ppedge.cost.convolutions import inside

    assert inside(read, written, window, stride) == found
