import cv2
import numpy as np
import pytest

from ppedge.data.augment.base import Scene
from ppedge.data.augment.paste import paste_words
from ppedge.recipe.train import DetAugment

WORD = np.array([[100, 50], [180, 50], [180, 74], [100, 74]], np.float32)


def scene(polygons, ignore=None, size=(300, 400), value=0):
    texts = [f"word {number}" for number in range(len(polygons))]
    return Scene(np.full((*size, 3), value, np.uint8), polygons, ignore or [False] * len(polygons), texts, 0.5)


def white_words(polygons, ignore=None, **options):
    """A scene whose regions are white, with a red margin that must not come along."""
    found = scene(polygons, ignore, **options)
    for polygon in polygons:
        cv2.fillPoly(found.image, [np.rint(polygon).astype(np.int32)], (0, 0, 255))
        inner = polygon + 3 * np.sign(polygon.mean(axis=0) - polygon)
        cv2.fillPoly(found.image, [np.rint(inner).astype(np.int32)], (255, 255, 255))
    return found


def pasted(first, other, seed=0):
    first.image.flags.writeable = other.image.flags.writeable = False
    return paste_words(first, DetAugment(), np.random.default_rng(seed), lambda: other)


def box(polygon):
    return *polygon.min(axis=0), *polygon.max(axis=0)


@pytest.mark.parametrize("seed", range(8))
def test_a_word_lies_where_its_region_says_turned_by_any_angle(seed):
    whole = pasted(scene([WORD]), white_words([WORD + 20]), seed)
    assert len(whole.polygons) == 2 and whole.ignore == [False, False] and whole.zoom == 0.5
    assert whole.texts == ["word 0", "word 0"] and whole.image.shape == (300, 400, 3)
    place = whole.polygons[1]
    sides = np.hypot(*(np.roll(place, -1, axis=0) - place).T)
    assert sides == pytest.approx([80, 24, 80, 24], abs=0.01), "as large as it was"
    drawn = np.zeros((300, 400), np.uint8)
    cv2.fillPoly(drawn, [np.rint(place).astype(np.int32)], 255)
    edge = cv2.morphologyEx(drawn, cv2.MORPH_GRADIENT, np.ones((5, 5)))
    assert not whole.image[(drawn == 0) & (edge == 0)].any(), "nothing is changed elsewhere"
    assert whole.image[(drawn > 0) & (edge == 0)][:, 2].min() > 200, "all of the region is drawn"
    depth = cv2.distanceTransform(drawn, cv2.DIST_L2, 5)
    assert whole.image[depth > 5].min() > 250, "inside it is white, as the word is"
    assert whole.image[(depth > 1) & (depth < 2)][:, 0].max() < 100, "and red along its edge, as the word is"


def test_angles_are_of_the_whole_circle():
    tops = [np.subtract(*pasted(scene([]), white_words([WORD]), seed).polygons[0][[1, 0]]) for seed in range(60)]
    angles = np.degrees(np.arctan2(*np.transpose(tops)[::-1])) % 360
    assert (np.histogram(angles, 4, (0, 360))[0] > 6).all()


def test_words_touch_no_region_and_each_other_neither():
    grid = [np.float32([[x, y], [x + 30, y], [x + 30, y + 12], [x, y + 12]]) for x in (5, 200) for y in (5, 150, 280)]
    small = [np.float32([[x, y], [x + 25, y], [x + 25, y + 9], [x, y + 9]]) for x in range(0, 390, 30)
             for y in range(0, 280, 20)]  # fmt: skip
    for seed in range(10):
        whole = pasted(scene(grid, [True, False] * 3), white_words(small), seed)
        assert 15 < len(whole.polygons) - len(grid) <= 30, "a fifth of 182, but no more than 30"
        boxes = np.array([box(polygon) for polygon in whole.polygons])
        assert boxes[:, :2].min() >= 0 and (boxes[:, 2:] <= [400, 300]).all()
        for number, (left, top, right, bottom) in enumerate(boxes[len(grid) :], len(grid)):
            others = np.delete(boxes, number, axis=0)
            clear = (others[:, 2] < left) | (others[:, 0] > right) | (others[:, 3] < top) | (others[:, 1] > bottom)
            assert clear.all()


@pytest.mark.parametrize(("regions", "expected"), [(1, 1), (9, 1), (10, 2), (14, 2)])
def test_a_fifth_of_the_other_regions_and_at_least_one(regions, expected):
    words = [np.float32([[x, 0], [x + 8, 0], [x + 8, 4], [x, 4]]) for x in range(0, 10 * regions, 10)]
    assert len(pasted(scene([]), white_words(words)).polygons) == expected


def test_words_that_nobody_can_read_are_not_taken():
    other = white_words([WORD, WORD + 80, WORD - 40], [True, False, True])
    assert {tuple(pasted(scene([]), other, seed).texts) for seed in range(20)} == {("word 1",)}
    assert pasted(scene([]), white_words([WORD], [True])).polygons == []


def test_what_finds_no_place_is_left_out():
    full = scene([np.float32([[0, 0], [400, 0], [400, 300], [0, 300]])])
    assert pasted(full, white_words([WORD])).image is full.image
    low = scene([], size=(10, 400))
    assert pasted(low, white_words([WORD])).polygons == [], "as it is turned, it is higher than the picture"


def test_a_region_of_many_points_comes_as_the_rectangle_around_it():
    points = np.array([[100, 60], [140, 50], [180, 60], [180, 84], [140, 74], [100, 84]], np.float32)
    whole = pasted(scene([]), white_words([points]))
    assert whole.polygons[0].shape == (4, 2)


def test_a_region_too_thin_to_be_cut_out_is_left_out():
    assert pasted(scene([]), scene([np.float32([[10, 10], [10.4, 10], [10.4, 10.5], [10, 10.5]])])).polygons == []
