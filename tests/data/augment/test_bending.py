import cv2
import numpy as np
import pytest

from ppedge.data.augment import bending
from ppedge.data.augment.geometry import LEAST_SIDE

WIDTH, HEIGHT = 320, 48
RNG = np.random.default_rng


def gradient(width=WIDTH, height=HEIGHT):
    """A picture whose first two channels say where each pixel is, at half the scale in x."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x / 2, y, 0 * x], axis=2).astype(np.uint8)


def test_points_go_where_they_are_moved():
    """The least squares interpolate: where a point is moved to, the picture of where it came from lies."""
    source = np.array([60 + 10j, 160 + 40j, 260 + 20j])
    moved = source + np.array([16 + 4j, -16 - 4j, 4 + 4j])
    for now, then in zip(moved, source, strict=True):
        before = bending._before(np.array([now]), moved, source)
        assert abs(before[0] - then) < 1e-3


def test_a_similarity_of_all_points_is_that_of_the_picture():
    source = np.array([0, WIDTH, WIDTH + HEIGHT * 1j, HEIGHT * 1j, 70 + 30j])
    turn, shift = 1.1 * np.exp(0.2j), 8 - 5j
    places = RNG(0).uniform(0, WIDTH, 50) + 1j * RNG(1).uniform(0, HEIGHT, 50)
    before = bending._before(places, source * turn + shift, source)
    assert np.abs(before - (places - shift) / turn).max() < 1e-6


def test_the_map_is_that_of_the_least_squares_at_every_pixel():
    """Between the nodes it is interpolated, so a map that is linear is met exactly."""
    source = np.array([0, WIDTH, WIDTH + HEIGHT * 1j, HEIGHT * 1j])
    picture = bending.warped(gradient(), [(source + 10 + 4j, source)])
    assert np.array_equal(picture[10:, 20:], gradient()[6:-4, 10:-10])


def test_of_several_moves_the_last_is_undone_first():
    source = np.array([0, WIDTH, WIDTH + HEIGHT * 1j, HEIGHT * 1j])
    middle = WIDTH / 2 + HEIGHT / 2 * 1j
    wider, aside = (middle + (source - middle) * 2, source), (source + 32, source)
    inside = np.s_[:, 40:-40]  # the edge is repeated twice where the picture is drawn twice
    one_by_one = bending.warped(bending.warped(gradient(), [wider]), [aside])[inside].astype(int)
    assert np.abs(bending.warped(gradient(), [aside, wider])[inside] - one_by_one).max() <= 1
    assert np.abs(bending.warped(gradient(), [wider, aside])[inside] - one_by_one).max() > 5


@pytest.mark.parametrize("segments", [3, 6])
def test_the_moves_are_of_the_published_size(segments):
    cut = WIDTH / segments
    draws = [bending.distortion(WIDTH, HEIGHT, segments, RNG(seed)) for seed in range(300)]
    moves = np.stack([moved - source for moved, source in draws]).reshape(300, 2, segments + 1)
    inner, left, right = moves[..., 1:-1], moves[..., 0], moves[..., -1]
    for part in (inner.real, inner.imag):
        assert -cut / 6 <= part.min() < -cut / 7 and cut / 7 < part.max() <= cut / 6
    for part in (left.real, -right.real, moves[:, 0, [0, -1]].imag, -moves[:, 1, [0, -1]].imag):
        assert 0 <= part.min() < part.max() <= cut / 3
    stretches = [bending.stretching(WIDTH, HEIGHT, segments, RNG(seed)) for seed in range(300)]
    moves = np.stack([moved - source for moved, source in stretches]).reshape(300, 2, segments + 1)
    assert not moves.imag.any() and not moves[..., [0, -1]].any() and np.array_equal(moves[:, 0], moves[:, 1])
    assert cut * 0.35 < np.abs(moves).max() <= cut * 0.4
    tilts = np.stack([np.subtract(*bending.tilting(WIDTH, HEIGHT, RNG(seed))) for seed in range(300)])
    assert not tilts.real.any() and HEIGHT * 0.45 < np.abs(tilts).max() <= HEIGHT / 2
    assert (tilts.imag[:, :2] >= 0).all() and (tilts.imag[:, 2:] <= 0).all()


def test_a_line_of_few_pixels_is_tilted_only():
    """Its columns stay where they are but for what the similarities turn; a larger one's do not."""
    image = np.zeros((LEAST_SIDE - 1, 400, 3), np.uint8)
    image[:, 200:] = 255
    edges = [bending.bend(image, RNG(seed))[LEAST_SIDE // 2, :, 0].argmax() for seed in range(30)]
    larger = cv2.resize(image, (400, 2 * LEAST_SIDE))
    bent = [bending.bend(larger, RNG(seed))[LEAST_SIDE, :, 0].argmax() for seed in range(30)]
    assert np.ptp(edges) < 6 and np.ptp(bent) > 12
