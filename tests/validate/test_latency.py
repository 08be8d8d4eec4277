"""Estimated milliseconds: the shipped costs are what the rows and counts give, and nothing is told without its band."""

import importlib.util
import sys
from pathlib import Path

import pytest

from ppedge.storage import read_json
from ppedge.validate import latency

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/latency_fit.py"


@pytest.fixture(scope="module")
def fitting():
    spec = importlib.util.spec_from_file_location("latency_fit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["latency_fit"] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["latency_fit"]


@pytest.fixture(scope="module")
def data():
    return read_json(latency.DATA)


def row(fitting, instructions, file_bytes, cycles, network="net", kind="core"):
    counts = {"total": instructions}
    return fitting.Row(network, "fp32", "chip", kind, 1.0, cycles / 1e6, counts, file_bytes)


def test_the_shipped_costs_errors_and_band_are_those_of_the_rows_and_counts(fitting, data):
    assert fitting.fitted(data) == data


def test_every_published_row_lies_within_the_band(data):
    for section in ("rows", "checks"):
        for model, times in data[section].items():
            counts = data["counts"][model]
            for cpu in latency.EMULATED:
                for found in latency.estimates(cpu, counts[cpu]["total"], counts["bytes"]):
                    published = times.get(found.soc, found.milliseconds)
                    assert 1 / latency.band() < found.milliseconds / published < latency.band(), (model, found)


def test_the_band_is_no_tighter_than_the_worst_row_left_out(data):
    assert latency.band() >= max(data["errors"][name]["worst"] for name in ("row", "network", "checks"))
    assert latency.band() <= 1.5, "no milliseconds are printed if the model is worse than this"


def test_the_kernels_with_dot_product_were_counted_on_the_a76_alone(data):
    for model, counts in data["counts"].items():
        used = {cpu: counts[cpu]["dot"] > 0 for cpu in latency.EMULATED}
        assert used == {"cortex-a53": False, "cortex-a72": False, "cortex-a76": model.endswith("int8")}


def test_a_fit_finds_the_costs_that_made_the_rows(fitting):
    rows = [row(fitting, n, b, 2.0 * n + 0.5 * b) for n, b in [(100, 7), (250, 90), (40, 300)]]
    assert fitting.fit(rows, fitting.FORMS[fitting.SHIPPED]) == pytest.approx([2.0, 0.5])


def test_a_cost_is_never_negative(fitting):
    rows = [row(fitting, n, b, 2.0 * n - 0.5 * b) for n, b in [(100, 7), (250, 90), (400, 300)]]
    costs = fitting.fit(rows, fitting.FORMS[fitting.SHIPPED])
    assert costs.min() == 0.0
    assert costs[0] > 0.0


def test_a_row_left_out_is_estimated_from_the_others_alone(fitting):
    shapes = [("a", 100, 7), ("a", 250, 90), ("b", 40, 300), ("c", 80, 10), ("d", 60, 60)]
    rows = [row(fitting, n, b, (2.0 * n + 0.5 * b) * (3 if name == "b" else 1), name) for name, n, b in shapes]
    features, schemes = fitting.FORMS[fitting.SHIPPED], fitting.SCHEMES
    ratios = {r.network: ratio for r, ratio in fitting.left_out(rows, features, schemes["row"])}
    assert ratios["b"] == pytest.approx(1 / 3)
    # The other rows see that one row, so they are not met; without it every row would be.
    assert ratios["d"] != pytest.approx(1.0, rel=0.05)
    assert not fitting.left_out(rows, features, schemes["soc"]), "no other chip has such cores"
    kept = [r for r in rows if r.network != "b"]
    assert [ratio for _, ratio in fitting.left_out(kept, features, schemes["network"])] == pytest.approx([1.0] * 4)


def test_errors_count_the_same_in_both_directions(fitting):
    error = fitting.summary([2.0, 0.5, 1.0])
    assert error == {"rows": 3, "geometric_mean": round(4 ** (1 / 3), 3), "percentile_90": 2.0, "worst": 2.0}


def test_an_estimate_is_for_phones_whose_kernels_the_core_runs():
    found = {e.soc: e for e in latency.estimates("cortex-a76", 148_600_000, 2_349_286)}
    assert set(found) == {"Snapdragon 865", "Snapdragon 855", "Kirin 990", "Kirin 980"}
    assert found["Snapdragon 865"].core == "Cortex-A77"
    # The same core at another clock rate takes the longer the slower it is.
    assert found["Kirin 980"].milliseconds / found["Snapdragon 855"].milliseconds == pytest.approx(2.84 / 2.6)
    assert latency.estimates("neoverse-n1", 148_600_000, 2_349_286) == []


def test_an_estimate_grows_with_instructions_and_with_weights():
    times = [latency.estimates("cortex-a53", n, b)[0].milliseconds for n, b in [(10**8, 10**6), (2 * 10**8, 10**6)]]
    more_weights = latency.estimates("cortex-a53", 10**8, 10**7)[0].milliseconds
    assert times[0] < times[1] < 2 * times[0]
    assert more_weights > times[0]


@pytest.mark.parametrize(("engine", "cpu"), [("onnxruntime", "cortex-a76"), ("paddlelite", "max")])
def test_nothing_is_estimated_for_another_engine_or_an_unknown_core(engine, cpu):
    assert latency.report(engine, cpu, 10**8, 10**6) is None


def test_the_band_stands_beside_the_estimates():
    estimated = latency.report("paddlelite", "cortex-a76", 148_600_000, 2_349_286)
    line = latency.told({**estimated, "phones": [{**estimated["phones"][0], "milliseconds": 1234.5}]})
    assert line == "estimated, one thread, x1.5 either way: Snapdragon 865 (Cortex-A77) 1200 ms"
