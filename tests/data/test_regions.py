import math

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ppedge.data.regions import RegionError, cover, drawn_as_stored, fit, fit_all, polygon_of, quad_of, quads_of
from ppedge.ocr.geometry import crop_quad, perspective
from ppedge.ocr.image_file import PictureSize

SIZE = PictureSize(160, 90)
BOX = [[20, 10], [100, 10], [100, 40], [20, 40]]
STRIPES = np.indices((90, 160)).sum(axis=0).astype(np.uint8)[..., None].repeat(3, axis=2)


def polygon(points):
    return np.array(points, np.float32)


def signed_area(points):
    x, y = np.asarray(points, np.float64).T
    return (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_quads_that_are_read_at_once_are_those_read_one_by_one():
    outlines = [BOX, [[0.1, -2], [1e5 / 3, 0], [999_999.9, 7.25], [1, 1]]]
    at_once = quads_of(outlines)
    assert len(at_once) == 2 and all(quad.dtype == np.float32 for quad in at_once)
    np.testing.assert_array_equal(at_once, [polygon_of(points) for points in outlines])


@pytest.mark.parametrize(
    "points",
    [[*BOX, [20, 20]], BOX[:3], [], None, [*BOX[:3], [20, 40, 1]], [*BOX[:3], (20, 40)], [*BOX[:3], "20"],
     [*BOX[:3], [20, True]], [*BOX[:3], [20, "1"]], [*BOX[:3], [20, math.nan]], [*BOX[:3], [20, -math.inf]],
     [*BOX[:3], [20, 10**400]], [*BOX[:3], [20, 1e40]], [*BOX[:3], [1e6, 0]]],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_where_one_is_no_quad_they_are_to_be_read_one_by_one(points):
    assert quads_of([BOX, points, BOX]) is None


@pytest.mark.parametrize("first", range(4))
def test_a_counter_clockwise_quad_is_turned_round(first):
    region = fit(np.roll(polygon(BOX)[::-1], first, axis=0), SIZE)
    assert region.reversed and region.polygon.tolist() == BOX


@pytest.mark.parametrize("first", range(4))
def test_a_clockwise_quad_says_where_its_text_starts(first):
    started = np.roll(polygon(BOX), first, axis=0)
    region = fit(started, SIZE)
    assert not region.reversed and not region.clipped and np.array_equal(region.polygon, started)
    assert np.array_equal(quad_of(region.polygon), started)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([[20, 10], [100, 40], [100, 10], [20, 40]], "edges cross"),
        ([[20, 10], [20, 10], [100, 10], [100, 40]], "only 3 of its 4 corners differ"),
        ([[20, 10], [100, 10], [100, 40], [20, 10]], "only 3 of its 4 corners differ"),
        ([[20, 10], [100, 10], [20, 10], [20, 40]], "no quad|cross or touch"),
        ([[20, 10]] * 4, "one point"),
        ([[20, 10], [40, 10], [60, 10], [100, 10]], "no area"),
        ([[20, 10], [60, 10.2], [100, 10], [100, 40]], "corner 2 lies on one line"),
        ([[20, 10], [60, 9.8], [100, 10], [100, 40]], "corner 2 lies on one line"),
        ([[20, 10], [100, 10], [100, 40], [60, 25]], "corner 4 lies on one line"),
        ([[200, 10], [300, 10], [300, 40], [200, 40]], r"outside the picture \(x 200 to 300, y 10 to 40\)"),
        ([[-90, 10], [0, 10], [0, 40], [-90, 40]], "outside the picture"),
        ([[-50, 30], [30, -50], [20, -60], [-60, 20]], "outside the picture"),  # beyond a corner, across both edges
        ([[20, 10], [100, 40], [100, 10], [60, 60], [20, 40]], "edges cross"),
    ],
)
def test_what_is_no_place_of_a_text(points, reason):
    with pytest.raises(RegionError, match=reason):
        fit(polygon(points), SIZE)


def test_parts_outside_the_picture_are_cut_off():
    region = fit(polygon([[-20, 10], [100, 10], [100, 140], [-20, 140]]), SIZE)
    assert region.clipped and region.polygon.tolist() == [[0, 10], [100, 10], [100, 90], [0, 90]]
    whole = polygon([[0, 0], [160, 0], [160, 90], [0, 90]])
    assert not fit(whole, SIZE).clipped, "the picture's edge is in the picture"


def test_what_is_seen_of_a_quad_may_be_no_quad():
    beyond_a_corner = polygon([[-10, -2], [-2, -10], [80, 60], [60, 80]])
    region = fit(beyond_a_corner, SIZE)
    seen = shapely.intersection(shapely.polygons(beyond_a_corner), shapely.box(0, 0, 160, 90))
    assert region.clipped and shapely.area(shapely.polygons(region.polygon)) == pytest.approx(
        shapely.area(seen), rel=1e-3
    )


def test_a_quad_that_clipping_lays_on_itself_is_what_is_seen_of_it():
    region = fit(polygon([(1e-36, 1), (1, 2), (-1, 1), (0, 0)]), SIZE)
    assert region.clipped and signed_area(region.polygon) == pytest.approx(0.25, abs=1e-3)


def test_a_polygon_of_more_points_may_be_closed_and_bend():
    points = [[20, 10], [60, 20], [100, 10], [100, 40], [60, 50], [20, 40]]
    assert fit(polygon([*points, points[0]]), SIZE).polygon.tolist() == points
    back = fit(polygon(points[::-1]), SIZE)
    assert back.reversed and signed_area(back.polygon) > 0


def test_a_quad_that_bends_inwards_is_cut_out_by_its_rectangle():
    arrow = polygon([[20, 10], [100, 10], [100, 40], [75, 20]])
    assert np.array_equal(fit(arrow, SIZE).polygon, arrow)
    quad = quad_of(arrow)
    assert np.dot(quad[1] - quad[0], quad[3] - quad[0]) == pytest.approx(0, abs=0.1), "it has right angles"
    assert shapely.covers(shapely.buffer(shapely.polygons(quad), 0.1), shapely.polygons(arrow))
    assert np.ptp(crop_quad(STRIPES, quad)) > 0


@pytest.mark.parametrize("points", [[[20, 10], [100, 40], [100, 10], [20, 40]], BOX[:3] + BOX[:1]])
def test_a_refused_region_is_covered_where_it_can_be(points):
    region = fit(cover(polygon(points), SIZE), SIZE)
    covered = region.polygon
    assert not region.reversed and not region.clipped
    assert shapely.covers(shapely.polygons(covered), shapely.multipoints(polygon(points)))
    assert shapely.area(shapely.polygons(covered)) == shapely.area(shapely.convex_hull(shapely.multipoints(points)))


def test_nothing_covers_what_is_nowhere():
    assert cover(polygon([[20, 10], [40, 10], [60, 10], [90, 10]]), SIZE) is None
    assert cover(polygon([[200, 10], [300, 10], [300, 40], [200, 40]]), SIZE) is None


def test_regions_drawn_before_an_exif_turn():
    turned = PictureSize(90, 160, orientation=6)
    on_stored, careless = polygon(BOX), polygon([[2, 5], [91, 5], [91, 30], [2, 30]])
    assert drawn_as_stored([on_stored], turned)
    assert not drawn_as_stored([careless], turned), "a pixel beyond the edge is carelessness"
    assert not drawn_as_stored([on_stored], SIZE) and not drawn_as_stored([polygon(BOX) + 200], turned)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-300, 500, width=32)] * 2), min_size=4, max_size=7))
def test_whatever_is_accepted_is_a_place_in_the_picture(points):
    try:
        region = fit(polygon(points), SIZE).polygon
    except RegionError:
        return
    assert signed_area(region) > 0 and shapely.is_valid(shapely.polygons(region))
    assert (region >= 0).all() and (region <= (160, 90)).all()
    quad = quad_of(region)
    sides = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)
    if max(sides[0], sides[2]) >= 1 and max(sides[1], sides[3]) >= 1:
        centre = cv2.perspectiveTransform(np.array([[quad.mean(axis=0)]]), perspective(
            quad, np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)))[0, 0]  # fmt: skip
        assert all(0 < value < 1 and math.isfinite(value) for value in centre), "the crop shows what the quad holds"


CORNERS = st.tuples(*[st.one_of(st.integers(-5, 165), st.floats(-5, 165, width=32))] * 2)
SKEWED = st.builds(
    lambda box, skew, first: np.roll(polygon(box) + polygon(skew), first, axis=0),
    st.sampled_from([BOX, [[0, 0], [160, 0], [160, 90], [0, 90]], [[20, 10], [60, 10], [100, 10], [20, 12]]]),
    st.lists(st.tuples(*[st.sampled_from([0, 0, 0, -0.5, 0.25, 1, 29, -80])] * 2), min_size=4, max_size=4),
    st.integers(0, 3),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(SKEWED, st.lists(CORNERS, min_size=4, max_size=5).map(polygon)), min_size=1, max_size=6))
def test_all_regions_of_a_picture_come_out_as_each_alone(polygons):
    """Plain quads take a way of their own through `fit_all`."""

    def alone(one):
        try:
            return fit(one, SIZE)
        except RegionError as error:
            return str(error)

    for region, one in zip(fit_all(polygons, SIZE, "a.png"), polygons, strict=True):
        expected = alone(one)
        if isinstance(region, RegionError):
            assert isinstance(expected, str) and str(region).startswith(expected)
        else:
            np.testing.assert_array_equal(region.polygon, expected.polygon)
            assert (region.reversed, region.clipped) == (expected.reversed, expected.clipped)
