from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppedge.cli.end_to_end import TextMetric
from ppedge.errors import PpedgeError
from ppedge.metrics.scores import NORMALISERS, ClsMetric, DetMetric, RecMetric
from ppedge.recipe.road import Recipe


def box(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


UNIT = box(0, 0, 10, 10)
FAR = box(100, 100, 110, 110)


@pytest.mark.parametrize(
    ("detections", "regions", "ignored", "expected", "why"),
    [
        ([UNIT], [UNIT], [False], (1, 1), "the same"),
        ([UNIT[::-1]], [UNIT], [False], (1, 1), "whichever way it runs"),
        ([], [UNIT], [False], (0, 0), "nothing found"),
        ([UNIT], [], [], (0, 0), "nothing there"),
        ([UNIT, FAR], [UNIT], [False], (1 / 2, 1), "one too many"),
        ([UNIT], [UNIT, FAR], [False, False], (1, 1 / 2), "one missed"),
        ([box(0, 0, 10, 20)], [UNIT], [False], (0, 0), "an IoU of exactly one half is no match"),
        ([box(0, 0, 10, 19)], [UNIT], [False], (1, 1), "an IoU just above it is"),
        ([UNIT, UNIT], [UNIT], [False], (1 / 2, 1), "a region is matched once"),
        ([UNIT], [UNIT, UNIT], [False, False], (1, 1 / 2), "a detection is matched once"),
        ([UNIT, UNIT], [UNIT, UNIT], [False, False], (1, 1), "the second region takes the one that is free"),
        (
            [box(0, 0, 10, 15), UNIT],
            [UNIT, box(0, 0, 10, 25)],
            [False, False],
            (1 / 2, 1 / 2),
            "greedy in index order: the first region takes the first detection that fits, not the better one, "
            "which leaves for the second region a detection that does not fit",
        ),
        ([UNIT], [UNIT], [True], (0, 0), "an ignored region and what lies in it do not count"),
        ([UNIT, FAR], [UNIT, FAR], [True, False], (1, 1), "nor do they spoil the rest"),
        ([box(0, 0, 4, 4)], [UNIT], [True], (0, 0), "a small detection inside an ignored region: IoU is not asked for"),
        ([box(0, 0, 10, 20), FAR], [UNIT, FAR], [True, False], (1 / 2, 1), "exactly half inside: it counts"),
        ([box(0, 0, 10, 19), FAR], [UNIT, FAR], [True, False], (1, 1), "more than half inside: it does not"),
        (
            [box(0, 0, 20, 10), FAR],
            [box(0, 0, 9, 10), box(9, 0, 18, 10), FAR],
            [True, True, False],
            (1 / 2, 1),
            "two ignored regions are not added up",
        ),
        ([UNIT], [UNIT, UNIT], [True, False], (0, 0), "ignoring comes before matching"),
        ([[[0, 0], [10, 0], [10, 10], [5, 12], [0, 10]]], [UNIT], [False], (1, 1), "polygons of any number of corners"),
        ([[[0, 0], [10, 10], [10, 0], [0, 10]]], [UNIT], [False], (0, 0), "a bow-tie has the area of its two halves"),
    ],
)
def test_detection(detections, regions, ignored, expected, why):
    metric = DetMetric()
    metric.update(detections, regions, ignored)
    summary = metric.summary()
    assert (summary["precision"], summary["recall"]) == pytest.approx(expected), why


def test_detection_counts_over_the_corpus_not_over_pictures():
    metric = DetMetric()
    metric.update([UNIT], [UNIT], [False])
    metric.update([UNIT, UNIT, FAR], [UNIT, box(50, 0, 60, 10)], [False, False])
    assert metric.summary() == pytest.approx({"precision": 2 / 4, "recall": 2 / 3, "hmean": 4 / 7})


def test_a_picture_with_nothing_in_it_is_a_picture():
    metric = DetMetric()
    metric.update([], [], [])
    assert metric.summary() == {"precision": 0.0, "recall": 0.0, "hmean": 0.0}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12, unique=True), st.randoms())
def test_finding_exactly_what_is_there_is_perfect_in_any_order(cells, random):
    regions = [box(30 * x, 15 * y, 30 * x + 29, 15 * y + 14) for x, y in cells]
    detections = random.sample(regions, len(regions))
    metric = DetMetric()
    metric.update(detections, regions, [False] * len(regions))
    assert metric.summary() == {"precision": 1, "recall": 1, "hmean": 1}


@pytest.mark.parametrize(
    ("normalise", "predictions", "targets", "expected", "why"),
    [
        ("strict", ["abc"], ["abc"], (1, 1), "the same"),
        ("strict", ["abc"], ["ABC"], (0, 0), "case counts"),
        ("strict", ["abcd"], ["abxd"], (0, 3 / 4), "one substitution in four"),
        ("strict", ["ab"], ["abcd"], (0, 1 / 2), "divided by the longer one"),
        ("strict", ["abcd"], ["ab"], (0, 1 / 2), "whichever it is"),
        ("strict", [""], ["ab"], (0, 0), "nothing read"),
        ("strict", [""], [""], (1, 1), "nothing to read"),
        ("strict", ["a b"], ["ab"], (0, 2 / 3), "spaces count"),
        ("strict", ["ab", "xy"], ["ab", "xz"], (1 / 2, 3 / 4), "the mean of pairs, not of characters"),
        ("ignore_space", ["a b "], [" ab"], (1, 1), "spaces do not count"),
        ("ignore_space", ["aB"], ["ab"], (0, 1 / 2), "case still does"),
        ("ignore_case", ["Total: É"], ["tOTAL: é"], (1, 1), "either case of a letter is the same"),
        ("ignore_case", ["a b", "a-b"], ["AB", "AB"], (0, 2 / 3), "spaces and punctuation still count"),
        ("upper_alnum", ["a-b 1."], ["AB1"], (1, 1), "letters and digits only, upper-cased"),
        ("upper_alnum", ["粤b1"], ["粤B1"], (1, 1), "letters of any script are letters"),
        ("upper_alnum", ["--"], ["!!"], (1, 1), "nothing left on both sides"),
    ],
)
def test_recognition(normalise, predictions, targets, expected, why):
    metric = RecMetric(normalise)
    metric.update(predictions, targets)
    summary = metric.summary()
    assert (summary["exact"], summary["ned"]) == pytest.approx(expected), why


def test_recipes_and_bundles_are_measured_by_any_normalisation():
    of_recipes = Recipe.model_fields["metric"].annotation
    assert list(get_args(of_recipes)) == list(get_args(TextMetric)) == list(NORMALISERS)


def test_ignored_characters_are_left_out_of_both_texts_before_all_else():
    metric = RecMetric("ignore_space", "·-")
    metric.update(["京P·L3N67", "a -b", "·"], ["京PL3N67", "a·b", "x"])
    assert metric.summary() == pytest.approx({"exact": 2 / 3, "ned": 2 / 3})


@pytest.mark.parametrize(
    ("metric", "sample"), [(DetMetric(), ([], [], [])), (RecMetric(), (["a"], ["b"])), (ClsMetric(), (["0"], ["180"]))]
)
def test_a_metric_of_nothing_raises_and_reset_gets_there(metric, sample):
    with pytest.raises(PpedgeError, match="There are no"):
        metric.summary()
    metric.update(*sample)
    metric.summary()
    metric.reset()
    with pytest.raises(PpedgeError, match="There are no"):
        metric.summary()


def test_updates_add_up():
    parts, whole = RecMetric(), RecMetric()
    parts.update(["a"], ["a"])
    parts.update(["b", "cd"], ["x", "cx"])
    whole.update(["a", "b", "cd"], ["a", "x", "cx"])
    assert parts.summary() == whole.summary()


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="1 regions but 0"):
        DetMetric().update([], [UNIT], [])
    with pytest.raises(ValueError, match="1 predictions but 0"):
        RecMetric().update(["a"], [])
    with pytest.raises(ValueError, match="shorter"):
        ClsMetric().update(["0"], [])


def test_an_unknown_normalisation_names_the_known_ones():
    with pytest.raises(PpedgeError, match="ignore_space"):
        RecMetric("lower")


def test_accuracy_is_the_share_of_right_directions():
    metric = ClsMetric()
    metric.update(["0", "180", "0"], ["0", "180", "180"])
    metric.update(["180"], ["0"])
    assert metric.summary() == {"accuracy": 0.5}
    assert metric.rows().tolist() == [[1, 1], [1, 1], [1, 0], [1, 0]]
