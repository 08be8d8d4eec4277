import cv2
import numpy as np
import pytest

from fakes import Fake
from ppedge.data.labelled import ClsSample
from ppedge.metrics.accuracy import evaluate, read_crops
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, ModelSpec

CLS = ModelSpec("cls", cls_preprocess=ClsPreprocess(height=8, width=16), cls_postprocess=ClsPostprocess())
QUAD = np.array([[4, 2], [20, 2], [20, 10], [4, 10]], np.float32)


@pytest.fixture
def samples(tmp_path):
    """A line that grows bright to the right, by itself and in a picture, both ways."""
    line = np.tile(np.linspace(0, 255, 16).astype(np.uint8)[None, :, None], (8, 1, 3))
    page = np.zeros((16, 32, 3), np.uint8)
    page[2:10, 4:20] = line
    for name, picture in (("line", line), ("page", page)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    return [
        ClsSample(tmp_path / f"{name}.png", label, f"{name}:1", quad, label == "180")
        for label in ("0", "180")
        for name, quad in (("line", None), ("page", QUAD))
    ]


def by_first_column(x):
    upside_down = (x[..., 0].mean(axis=(1, 2)) > 0).astype(np.float32)
    return np.stack([1 - upside_down, upside_down], axis=1)


def test_crops_are_turned_as_their_samples_say(samples):
    rising = [crop[:, 0].mean() < crop[:, -1].mean() for crop in read_crops(samples)]
    assert rising == [True, True, False, False]


def test_a_classifier_is_measured_by_accuracy(samples):
    told = []
    assert evaluate(Fake("pc", by_first_column), CLS, samples, advance=told.append) == {"accuracy": 1.0}
    assert told == [4]
    assert evaluate(Fake("pc", lambda x: by_first_column(x)[:, ::-1]), CLS, samples) == {"accuracy": 0.0}
    one_by_one = Fake("pc", lambda x: np.float32([[1, 0]]))
    assert evaluate(one_by_one, CLS, samples, batch_size=1) == {"accuracy": 0.5}
