"""The limit of a metric's drop, and what may be chance."""

import pytest

from ppedge.metrics.drop import drop_between, drop_of
from ppedge.metrics.scores import ClsMetric, RecMetric


def measured(*right):
    metric = ClsMetric()
    metric.update(["0" if one else "180" for one in right], ["0"] * len(right))
    return metric


@pytest.mark.parametrize(
    ("after", "limit", "passed", "by_chance"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1], 0.0, True, False),
        ([1, 1, 1, 1, 1, 1, 1, 0], 0.2, True, False),
        ([1, 1, 1, 1, 1, 1, 1, 0], 0.0, True, True),  # one of eight
        ([0, 0, 0, 0, 0, 0, 0, 1], 0.2, False, False),
        ([0, 0, 0, 0, 0, 0, 0, 0], 0.2, False, False),
        ([0, 0, 0, 0, 0, 0, 0, 0], None, True, False),
    ],
)
def test_a_drop_against_its_limit(after, limit, passed, by_chance):
    drop = drop_between("accuracy", measured(*[1] * 8), measured(*after), limit, seed=0)
    assert (drop.passed, drop.by_chance) == (passed, by_chance)
    assert drop.value == pytest.approx(1 - sum(after) / 8)
    assert drop_of({"drop": drop.to_dict()}) == drop


def test_a_metric_that_falls_to_nothing_is_never_chance():
    drop = drop_between("accuracy", measured(1, 0, 0, 0), measured(0, 0, 0, 0), 0.03, seed=0)
    assert drop.low == 0.0  # a quarter of the resamples lack the only line that was right
    assert not drop.passed


def test_one_sample_has_no_interval():
    drop = drop_between("accuracy", measured(1), measured(0), 0.03, seed=0)
    assert (drop.low, drop.passed, drop.note) == (None, False, "one sample: no confidence interval")


def test_a_gain_is_no_drop():
    before, after = RecMetric(), RecMetric()
    before.update(["a", "x"], ["a", "b"])
    after.update(["a", "b"], ["a", "b"])
    drop = drop_between("exact", before, after, 0.0, seed=0)
    assert (drop.value, drop.passed) == (-0.5, True)


def test_manifests_of_earlier_versions_know_no_drop():
    assert drop_of({}) is None
