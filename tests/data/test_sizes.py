import numpy as np
import pytest
from PIL import Image

from ppedge.data.sizes import PictureSize, picture_size
from ppedge.ocr.preprocess import read_image


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_size_is_that_of_the_picture_as_it_is_read(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((20, 50, 3), np.uint8)).save(path, exif=exif)
    size = picture_size(path)
    assert (size.height, size.width) == read_image(path).shape[:2] and size.orientation == orientation
    assert size.stored == PictureSize(50, 20)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (50, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert picture_size(tmp_path / "a.jpg") == PictureSize(50, 20) and "EXIF" not in str(PictureSize(50, 20))


def test_what_is_no_picture_is_an_oserror(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.new("RGB", (50, 20)).save(tmp_path / "large.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    for name in ("large.png", "empty.png", "text.png", "none.png", "."):
        with pytest.raises(OSError):
            picture_size(tmp_path / name)
