"""Paddle before ppedge and after it: each in a process of its own, which then does what a user's notebook does."""

import subprocess
import sys
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[1] / "recipes" / "receipts_det.yml"
TOLD = "ImportError: paddle was imported first"
WORK = """
import gzip, io, pathlib, sys, zipfile, zlib
data = bytes(range(256)) * 999
assert zlib.decompress(zlib.compress(data)) == data
assert gzip.decompress(gzip.compress(data)) == data
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("data", data)
assert zipfile.ZipFile(packed).read("data") == data

import cv2, numpy, onnxruntime, yaml
from ppedge.ocr.image_file import read_image
picture = numpy.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=numpy.uint8)
cv2.imwrite(sys.argv[1], picture)
assert numpy.array_equal(read_image(sys.argv[1]), picture)
numpy.savez_compressed(sys.argv[1] + ".npz", picture)
assert numpy.array_equal(numpy.load(sys.argv[1] + ".npz")["arr_0"], picture)

import ppedge.data.dataset, ppedge.train.task
from ppedge.models import zoo
from ppedge.recipe.io import load_recipe
net = zoo.build(load_recipe(pathlib.Path(sys.argv[2])).model, "det")
net.eval()
assert net(paddle.ones([1, 3, 64, 64])).shape == [1, 1, 64, 64]

from rapidfuzz.distance import Levenshtein
assert Levenshtein.distance("paddle", "ppedge") == 3
print("worked")
"""


def after(first, tmp_path):
    """Run imports and then the work in a Python of its own."""
    command = [sys.executable, "-c", first + WORK, str(tmp_path / "picture.png"), str(RECIPE)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# A notebook's kernel has loaded zlib before the first cell runs.
@pytest.mark.parametrize("first", ["import ppedge, paddle", "import zlib, paddle, ppedge"])
def test_both_orders_work(tmp_path, first):
    done = after(first, tmp_path)
    assert (done.returncode, done.stdout) == (0, "worked\n"), done.stderr


def test_paddle_before_all_else_works_or_is_refused_in_a_sentence(tmp_path):
    """Which of the two, depends on how this Python came by its zlib; a crash it must not be."""
    done = after("import paddle, ppedge", tmp_path)
    if done.returncode == 0:
        assert done.stdout == "worked\n"
    else:
        assert TOLD in done.stderr.splitlines()[-1]
        assert "import ppedge (or zlib) before paddle." in done.stderr
        assert "Segmentation fault" not in done.stderr
