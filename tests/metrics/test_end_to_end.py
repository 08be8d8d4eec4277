from pathlib import Path

import numpy as np
import pytest

from ppedge.data.labelled import DetSample
from ppedge.errors import PpedgeError
from ppedge.metrics.end_to_end import EndToEndMetric, measure_pipeline
from ppedge.metrics.scores import DetMetric
from ppedge.ocr.pipeline import Line


def box(left, top=0, width=10, height=10):
    return np.float32([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])


def lines(*texts_at):
    return [Line(text, 0.9, quad, 0.9) for text, quad in texts_at]


def labels(*texts_at, ignore=("###",)):
    texts, quads = [text for text, _ in texts_at], [quad for _, quad in texts_at]
    return DetSample(Path("a.jpg"), quads, texts, [text in ignore for text in texts], "labels.txt:1")


A, B, C = box(0), box(50), box(100)


@pytest.mark.parametrize(
    ("read", "sample", "expected", "why"),
    [
        (lines(("x", A)), labels(("x", A)), (1, 1), "found and read"),
        (lines(("y", A)), labels(("x", A)), (0, 0), "found and misread"),
        (lines(("x", B)), labels(("x", A)), (0, 0), "read elsewhere"),
        (lines(("x", box(0, height=20))), labels(("x", A)), (0, 0), "an IoU of exactly one half is no match"),
        ([], labels(("x", A), ("y", B)), (0, 0), "nothing found"),
        (lines(("y", A), ("x", B)), labels(("x", A), ("y", B)), (0, 0), "the right texts in each other's places"),
        (lines(("x", A), ("x", A)), labels(("x", A)), (1 / 2, 1), "one region is read once"),
        (lines(("x", A)), labels(("x", A), ("x", A)), (1, 1 / 2), "one line reads one region"),
        (lines(("y", A), ("x", A)), labels(("x", A)), (0, 0), "lines are matched by their place alone, the first one"),
        (lines(("x", A), ("z", B)), labels(("x", A), ("###", B)), (1, 1), "what lies on an ignored region"),
        (lines(("x", A), ("z", C)), labels(("x", A), ("###", B)), (1 / 2, 1), "what does not"),
        (lines(("x", A), ("z", B)), labels(("x", A), ("", B)), (1, 1), "a text that nobody knows"),
        (lines(("x", A)), labels(("x", A), ("", B)), (1, 1), "such a text, not found"),
        (lines(("", A)), labels(("x", A)), (0, 0), "read as nothing"),
    ],
)
def test_a_line_is_right_by_its_place_and_its_text(read, sample, expected, why):
    metric = EndToEndMetric()
    metric.update(read, sample)
    values = metric.figures(metric.rows().sum(axis=0))
    assert (values["precision"], values["recall"]) == pytest.approx(expected), why
    boxes = DetMetric()
    boxes.update([line.quad for line in read], sample.polygons, sample.ignore)
    assert {name: values[f"box_{name}"] for name in ("precision", "recall", "hmean")} == boxes.summary()


@pytest.mark.parametrize(
    ("normalise", "ignore", "exact"), [("strict", "", 0), ("strict", "·", 1 / 2), ("upper_alnum", "", 1)]
)
def test_texts_are_compared_as_a_recipe_says(normalise, ignore, exact):
    metric = EndToEndMetric(normalise, ignore)
    metric.update(lines(("京P·L3", A), ("京p l3", B)), labels(("京PL3", A), ("京PL3", B)))
    assert metric.figures(metric.rows().sum(axis=0))["exact"] == exact
    with pytest.raises(PpedgeError, match="No text normalisation"):
        EndToEndMetric("loose")


def test_texts_of_which_the_form_alone_is_wrong_are_counted():
    """Not among them: what is read right, a line without a region, and what the comparison is told to ignore."""
    metric = EndToEndMetric(ignore="·")
    metric.update(
        lines(("a b", A), ("Total:", B), ("x", C), ("no", box(200))), labels(("AB", A), ("TOTAL", B), ("y", C))
    )
    metric.update(lines(("a·b", A), ("c·D", B)), labels(("ab", A), ("cd", B)))
    assert metric.wrong_texts() == {"wrong": 4, "in_form": 3}
    loose = EndToEndMetric("upper_alnum")
    loose.update(lines(("a b", A), ("x", C)), labels(("AB", A), ("y", C)))
    assert loose.wrong_texts() == {"wrong": 1, "in_form": 0}


@pytest.mark.parametrize(
    ("read", "metric"), [(("AB", "ef"), "ignore_case"), (("a b", "ef"), "ignore_space"), (("AB", "e,f"), "upper_alnum")]
)
def test_the_comparison_that_forgives_least_is_named(read, metric):
    found = EndToEndMetric()
    found.update(lines((read[0], A), (read[1], B), ("x", C)), labels(("ab", A), ("ef", B), ("y", C)))
    assert found.forgiving() == metric


def test_figures_are_of_all_pictures_together():
    metric = EndToEndMetric()
    metric.update(lines(("ab", A), ("cd", B), ("e", C)), labels(("ab", A), ("cx", B)))
    metric.update([], labels(("ab", A)))
    assert metric.counts() == {"right": 1, "lines": 3, "regions": 3}
    values = {name: float(value) for name, value in metric.figures(metric.rows().sum(axis=0)).items()}
    assert values == pytest.approx(
        {"precision": 1 / 3, "recall": 1 / 3, "hmean": 1 / 3, "box_precision": 2 / 3, "box_recall": 2 / 3,
         "box_hmean": 2 / 3, "exact": 1 / 2, "ned": 3 / 4}
    )  # fmt: skip


def test_where_nothing_is_found_no_text_is_alike():
    metric = EndToEndMetric()
    metric.update([], labels(("ab", A)))
    assert not any(metric.figures(metric.rows().sum(axis=0)).values())


def test_the_worst_pictures_say_what_was_read():
    metric = EndToEndMetric()
    metric.update(lines(("ab", A)), labels(("ab", A)))
    metric.update(lines(("x", B)), labels(("x", B), ("y", C)))
    metric.update(
        lines(("ab", A), ("no", box(200)), ("z", C)), labels(("ax", A), ("lost", B), ("", box(300)), ("###", C))
    )
    first, second = metric.worst(5)
    assert [mistake.told() for mistake in first.mistakes] == [
        "ax: read as ab",
        "lost: not found",
        "a region whose text nobody knows: not found",
        "no region: no",
    ]
    assert (first.right, first.regions, second.right, second.regions) == (0, 2, 1, 2)
    assert second.to_dict()["mistakes"] == [{"label": "y", "read": None, "box": C.tolist()}]
    assert metric.worst(1)[0] is first


def test_labels_without_any_text_are_refused():
    with pytest.raises(PpedgeError, match="No region of the labels has a text"):
        measure_pipeline(lambda image: [], [labels(("", A), ("###", B))], EndToEndMetric())
