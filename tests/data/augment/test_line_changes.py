from functools import partial

import numpy as np
import pytest

from ppedge.data.augment.base import Line, augmented
from ppedge.data.augment.bending import bend
from ppedge.data.augment.color import add_noise, blur, jitter_color, reverse
from ppedge.data.augment.geometry import crop_rows, shift_corners
from ppedge.data.augment.table import LINES
from ppedge.recipe.train import RecAugment

OFF = RecAugment(perspective=0, blur=0, noise=0, color=0)
NAMES = ["tia", "perspective", "crop", "blur", "noise", "color", "reverse"]
LINE = np.random.default_rng(3).integers(0, 255, (32, 120, 3), np.uint8)


def changed(image, settings):
    line = augmented(lambda index: Line(image, "text"), 1, (0, 0, 0), settings, LINES)
    assert line.text == "text"
    return line.image


@pytest.mark.parametrize(
    "change",
    [bend, shift_corners, blur, add_noise, partial(jitter_color, strength=0.4)],
    ids=["tia", "perspective", "blur", "noise", "color"],
)
def test_line_changes_keep_shape_and_type_and_are_seeded(change):
    before = LINE.copy()
    once, again, other = (change(LINE, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert once.shape == LINE.shape and once.dtype == np.uint8
    assert np.array_equal(once, again) and not np.array_equal(once, other) and not np.array_equal(once, LINE)
    assert np.array_equal(LINE, before), "the input is not changed"


@pytest.mark.parametrize("name", NAMES)
def test_line_probabilities(name):
    assert np.array_equal(changed(LINE, OFF), LINE) and np.array_equal(changed(LINE, None), LINE)
    assert not np.array_equal(changed(LINE, OFF.model_copy(update={name: 1.0})), LINE)


def test_what_came_later_is_off_where_a_recipe_says_nothing():
    settings = RecAugment()
    assert (settings.concat, settings.tia, settings.crop, settings.reverse) == (0, 0, 0, 0)


def test_a_crop_is_one_to_eight_rows_at_one_edge():
    seen = set()
    for seed in range(100):
        crop = crop_rows(LINE, np.random.default_rng(seed))
        rows = len(LINE) - len(crop)
        at_top = np.array_equal(crop, LINE[rows:])
        assert at_top or np.array_equal(crop, LINE[: len(crop)])
        seen.add((rows, at_top))
    assert seen == {(rows, at_top) for rows in range(1, 9) for at_top in (True, False)}


@pytest.mark.parametrize("shape", [(19, 60, 3), (60, 19, 3)])
def test_a_line_of_few_pixels_is_not_cropped(shape):
    assert crop_rows(np.zeros(shape, np.uint8), np.random.default_rng(0)).shape == shape


def test_reverse_is_the_negative():
    assert np.array_equal(reverse(LINE, np.random.default_rng(0)), 255 - LINE)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (50, 1, 3)])
def test_tiny_lines_survive(shape):
    every = RecAugment(**dict.fromkeys(NAMES, 1.0))
    assert changed(np.full(shape, 9, np.uint8), every).shape == shape
