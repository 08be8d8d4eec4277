import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppedge.errors import PpedgeError
from ppedge.ocr import geometry
from ppedge.ocr.geometry import (
    crop_quad,
    offset_polygon,
    order_quad,
    order_quads,
    polygon_area,
    reading_order,
)

angles = st.floats(-180, 180)
sides = st.floats(5, 500)
places = st.floats(-100, 2000)


@st.composite
def rectangles(draw):
    return (draw(places), draw(places)), (draw(sides), draw(sides)), draw(angles)


def signed_area(quad):
    x, y = quad.T.astype(float)
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@given(rectangles())
def test_area_of_a_rectangle(rectangle):
    _, (width, height), _ = rectangle
    corners = cv2.boxPoints(rectangle)
    assert polygon_area(corners) == pytest.approx(width * height, rel=1e-3)
    assert polygon_area(corners[::-1]) == pytest.approx(polygon_area(corners))


@given(rectangles(), st.permutations(range(4)))
def test_order_does_not_depend_on_the_order_given(rectangle, permutation):
    corners = cv2.boxPoints(rectangle)
    ordered = order_quad(corners[permutation])
    np.testing.assert_array_equal(ordered, order_quad(corners))
    assert signed_area(ordered) > 0, "clockwise on the screen is a positive area with y down"
    assert sorted(map(tuple, ordered)) == sorted(map(tuple, corners))


@given(rectangles())
def test_the_first_corner_is_the_upper_of_the_two_leftmost(rectangle):
    ordered = order_quad(cv2.boxPoints(rectangle))
    left = sorted(map(tuple, ordered))[:2]
    assert tuple(ordered[0]) == min(left, key=lambda point: (point[1], point[0]))


@pytest.mark.parametrize(
    ("quad", "why"),
    [
        ([[0, 0], [9, 0], [9, 4], [0, 4]], "upright"),
        ([[0, 0], [9, 3], [9, 7], [0, 4]], "sheared"),
        ([[1, 1], [10, 9], [9, 30], [0, 2]], "its left pair lies above both right corners"),
        ([[5, 0], [10, 5], [5, 10], [0, 5]], "a diamond: ties in x and y"),
    ],
)
def test_order_of_quads_that_are_no_rectangles(quad, why):
    for permuted in itertools.permutations(quad):
        np.testing.assert_array_equal(order_quad(permuted), quad, err_msg=why)


def test_many_quads_at_once_are_as_one_by_one():
    rng = np.random.default_rng(0)
    quads = [cv2.boxPoints(((50, 50), (30, 10), float(angle)))[rng.permutation(4)] for angle in range(0, 180, 7)]
    np.testing.assert_array_equal(order_quads(quads), [order_quad(quad) for quad in quads])
    assert order_quads([]).shape == (0, 4, 2)


@given(rectangles(), st.floats(0.1, 3))
def test_growing_a_rectangle_adds_the_distance_on_every_side(rectangle, ratio):
    centre, (width, height), angle = rectangle
    distance = width * height * ratio / (2 * (width + height))
    (grown,) = offset_polygon(cv2.boxPoints(rectangle), distance)
    along = np.deg2rad(angle)
    turned = (grown - centre) @ np.array([[np.cos(along), -np.sin(along)], [np.sin(along), np.cos(along)]])
    assert np.ptp(turned, axis=0) == pytest.approx((width + 2 * distance, height + 2 * distance), abs=0.05)


def test_shrinking_can_leave_nothing_or_split():
    square = [[0, 0], [10, 0], [10, 10], [0, 10]]
    assert polygon_area(offset_polygon(square, -2)[0]) == pytest.approx(36, abs=0.1)
    assert offset_polygon(square, -5.1) == []
    dumbbell = [
        [0, 0],
        [10, 0],
        [10, 4],
        [20, 4],
        [20, 0],
        [30, 0],
        [30, 10],
        [20, 10],
        [20, 6],
        [10, 6],
        [10, 10],
        [0, 10],
    ]
    assert len(offset_polygon(dumbbell, -1.5)) == 2


def test_what_has_no_area_has_no_offset():
    for flat in ([[3, 3]] * 4, [[0, 0], [10, 0], [10, 0], [0, 0]]):
        assert offset_polygon(flat, 2) == []


def test_an_upright_crop_is_the_slice():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    crop = crop_quad(image, [[10, 5], [50, 5], [50, 25], [10, 25]])
    np.testing.assert_array_equal(crop, image[5:25, 10:50])


def test_a_turned_crop_finds_the_rectangle_again():
    pattern = np.zeros((20, 60, 3), np.uint8)
    pattern[:, :30] = (255, 0, 0)
    pattern[10:, 30:] = (0, 255, 0)
    quad = order_quad(cv2.boxPoints(((60, 60), (60, 20), 25.0)))
    corners = np.array([[0, 0], [60, 0], [60, 20], [0, 20]], np.float32)
    image = cv2.warpPerspective(pattern, cv2.getPerspectiveTransform(corners, quad), (120, 120))
    crop = crop_quad(image, quad)
    assert abs(crop.shape[0] - 20) <= 1 and abs(crop.shape[1] - 60) <= 1
    assert crop[10, 15].tolist() == [255, 0, 0]
    assert crop[15, 45].tolist() == [0, 255, 0]
    assert crop[4, 45].tolist() == [0, 0, 0]


def test_a_quad_whose_sides_meet_in_the_origin_shows_what_it_holds():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    quad = np.float32([[0, 10], [10, 0], [20, 0], [0, 20]])
    elsewhere = cv2.copyMakeBorder(image, 7, 0, 5, 0, cv2.BORDER_REPLICATE)
    crop, wanted = crop_quad(image, quad), crop_quad(elsewhere, quad + np.float32([5, 7]))
    assert crop.std() > 20
    np.testing.assert_allclose(crop.astype(int), wanted, atol=2)


def test_a_tall_crop_is_turned_counter_clockwise():
    image = np.zeros((60, 20, 3), np.uint8)
    image[:20] = 255
    crop = crop_quad(image, [[0, 0], [20, 0], [20, 60], [0, 60]])
    assert crop.shape == (20, 60, 3)
    assert (crop[:, :20] == 255).all(), "what was on top is on the left"
    assert (crop[:, 20:] == 0).all()


def test_a_crop_below_the_limit_is_not_turned():
    image = np.zeros((60, 60, 3), np.uint8)
    assert crop_quad(image, [[0, 0], [40, 0], [40, 59], [0, 59]]).shape == (59, 40, 3)
    assert crop_quad(image, [[0, 0], [40, 0], [40, 60], [0, 60]]).shape == (40, 60, 3)


def test_beyond_the_picture_its_edge_is_repeated():
    image = np.full((10, 10, 3), 77, np.uint8)
    assert (crop_quad(image, [[-5, -5], [15, -5], [15, 15], [-5, 15]]) == 77).all()


def test_a_quad_without_a_pixel_is_an_error():
    with pytest.raises(PpedgeError, match="less than one pixel"):
        crop_quad(np.zeros((10, 10, 3), np.uint8), [[1, 1], [5, 1], [5, 1.5], [1, 1.5]])


def quad_at(x, y):
    return [[x, y], [x + 20, y], [x + 20, y + 8], [x, y + 8]]


@pytest.mark.parametrize(
    ("corners", "order", "why"),
    [
        ([], [], "nothing"),
        ([(0, 50), (0, 0)], [1, 0], "from top to bottom"),
        ([(50, 0), (0, 3)], [1, 0], "one line: from left to right, though the left one is lower"),
        ([(50, 0), (0, geometry.SAME_LINE)], [0, 1], "just below: the next line"),
        ([(0, 18), (60, 9), (120, 0)], [1, 2, 0], "a line does not creep downwards: 18 is too far from its first quad"),
        ([(5, 0), (5, 0)], [0, 1], "equal quads keep their order"),
    ],
)
def test_reading_order(corners, order, why):
    assert reading_order([quad_at(x, y) for x, y in corners]) == order, why
