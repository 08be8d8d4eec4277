import numpy as np
import pytest

from ppedge.data.augment.base import Line
from ppedge.data.augment.concat import join_lines
from ppedge.recipe.train import RecAugment


def line(text, height, width, value):
    return Line(np.full((height, width, 3), value, np.uint8), text)


def joined(first, others, **limits):
    drawn = iter(others)
    return join_lines(first, RecAugment(**limits), np.random.default_rng(0), lambda: next(drawn))


def test_lines_stand_side_by_side_at_the_height_of_the_first():
    whole = joined(line("ab", 20, 40, 1), [line("c", 40, 60, 2), line("de", 10, 15, 3)])
    assert whole.text == "abcde" and whole.image.shape == (20, 40 + 30 + 30, 3)
    assert np.array_equal(whole.image[7, :, 0], [1] * 40 + [2] * 30 + [3] * 30)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({}, "abcde"),
        ({"concat_lines": 1}, "abc"),
        ({"concat_characters": 5}, "abcde"),
        ({"concat_characters": 4}, "abc"),
        ({"concat_characters": 2}, "ab"),
        ({"concat_ratio": 5.0}, "abcde"),
        ({"concat_ratio": 4.9}, "abc"),
        ({"concat_ratio": 3.4}, "ab"),
    ],
)
def test_no_line_is_set_behind_that_makes_it_too_long(limits, text):
    whole = joined(line("ab", 20, 40, 1), [line("c", 40, 60, 2), line("de", 10, 15, 3)], **limits)
    assert whole.text == text


def test_the_first_that_does_not_fit_is_the_last_drawn():
    others = iter([line("too long", 20, 20, 2), line("c", 20, 20, 3)])
    whole = join_lines(line("a", 20, 20, 1), RecAugment(concat_characters=3), np.random.default_rng(0), others.__next__)
    assert whole.text == "a" and next(others).text == "c"


def test_one_of_a_single_column_still_has_one():
    assert joined(line("a", 10, 20, 1), [line("b", 200, 1, 2)], concat_lines=1).image.shape == (10, 21, 3)
