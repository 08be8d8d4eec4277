import cv2
import numpy as np
import pytest

from ppedge.data.augment import view as v
from ppedge.data.augment.base import Scene
from ppedge.recipe.train import DetAugment

BOXES = [(40, 40, 80, 30), (200, 60, 60, 30), (60, 200, 200, 40), (320, 300, 60, 60)]


def picture():
    """A black picture (400, 480) with white boxes, and their polygons."""
    image = np.zeros((400, 480, 3), np.uint8)
    polygons = []
    for x, y, w, h in BOXES:
        image[y : y + h, x : x + w] = 255
        polygons.append(np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32))
    return image, polygons


def cut_view(image, polygons, ignore, settings, ratio, rng):
    texts = [f"word {number}" for number in range(len(polygons))]
    scene = v.cut_view(Scene(image, polygons, ignore, texts, ratio), settings, rng, lambda: pytest.fail("not needed"))
    assert len(scene.texts) == len(scene.polygons) and scene.zoom == 1.0
    return scene.image, scene.polygons, scene.ignore


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ratio", [0.4, 1.0, 1.7])
def test_regions_move_with_the_picture(seed, ratio):
    image, polygons = picture()
    settings = DetAugment(flip=0.5, rotate=20, scale=(0.5, 2.0), crop=320, color=0.0)
    rng = np.random.default_rng(seed)
    view, moved, ignored = cut_view(image, polygons, [False] * 4, settings, ratio, rng)
    assert view.shape == (320, 320, 3)
    assert not all(ignored), "at least one word is whole"
    drawn = np.zeros((340, 340), np.uint8)  # with a border, so that edges outside the view are found as well
    cv2.fillPoly(drawn, [np.rint(p + 10).astype(np.int32) for p in moved], 255)
    edge = cv2.dilate(cv2.morphologyEx(drawn, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((3, 3)))
    drawn, edge = drawn[10:-10, 10:-10], edge[10:-10, 10:-10]
    differs = (np.abs(view[..., 0].astype(int) - drawn) > 128) & (edge == 0)
    assert differs.sum() == 0, "white is exactly where the moved regions are"


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_region_is_ignored_and_one_outside_is_dropped(seed):
    image = np.zeros((500, 500, 3), np.uint8)
    cell = np.array([[2, 2], [70, 2], [70, 70], [2, 70]], np.float32)
    grid = [
        cell + np.array([x, y], np.float32) for x in range(0, 500, 72) for y in range(0, 500, 72)
    ]  # no window of 160 cuts none of them
    settings = DetAugment(flip=0.0, rotate=0, scale=(1.0, 1.0), crop=160, color=0.0)
    _, moved, ignored = cut_view(image, grid, [False] * len(grid), settings, 1.0, np.random.default_rng(seed))
    whole = [bool(p.min() >= -2 and p.max() <= 162) for p in moved]
    assert ignored == [not w for w in whole]
    assert 0 < sum(whole) <= 4 and 4 < len(moved) <= 16
    sides = np.array([[*(p.min(axis=0) < -2), *(p.max(axis=0) > 162)] for p in moved])
    assert sides.any(axis=0).sum() >= 2, "cut at several sides"


def test_texts_stay_with_their_regions():
    image, polygons = picture()
    settings = DetAugment(flip=0.0, rotate=0, scale=(1.0, 1.0), crop=160, color=0.0)
    texts = [str(x) for x, *_ in BOXES]
    seen = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scene = v.cut_view(Scene(image, polygons, [False] * 4, texts, 1.0), settings, rng, lambda: pytest.fail())
        lefts = [float(polygon[0, 0]) for polygon in scene.polygons]
        shift = int(scene.texts[0]) - lefts[0]
        assert [left + shift for left in lefts] == pytest.approx([int(text) for text in scene.texts], abs=0.01)
        seen.add(tuple(scene.texts))
    assert len(seen) > 3


def test_a_word_longer_than_the_window_shrinks_to_fit():
    polygon = np.array([[0, 0], [900, 0], [900, 40], [0, 40]], np.float32)
    image = np.full((100, 900, 3), 255, np.uint8)
    settings = DetAugment(flip=0.0, rotate=0, scale=(1.0, 1.0), crop=320, color=0.0)
    _, [moved], [ignored] = cut_view(image, [polygon], [False], settings, 1.0, np.random.default_rng(0))
    assert not ignored and 300 <= np.ptp(moved[:, 0]) <= 320


def test_the_window_that_cuts_fewest_words_wins():
    rng = np.random.default_rng(0)
    word, neighbour = (np.array([[x, 0], [y, 0], [y, 20], [x, 20]], np.float32) for x, y in ((150, 200), (210, 290)))
    corners = np.array([[0, 0], [400, 0], [400, 100], [0, 100]], np.float32)
    windows = [v.random_window([word, neighbour], [False, True], corners, 100, rng) for _ in range(100)]
    assert all(100 <= x <= 150 and side == 100 for x, _, side in windows), "only the readable one is aimed at"
    assert sum(x <= 112 for x, _, _ in windows) > 80, "a quarter of the windows would, were they not compared"


def test_a_picture_without_regions_and_smaller_than_the_window_is_padded_with_black():
    image = np.full((50, 60, 3), 200, np.uint8)
    settings = DetAugment(flip=0.0, rotate=0, scale=(1.0, 1.0), crop=96, color=0.0)
    view, moved, ignored = cut_view(image, [], [], settings, 1.0, np.random.default_rng(0))
    assert moved == [] and ignored == []
    assert (view[:49, :59] == 200).all() and not view[51:].any() and not view[:, 61:].any()


def test_flip_is_a_mirror_and_zoom_stays_in_range():
    points = np.array([[10, 5]], np.float32)
    always = DetAugment(flip=1.0, rotate=0, scale=(1.0, 1.0))
    assert v.transform(points, v.random_view((40, 100), always, 1.0, np.random.default_rng(0))).tolist() == [[90, 5]]
    settings = DetAugment(flip=0.5, rotate=10, scale=(0.5, 3.0))
    rng = np.random.default_rng(1)
    zooms = [np.sqrt(abs(np.linalg.det(v.random_view((40, 100), settings, 2.0, rng)[:2, :2]))) for _ in range(200)]
    assert 1.0 <= min(zooms) < 1.3 and 4.5 < max(zooms) <= 6.0


def test_shrinking_averages_pixels():
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 255
    view = v.warp(stripes, np.diag([0.25, 0.25, 1.0]), 50)
    assert abs(view.mean() - 127.5) < 5 and view.std() < 20


def test_a_picture_is_turned_as_often_as_is_said():
    """And what is always turned draws the numbers that it drew before there was a probability."""
    turned = DetAugment(flip=0.5, rotate=45, scale=(1.0, 1.0))
    half = turned.model_copy(update={"rotate_probability": 0.5})

    def angles(settings):
        matrices = (v.random_view((40, 60), settings, 1.0, np.random.default_rng(seed)) for seed in range(200))
        return np.array([np.degrees(np.arcsin(matrix[0, 1])) for matrix in matrices])

    always, sometimes = angles(turned), angles(half)
    assert (np.abs(always) > 0).all() and 70 < np.count_nonzero(sometimes) < 130
    kept = sometimes != 0
    np.testing.assert_array_equal(sometimes[kept], always[kept])
