import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppedge.errors import PpedgeError
from ppedge.ocr.preprocess import det_size, prepare_cls, prepare_det, prepare_rec, rec_width
from ppedge.ocr.spec import MOST_SIDE, ClsPreprocess, DetPreprocess, RecPreprocess


@pytest.mark.parametrize(
    ("size", "spec", "expected", "why"),
    [
        ((736, 1000), {}, (736, 992), "large enough: only rounded; 1000 / 32 = 31.25"),
        ((1008, 752), {}, (1024, 768), "31.5 and 23.5: halves go up"),
        ((368, 500), {}, (736, 992), "enlarged twice"),
        ((100, 5000), {}, (96, 4000), "bounded: the factor 7.36 would give 36800"),
        ((6000, 3000), {}, (4000, 2016), "a picture too large is shrunk: 4000 x 2000"),
        ((10, 8000), {}, (32, 4000), "never below one multiple"),
        ((1920, 1080), {"limit_side": 960, "limit_type": "max"}, (960, 544), "shrunk to 540, which is rounded"),
        ((300, 200), {"limit_side": 960, "limit_type": "max"}, (288, 192), "max never enlarges; 9.375 and 6.25"),
        ((3000, 3000), {"limit_side": 1010, "limit_type": "max"}, (992, 992), "rounding does not exceed the limit"),
        ((720, 720), {"limit_side": 2000, "max_side": 1000}, (992, 992), "nor max_side"),
    ],
)
def test_size_for_the_detector(size, spec, expected, why):
    assert det_size(*size, DetPreprocess(**spec)) == expected, why


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from(["min", "max"]))
def test_sizes_are_multiples_within_bounds(height, width, limit_type):
    spec = DetPreprocess(limit_type=limit_type)
    for side in det_size(height, width, spec):
        assert side % spec.multiple == 0
        assert spec.multiple <= side <= (spec.max_side if limit_type == "min" else spec.limit_side)


def test_detector_input_is_normalised_in_bgr_order():
    image = np.empty((64, 96, 3), np.uint8)
    image[:] = (10, 20, 30)
    planes = prepare_det(image, DetPreprocess(limit_side=32))
    assert planes.shape == (1, 3, 64, 96)
    assert planes.dtype == np.float32
    for channel, (value, mean, std) in enumerate(
        zip((10, 20, 30), DetPreprocess().mean, DetPreprocess().std, strict=True)
    ):
        np.testing.assert_allclose(planes[0, channel], (value / 255 - mean) / std, rtol=1e-5)


def test_crops_are_padded_after_normalising_to_the_widest():
    spec = RecPreprocess(height=32, min_width=40)
    batch = prepare_rec([np.full((16, 10, 3), 255, np.uint8), np.zeros((64, 201, 3), np.uint8)], spec)
    assert batch.shape == (2, 3, 32, 101), "201 / 2 is rounded up"
    assert (batch[0, :, :, :20] == 1).all()
    assert (batch[0, :, :, 20:] == 0).all()
    assert (batch[1] == -1).all()


def test_a_narrow_batch_has_the_least_width():
    assert prepare_rec([np.zeros((32, 5, 3), np.uint8)], RecPreprocess()).shape == (1, 3, 32, 320)


def test_widths_stay_between_one_and_the_limit():
    spec = RecPreprocess(max_width=100)
    assert rec_width(np.zeros((1000, 1, 3), np.uint8), spec) == 1
    assert rec_width(np.zeros((10, 1000, 3), np.uint8), spec) == 100


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (5, 5), (5, 5, 4)])
def test_pictures_of_the_wrong_shape_are_errors(shape):
    with pytest.raises(PpedgeError, match="crop has the shape"):
        prepare_rec([np.zeros(shape, np.uint8)], RecPreprocess())
    with pytest.raises(PpedgeError, match="picture has the shape"):
        prepare_det(np.zeros(shape, np.uint8), DetPreprocess())


def test_no_crops_are_an_error():
    with pytest.raises(PpedgeError, match="no crops"):
        prepare_rec([], RecPreprocess())


@pytest.mark.parametrize(("width", "filled"), [(20, 40), (96, 192), (300, 192)])
def test_a_classifiers_lines_all_have_one_size(width, filled):
    """The aspect is kept up to the full width; what is left on the right is 0, after normalising."""
    x = prepare_cls([np.full((24, width, 3), 255, np.uint8)] * 2, ClsPreprocess())
    assert x.shape == (2, 3, 48, 192) and x.dtype == np.float32
    assert np.allclose(x[..., :filled], 1.0)
    assert (x[..., filled:] == 0).all()


@pytest.mark.parametrize(
    ("section", "key"),
    [
        *((DetPreprocess, key) for key in ("limit_side", "max_side", "multiple")),
        *((RecPreprocess, key) for key in ("height", "min_width", "max_width")),
        *((ClsPreprocess, key) for key in ("height", "width")),
    ],
)
def test_sides_have_bounds(section, key):
    """What a network is given is made as large as they say, whatever the picture."""
    assert getattr(section(**{key: MOST_SIDE}), key) == MOST_SIDE
    for side in (MOST_SIDE + 32, 10**40):
        with pytest.raises(ValueError, match=f"{key} must be at most {MOST_SIDE} pixels, not {side}"):
            section(**{key: side})
    with pytest.raises(ValueError, match=f"{key} must be above 0, not 0"):
        section(**{key: 0})
