import string

import numpy as np
import pytest

from ppedge.data.render import (
    LATIN_FONTS,
    lay,
    load_font,
    perspective,
    render_word,
    text_mask,
    two_colors,
)


@pytest.mark.parametrize("name", LATIN_FONTS)
def test_latin_fonts_draw_every_printable_character_differently(name):
    masks = {c: text_mask(c, load_font(name, 40)) for c in string.digits + string.ascii_letters + string.punctuation}
    missing = text_mask("京", load_font(name, 40)).tobytes()  # the box that stands for what a font has not
    assert missing not in {mask.tobytes() for mask in masks.values()}
    assert len({(mask.shape, mask.tobytes()) for mask in masks.values()}) == len(masks)


def test_a_mask_is_cut_to_the_ink():
    mask = text_mask("Agj", load_font(LATIN_FONTS[0], 30))
    assert all(line.any() for line in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    framed = text_mask("Agj", load_font(LATIN_FONTS[0], 30), margin=5)
    assert np.array_equal(framed[5:-5, 5:-5], mask) and np.count_nonzero(framed) == np.count_nonzero(mask)


def test_rendering_is_a_pure_function():
    font = load_font(LATIN_FONTS[4], 24)
    once, again, other = (render_word("Total 9.50", font, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert once.dtype == np.uint8 and once.shape[2] == 3 and np.array_equal(once, again)
    assert once.shape != other.shape or not np.array_equal(once, other)


def test_ink_and_paper_differ():
    rng = np.random.default_rng(0)
    for _ in range(200):
        paper, ink = two_colors(rng, 60)
        assert abs(paper.mean() - ink.mean()) >= 60


def test_a_sticker_covers_its_quad_and_nothing_else():
    rng = np.random.default_rng(0)
    matrix, quad = perspective((20, 60), rng, 0.2, turn=20)
    matrix = np.array([[1, 0, 30], [0, 1, 25], [0, 0, 1]]) @ matrix
    image = np.zeros((100, 140, 3), np.uint8)
    lay(image, np.full((20, 60, 3), 255, np.uint8), matrix)
    ys, xs = np.nonzero(image[..., 0] > 128)
    np.testing.assert_allclose([xs.min(), ys.min()], quad.min(axis=0) + np.array([30, 25]), atol=1.6)
    np.testing.assert_allclose([xs.max(), ys.max()], quad.max(axis=0) + np.array([30, 25]), atol=1.6)
    outside = np.zeros((10, 10, 3), np.uint8)
    lay(outside, np.full((20, 60, 3), 255, np.uint8), matrix)
    assert not outside.any()
