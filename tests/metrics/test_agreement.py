import numpy as np
import pytest

from ppedge.metrics.agreement import BoxAgreement, TextAgreement, match_boxes
from ppedge.ocr.ctc import Text
from ppedge.ocr.db import Box


def square(x, y=0.0, side=100.0):
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], np.float32)


def boxes(*quads):
    return [Box(quad, 0.9) for quad in quads]


@pytest.mark.parametrize(
    ("first", "second", "pairs", "why"),
    [
        ([], [], [], "nothing found on either side"),
        ([square(0)], [], [], "found on one side only"),
        ([square(0), square(500)], [square(500), square(0)], [(0, 1), (1, 0)], "the order does not matter"),
        ([square(0)], [square(5)], [(0, 0)], "IoU 95 / 105"),
        ([square(0)], [square(6)], [], "IoU 94 / 106"),
        ([square(0)], [square(2), square(1)], [(0, 1)], "the best overlap is taken, once"),
        ([square(0), square(2)], [square(1.5)], [(1, 0)], "in either list"),
        ([square(0)], [square(0)[[2, 3, 0, 1]]], [(0, 0)], "corners may start elsewhere"),
    ],
)
def test_matching(first, second, pairs, why):
    assert match_boxes(first, second) == pairs, why


def test_boxes_that_only_one_side_finds():
    agreement = BoxAgreement()
    agreement.add(boxes(square(0)), boxes(square(0)))
    agreement.add(boxes(square(0), square(300)), boxes(square(300), square(0, 200), square(700)))
    agreement.add([], [])
    assert agreement.to_dict() == {"share": 4 / 7, "reference": 3, "candidate": 4, "matched": 2}
    (different,) = agreement.different
    assert different.sample == 1
    assert different.to_dict() == {"reference": 2, "candidate": 3, "matched": 1}
    np.testing.assert_array_equal(different.both, [square(300)])
    np.testing.assert_array_equal(different.reference, [square(0)])
    np.testing.assert_array_equal(different.candidate, [square(0, 200), square(700)])


def test_nothing_found_is_no_agreement():
    assert BoxAgreement().share == TextAgreement().share == 0.0
    agreement = TextAgreement()
    agreement.add("AB", Text("", 0.0), Text("", 0.0))
    assert (agreement.share, agreement.found) == (1.0, 0)


def test_strings():
    agreement = TextAgreement()
    agreement.add("AB", Text("AB", 0.9), Text("AB", 0.1))  # scores may differ
    agreement.add("AB", Text("A", 0.9), Text("AB", 0.8))
    agreement.add("ab", Text("ab", 0.9), Text("a b", float("nan")))  # nothing is normalised
    assert agreement.to_dict() == {"share": pytest.approx(1 / 3), "lines": 3, "found": 3, "equal": 1}
    assert [one.sample for one in agreement.different] == [1, 2]
    assert agreement.different[1].to_dict() == {
        "label": "ab", "reference": {"text": "ab", "score": 0.9}, "candidate": {"text": "a b", "score": None}
    }  # fmt: skip
