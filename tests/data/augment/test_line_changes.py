from functools import partial

import numpy as np
import pytest

from ppedge.data.augment.base import Line, augmented
from ppedge.data.augment.color import add_noise, blur, jitter_color
from ppedge.data.augment.geometry import shift_corners
from ppedge.data.augment.table import LINES
from ppedge.recipe.train import RecAugment

LINE = np.random.default_rng(3).integers(0, 255, (32, 120, 3), np.uint8)


def changed(image, settings):
    line = augmented(lambda index: Line(image, "text"), 1, (0, 0, 0), settings, LINES)
    assert line.text == "text"
    return line.image


@pytest.mark.parametrize(
    "change",
    [shift_corners, blur, add_noise, partial(jitter_color, strength=0.4)],
    ids=["perspective", "blur", "noise", "color"],
)
def test_line_changes_keep_shape_and_type_and_are_seeded(change):
    before = LINE.copy()
    once, again, other = (change(LINE, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert once.shape == LINE.shape and once.dtype == np.uint8
    assert np.array_equal(once, again) and not np.array_equal(once, other) and not np.array_equal(once, LINE)
    assert np.array_equal(LINE, before), "the input is not changed"


@pytest.mark.parametrize("name", ["perspective", "blur", "noise", "color"])
def test_line_probabilities(name):
    off = RecAugment(perspective=0, blur=0, noise=0, color=0)
    assert np.array_equal(changed(LINE, off), LINE) and np.array_equal(changed(LINE, None), LINE)
    assert not np.array_equal(changed(LINE, off.model_copy(update={name: 1.0})), LINE)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (50, 1, 3)])
def test_tiny_lines_survive(shape):
    every = RecAugment(perspective=1, blur=1, noise=1, color=1)
    assert changed(np.full(shape, 9, np.uint8), every).shape == shape
