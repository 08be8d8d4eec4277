"""A recogniser's ONNX file tells those who know nothing of ppedge what its classes read as."""

import cv2
import numpy as np
import pytest
from rapidocr_onnxruntime import RapidOCR

from ppedge.convert.onnx_file import set_characters
from ppedge.engines import open_engine
from ppedge.ocr.charset import Charset
from ppedge.storage import sha256
from tiny_onnx import save_rec

ort = pytest.importorskip("onnxruntime")


def as_rapidocr_reads(path):
    """The characters of a file by RapidOCR's rule: lines of the metadata `character`."""
    return ort.InferenceSession(path).get_modelmeta().custom_metadata_map["character"].splitlines()


@pytest.mark.parametrize(
    "characters", [("车", "b", " "), ("a", "", "ฤๅ", "a", "p\t", " x "), (*Charset("ab").characters, "")]
)
def test_each_class_is_a_line(tmp_path, characters):
    path = tmp_path / "rec.onnx"
    save_rec(path)
    x = np.ones((1, 3, 32, 64), np.float32)
    with open_engine("onnxruntime", path) as engine:
        before = engine.run([x])[0]
    assert set_characters(path, characters)
    assert as_rapidocr_reads(path) == list(characters)
    with open_engine("onnxruntime", path) as engine:
        assert np.array_equal(engine.run([x])[0], before)
    first = sha256(path)
    assert set_characters(path, characters) and sha256(path) == first


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "a\rb", "\x1c"])
def test_characters_that_would_shift_the_classes_are_left_out(tmp_path, odd):
    path = tmp_path / "rec.onnx"
    save_rec(path)
    before = path.read_bytes()
    assert not set_characters(path, ("a", odd, "b"))
    assert path.read_bytes() == before


def test_rapidocr_reads_the_file_without_being_told_its_characters(tmp_path):
    path, picture = tmp_path / "rec.onnx", np.full((48, 320, 3), 255, np.uint8)
    cv2.putText(picture, "b", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0))
    save_rec(path)
    assert set_characters(path, ("车", "b", " "))
    result, _ = RapidOCR(rec_model_path=str(path))(picture, use_det=False, use_cls=False, use_rec=True)
    assert result[0][0] == "车b"
