"""How little a figure of few samples says."""

from pathlib import Path

import numpy as np
import pytest

from ppedge.data.labelled import DetSample, RecSample
from ppedge.metrics.bootstrap import Measured
from ppedge.metrics.few import FEW, few, few_of, figures_of, told
from ppedge.metrics.scores import ClsMetric, DetMetric, RecMetric


def lines(right, wrong):
    metric = RecMetric()
    metric.update(["a"] * (right + wrong), ["a"] * right + ["b"] * wrong)
    return metric


def crops(count, pictures=None):
    """Lines: each a picture, or each cut out of one of so many pictures."""
    if pictures is None:
        return [RecSample(Path(f"{k}.png"), "a", "labels.txt:1") for k in range(count)]
    return [RecSample(Path(f"{k % pictures}.png"), "a", "labels.txt:1", np.zeros((4, 2))) for k in range(count)]


def test_a_figure_stands_with_its_interval():
    exact = figures_of(lines(8, 2), crops(10))["exact"]
    assert (exact.value, round(exact.low, 1), round(exact.high, 1)) == (0.8, 0.5, 1.0)
    assert told(exact) == f"0.8000 ({exact.low:.3f} to {exact.high:.3f})"
    assert told(figures_of(lines(1, 0), crops(1))["exact"]) == "1.0000"


def test_few_lines_are_told_with_what_they_say_and_what_to_do():
    exact = figures_of(lines(8, 2), crops(10))["exact"]
    assert few_of("rec", "test", lines(8, 2), crops(10)) == (
        f"note: 10 lines of data.test say little: exact is 0.8000, and as many others of their kind may well give "
        f"{exact.low:.3f} to {exact.high:.3f} (95% interval); name more lines in data.test"
    )
    assert few_of("rec", "eval", lines(1, 0), crops(1)).startswith("note: 1 lines of data.eval say little of exact; ")


@pytest.mark.parametrize(("right", "wrong", "told"), [(0, 6, "0.000 to 0.390"), (6, 0, "0.610 to 1.000")])
def test_samples_that_are_all_alike_are_not_taken_for_sure(right, wrong, told):
    assert f"may well give {told} (95% interval)" in few_of("rec", "test", lines(right, wrong), crops(6))


@pytest.mark.parametrize("task", FEW)
def test_enough_samples_need_no_word(task):
    figure = Measured(0.5, 0.4, 0.6)
    assert few(task, "data.test", FEW[task], figure, "") is None and few(task, "data.test", FEW[task] - 1, figure, "")


def test_a_detectors_pictures_and_a_classifiers_lines_are_counted():
    square = [[0, 0], [10, 0], [10, 10], [0, 10]]
    detector, classifier = DetMetric(), ClsMetric()
    pages = [DetSample(Path(f"{name}.png"), [square], ["a"], [False], "labels.txt:1") for name in "abc"]
    for _ in range(3):
        detector.update([square], [square], [False])
    classifier.update(["0", "180"] * 4, ["0", "0"] * 4)
    assert few_of("det", "test", detector, pages).startswith(
        "note: 3 pictures of data.test say little: hmean is 1.0000"
    )
    assert few_of("cls", "test", classifier, crops(8)).startswith(
        "note: 8 lines, upright and turned, of data.test say little: acc"
    )


def test_lines_of_one_picture_are_drawn_together():
    """Of 20 pictures, in half of which all lines are wrong, others may be a half away: not so of 400 pictures."""
    metric = RecMetric()
    metric.update(["a"] * 400, ["a", "b"] * 200)  # by turns, as the pictures are
    apart, together = (figures_of(metric, crops(400, pictures))["exact"] for pictures in (None, 20))
    assert apart.value == together.value == 0.5
    assert apart.high - apart.low == pytest.approx(2 * 1.96 * (0.25 / 400) ** 0.5, rel=0.1)
    assert together.high - together.low == pytest.approx(2 * 1.96 * (0.25 / 20) ** 0.5, rel=0.1)
    named = [RecSample(Path(f"lines/{k % 20}_crop_{k // 20}.png"), "a", "labels.txt:1") for k in range(400)]
    assert figures_of(metric, named)["exact"] == together


def test_figures_are_of_the_samples_that_were_taken_in():
    with pytest.raises(ValueError, match="a metric of 10 samples, and 9 samples"):
        figures_of(lines(8, 2), crops(9))


def test_many_lines_of_few_pictures_are_few():
    metric = lines(150, 11)
    exact = figures_of(metric, crops(161, pictures=3))["exact"]
    assert few_of("rec", "eval", metric, crops(161, pictures=3)) == (
        f"note: 161 lines of 3 pictures of data.eval say little: exact is 0.9317, and as many others of their kind may "
        f"well give {exact.low:.3f} to {exact.high:.3f} (95% interval); name more pictures in data.eval"
    )
    assert few_of("rec", "eval", metric, crops(161, pictures=30)) is None
    assert few_of("rec", "eval", metric, crops(161)) is None
    told = few_of("rec", "eval", lines(36, 4), crops(40, pictures=35))
    assert told.startswith("note: 40 lines of data.eval say little: exact")
