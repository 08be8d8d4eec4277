import numpy as np
import pytest

from ppedge.ocr.ctc import Text
from ppedge.ocr.direction import DIRECTIONS, read_direction, turn


def test_turning_puts_the_last_pixel_first():
    crop = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    turned = turn(crop)
    assert np.array_equal(turned, crop[::-1, ::-1])
    assert np.array_equal(turn(turned), crop)
    turned[:] = 0
    assert crop.any()


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [((0.75, 0.25), Text("0", 0.75)), ((0.25, 0.75), Text("180", 0.75)), ((0.5, 0.5), Text("0", 0.5))],
)
def test_the_likelier_direction_is_told(probabilities, expected):
    assert read_direction(np.array(probabilities, np.float32)) == expected
    assert expected.text in DIRECTIONS
