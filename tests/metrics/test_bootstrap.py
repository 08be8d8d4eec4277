import numpy as np
import pytest

from ppedge.metrics.bootstrap import intervals, paired_differences
from ppedge.metrics.scores import DetMetric, RecMetric


def lines(exact):
    """Rows of a recogniser's metric: 1, equal or not, distance."""
    exact = np.asarray(exact, float)
    return np.stack([np.ones_like(exact), exact, 1 - exact], axis=1)


def test_equal_sides_leave_no_doubt():
    rows = lines([1, 0, 1, 1])
    for found in paired_differences(RecMetric.figures, rows, rows, seed=0).values():
        assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_interval_is_that_of_the_differences_mean():
    """Of N paired differences of 0 or -1 the mean's standard error is sqrt(p (1 - p) / N)."""
    count, share = 400, 0.1
    before, after = np.ones(count), np.arange(count) >= share * count
    found = paired_differences(RecMetric.figures, lines(before), lines(after), seed=0)["exact"]
    error = np.sqrt(share * (1 - share) / count)
    assert found.value == pytest.approx(-share)
    assert found.low == pytest.approx(-share - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(-share + 1.96 * error, abs=0.3 * error)


def test_samples_are_drawn_in_pairs():
    """Two metrics that are unsure themselves may differ by a sure amount."""
    rng = np.random.default_rng(0)
    before = np.stack([np.ones(50), np.zeros(50), rng.random(50)], axis=1)
    after = before + np.array([0, 0, 0.1])
    found = paired_differences(RecMetric.figures, before, after, seed=0)["ned"]
    assert found.low == pytest.approx(-0.1)
    assert found.high == pytest.approx(-0.1)


def test_a_detector_s_figures_are_summed_before_they_are_divided():
    """One picture with many boxes weighs more than one with few."""
    before = np.array([[90, 100, 100], [1, 1, 1]])
    after = np.array([[90, 100, 100], [0, 1, 1]])
    found = paired_differences(DetMetric.figures, before, after, seed=0)["hmean"]
    assert found.value == pytest.approx(180 / 202 - 182 / 202)
    assert found.low == pytest.approx(-1.0)  # the small picture twice
    assert found.high == 0.0  # the large picture twice


def test_the_seed_decides():
    before, after = lines([1] * 20), lines([1] * 15 + [0] * 5)
    first, again, other = (paired_differences(RecMetric.figures, before, after, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["exact"].value == other["exact"].value


def test_one_sample_has_no_interval():
    found = paired_differences(RecMetric.figures, lines([1]), lines([0]), seed=0)["exact"]
    assert found.to_dict() == {"value": -1.0, "low": None, "high": None}


@pytest.mark.parametrize(("before", "after", "why"), [([], [], "no sample"), ([1, 0], [1], "cannot be paired")])
def test_rows_that_are_no_pairs(before, after, why):
    with pytest.raises(ValueError, match=why):
        paired_differences(RecMetric.figures, lines(before), lines(after), seed=0)


def test_a_metric_has_an_interval_of_its_own():
    """Of N lines with a share p exact the standard error is sqrt(p (1 - p) / N)."""
    found = intervals(RecMetric.figures, lines(np.arange(400) >= 40), seed=0)["exact"]
    error = np.sqrt(0.9 * 0.1 / 400)
    assert found.value == pytest.approx(0.9)
    assert found.low == pytest.approx(0.9 - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(0.9 + 1.96 * error, abs=0.3 * error)


def test_figures_of_rows_are_the_summary():
    metric = RecMetric()
    metric.update(["ab", "b"], ["ab", "a"])
    assert {name: float(v) for name, v in RecMetric.figures(metric.rows().sum(axis=0)).items()} == metric.summary()
    assert metric.rows().tolist() == [[1, 1, 0], [1, 0, 1]]
    det = DetMetric()
    quad = [[0, 0], [9, 0], [9, 9], [0, 9]]
    det.update([quad], [quad, [[50, 0], [60, 0], [60, 9], [50, 9]]], [False, False])
    det.update([quad], [quad], [True])  # ignored: counts on neither side
    assert det.rows().tolist() == [[1, 1, 2], [0, 0, 0]]
