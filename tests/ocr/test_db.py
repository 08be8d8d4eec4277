import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppedge.errors import PpedgeError
from ppedge.ocr.db import boxes_from_map
from ppedge.ocr.geometry import offset_polygon, order_quad
from ppedge.ocr.spec import DbPostprocess

SIZE = (200, 300)


def drawn(*rectangles, value=0.9):
    """A map with filled rectangles (x, y, width, height)."""
    probability = np.zeros(SIZE, np.float32)
    for x, y, width, height in rectangles:
        probability[y : y + height, x : x + width] = value
    return probability


def grown_rectangle(x, y, width, height, ratio=1.5):
    """Corners of a drawn rectangle after growing, by the formula; the contour runs through its outermost pixels."""
    width, height = width - 1, height - 1
    d = width * height * ratio / (2 * (width + height))
    left, top, right, bottom = x - d, y - d, x + width + d, y + height + d
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def test_drawn_rectangles_come_back_grown():
    rectangles = [(50, 40, 100, 20), (200, 100, 40, 12)]
    boxes = sorted(boxes_from_map(drawn(*rectangles), SIZE, DbPostprocess()), key=lambda box: box.quad[0, 1])
    assert len(boxes) == 2
    for box, rectangle in zip(boxes, rectangles, strict=True):
        np.testing.assert_allclose(box.quad, grown_rectangle(*rectangle), atol=1e-3)
        assert box.quad.dtype == np.float32
        assert box.score == pytest.approx(0.9, abs=1e-6)


@settings(deadline=None)
@given(st.floats(20, 90), st.floats(6, 19), st.floats(0, 180))
def test_growing_in_closed_form_is_clipper_and_minimum_rectangle(width, height, angle):
    probability = np.zeros(SIZE, np.float32)
    cv2.fillPoly(probability, [np.rint(cv2.boxPoints(((150, 100), (width, height), angle))).astype(np.int32)], 1.0)
    (box,) = boxes_from_map(probability, SIZE, DbPostprocess())
    contour = cv2.findContours((probability > 0.3).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0][0]
    centre, (across, along), turn = cv2.minAreaRect(contour)
    distance = across * along * 1.5 / (2 * (across + along))
    (grown,) = offset_polygon(cv2.boxPoints((centre, (across, along), turn)), distance)
    expected = cv2.boxPoints(cv2.minAreaRect(grown))
    np.testing.assert_allclose(box.quad, order_quad(expected), atol=0.5)


def test_boxes_are_in_pixels_of_the_picture_and_inside_it():
    (box,) = boxes_from_map(drawn((0, 0, 100, 20)), (SIZE[0] * 2, SIZE[1] * 3), DbPostprocess())
    expected = np.clip(grown_rectangle(0, 0, 100, 20), 0, None) * [3, 2]
    np.testing.assert_allclose(box.quad, expected, rtol=1e-5)
    assert box.quad.min() == 0


@pytest.mark.parametrize(
    ("probability", "spec", "boxes", "why"),
    [
        (drawn(), {}, 0, "an empty map"),
        (drawn((10, 10, 50, 20), value=0.3), {"box_thresh": 0.1}, 0, "a pixel equal to thresh is not text"),
        (drawn((10, 10, 50, 20), value=0.5), {}, 0, "text, but the mean is below box_thresh"),
        (drawn((10, 10, 50, 20), value=0.5), {"box_thresh": 0.4}, 1, "the same, above it"),
        (drawn((10, 10, 50, 3)), {}, 0, "its side, through pixels' centres, is 2"),
        (drawn((10, 10, 50, 4)), {}, 1, "3, and grown above 5"),
        (drawn((10, 10, 4, 4)), {"unclip_ratio": 1.0}, 0, "3 before, but 4.5 after growing"),
        (
            drawn((10, 10, 50, 20), (10, 50, 50, 20), (10, 90, 50, 20)),
            {"max_candidates": 2},
            2,
            "only two are looked at",
        ),
        (drawn((10, 10, 50, 3)), {"dilation": True}, 1, "one pixel more"),
        (np.ones(SIZE, np.float32), {}, 1, "all text"),
        (np.full(SIZE, np.nan, np.float32), {}, 0, "a broken network draws nothing"),
    ],
)
def test_limits(probability, spec, boxes, why):
    assert len(boxes_from_map(probability, SIZE, DbPostprocess(**spec))) == boxes, why


def test_slow_score_looks_inside_the_contour_only():
    probability = np.zeros(SIZE, np.float32)
    cv2.fillPoly(probability, [np.array([[50, 50], [150, 50], [50, 120]], np.int32)], 1.0)
    spec = {"box_thresh": 0.1}
    (fast,) = boxes_from_map(probability, SIZE, DbPostprocess(score_mode="fast", **spec))
    (slow,) = boxes_from_map(probability, SIZE, DbPostprocess(score_mode="slow", **spec))
    assert slow.score == pytest.approx(1)
    assert fast.score == pytest.approx(0.5, abs=0.02)
    np.testing.assert_array_equal(fast.quad, slow.quad)


def test_a_box_that_is_no_pixel_of_a_tiny_picture_is_dropped():
    assert boxes_from_map(drawn((10, 10, 50, 6)), (10, 15), DbPostprocess()) == []


def test_other_shapes_are_errors():
    with pytest.raises(PpedgeError, match="shape"):
        boxes_from_map(np.zeros((1, 8, 8), np.float32), SIZE, DbPostprocess())
