"""Reading from Python: `ppedge.open_bundle`, and the examples of its page."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ppedge
from ppedge.errors import PpedgeError
from ppedge.ocr.image_file import read_image
from tiny_runs import draw

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
EXAMPLES = [code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "stages" not in code]


def test_a_file_and_its_pixels_read_alike(bundle, picture):
    with ppedge.open_bundle(bundle, threads=1) as reader:
        assert isinstance(reader, ppedge.Reader)
        of_file, of_array = reader.read(str(picture)), reader.read(read_image(picture))
    assert [line.text for line in of_file] == ["车b", "车b"]
    assert [line.to_dict() for line in of_file] == [line.to_dict() for line in of_array]


def test_a_picture_that_is_one_line_needs_no_detector(bundle, tmp_path):
    crop = draw(tmp_path / "crop.png", size=(20, 60), bars=())
    with ppedge.open_bundle(bundle) as reader:
        assert reader.read(crop) == []
        line = reader.read_line(crop)
        assert (line.text, line.turned) == ("车b", False) and 0 < line.score <= 1
        assert reader.read_line(read_image(crop)) == line
        with pytest.raises(PpedgeError, match="is no picture"):
            reader.read_line(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), "u1")]
)
def test_what_is_no_picture_is_a_sentence(bundle, tmp_path, array):
    with ppedge.open_bundle(bundle) as reader:
        with pytest.raises(PpedgeError, match=r"is no picture\. Give \(H, W, 3\), uint8, BGR"):
            reader.read(array)
        with pytest.raises(PpedgeError, match=r"none\.png"):
            reader.read(tmp_path / "none.png")


def test_what_is_no_bundle_is_a_sentence(tmp_path):
    with pytest.raises(PpedgeError, match="not a bundle"):
        ppedge.open_bundle(tmp_path)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_pages_examples_run_without_paddle(bundle, picture, number):
    picture.rename(picture.with_name("photo.png"))
    code = f"{EXAMPLES[number]}\nimport sys\nassert 'paddle' not in sys.modules\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=bundle.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if number == 0:
        assert re.fullmatch(r"(车b 0\.\d\d at \d+, \d+\n){2}", done.stdout)
