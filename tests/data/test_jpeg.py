"""What OpenCV decodes in Pillow's place: the same pixels, and nothing that is not whole."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from ppedge.data.jpeg import read_ordinary
from ppedge.errors import PpedgeError
from ppedge.ocr.image_file import read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def encoded(mode="RGB", size=(61, 50), kind="JPEG", **options):
    smooth = cv2.resize(PIXELS, size, interpolation=cv2.INTER_CUBIC)
    file = io.BytesIO()
    Image.fromarray(smooth).convert(mode).save(file, kind, **options)
    return file.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(exif=exif.tobytes())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "L"},
        {"size": (1, 1)},
        {"size": (8, 33), "quality": 10},
        {"progressive": True},
        {"subsampling": 0, "optimize": True},
        {"restart_marker_blocks": 2, "comment": b"nothing"},
        {"icc_profile": b"colours" * 9},
    ],
    ids=str,
)
def test_the_pixels_are_those_of_the_other_reader(tmp_path, options):
    path = tmp_path / "p.jpg"
    path.write_bytes(encoded(**options))
    image = read_ordinary(path)
    assert image.dtype == np.uint8 and np.array_equal(image, read_image(path))


@pytest.mark.parametrize(
    "data",
    [
        encoded(kind="PNG"),
        encoded(mode="CMYK"),
        encoded(keep_rgb=True),
        turned(),
        encoded()[:-1],
        encoded()[:-200],
        encoded()[:200],
        encoded() + b"more",
        encoded()[:2],
        b"",
    ],
    ids=["png", "cmyk", "rgb", "turned", "one byte", "rows", "header", "trailer", "begin", "empty"],
)
def test_all_else_is_left_to_the_other_reader(tmp_path, data):
    path = tmp_path / "p.jpg"
    path.write_bytes(data)
    assert read_ordinary(path) is None


def test_a_header_that_lies_is_no_picture(tmp_path):
    """Every byte of the header in turn is another: what is decoded still has the other reader's pixels."""
    path, whole, decoded = tmp_path / "p.jpg", encoded(size=(16, 9)), 0
    for place in range(2, whole.index(b"\xff\xda")):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        image = read_ordinary(path)
        if image is None:
            continue
        try:
            assert np.array_equal(image, read_image(path))
            decoded += 1
        except PpedgeError as error:  # damaged data, which check refuses
            assert "damaged" in error.message
    assert decoded > 100


def test_a_folder_and_no_file(tmp_path):
    assert read_ordinary(tmp_path) is None and read_ordinary(tmp_path / "none.jpg") is None
