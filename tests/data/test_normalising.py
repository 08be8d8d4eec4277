"""Normalising in C gives OpenCV's numbers to the last bit, whichever machine a sample is prepared on."""

import numpy as np
import pytest

from ppedge.data import normalising
from ppedge.ocr import preprocess

MEANS, STDS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("size", [(1, 1), (3, 63), (2, 64), (48, 65), (37, 200)])
@pytest.mark.parametrize("constants", [((0.5,) * 3, (0.5,) * 3), (MEANS, STDS)])
def test_the_numbers_are_the_same(size, constants):
    assert normalising.library() is not None
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (size[0] + 2, size[1] + 2, 3), np.uint8)
    for image in (np.ascontiguousarray(whole[1:-1, 1:-1]), whole[1:-1, 1:-1], np.rot90(whole[1:-1, 1:-1], 2)):
        fast, slow = np.full((2, 3, size[0], size[1] + 5), 9, np.float32)  # in wider rows, as a padded line lies
        normalising.normalise(image, *constants, fast[..., : size[1]])
        preprocess.normalise(image, *constants, slow[..., : size[1]])
        assert np.array_equal(fast, slow) and (fast[..., size[1] :] == 9).all()
        assert fast[..., : size[1]].max() < 9


def test_every_level(monkeypatch):
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    fast, slow = np.zeros((2, 3, 1, 256), np.float32)
    normalising.normalise(image, MEANS, STDS, fast)
    monkeypatch.setattr(normalising, "library", lambda: None)
    normalising.normalise(image, MEANS, STDS, slow)
    assert np.array_equal(fast, slow) and len(np.unique(fast[0])) == 256


def test_a_wrong_place_is_no_place_to_write_to():
    planes = np.zeros((3, 4, 5), np.float32)
    with pytest.raises(Exception, match=r"."):
        normalising.normalise(np.zeros((4, 6, 3), np.float64), MEANS, STDS, planes)
    assert not planes.any()
