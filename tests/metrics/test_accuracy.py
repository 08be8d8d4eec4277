import cv2
import numpy as np
import pytest

from fakes import Fake
from ppedge.data.labelled import ClsSample, DetSample
from ppedge.metrics.accuracy import evaluate, measure, measure_by_box_thresh, read_crops
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, ModelSpec

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


def test_a_detector_is_measured_by_several_thresholds_at_once(tmp_path):
    lines = np.array([[[8, y], [88, y], [88, y + 16], [8, y + 16]] for y in (8, 40, 72)], np.float32)
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        cv2.imwrite(str(path), np.zeros((96, 96, 3), np.uint8))
    samples = [DetSample(path, list(lines), [""] * 3, [False] * 3, path.name) for path in paths]
    probability = np.zeros((1, 1, 96, 96), np.float32)
    for (left, top), score in zip(lines[:, 0].astype(int), (0.4, 0.55, 0.7), strict=True):
        probability[..., top + 4 : top + 12, left + 4 : left + 76] = score
    engine, told = Fake("pc", lambda x: probability), []
    spec = ModelSpec("det", det_preprocess=DetPreprocess(), det_postprocess=DbPostprocess(box_thresh=0.9))
    found = measure_by_box_thresh(engine, spec, samples, [0.6, 0.3, 0.5], told.append)
    assert len(engine.inputs) == 2 and told == [1, 1]  # a picture is run once
    assert {value: metric.rows()[:, :2].tolist() for value, metric in found.items()} == {
        0.6: [[1, 1]] * 2, 0.3: [[3, 3]] * 2, 0.5: [[2, 2]] * 2,
    }  # fmt: skip
    for value, metric in found.items():
        np.testing.assert_array_equal(metric.rows(), measure(engine, spec.with_box_thresh(value), samples).rows())
