import json

import cv2
import numpy as np
import pytest

from ppedge.data.formats import DetSample, RecSample
from ppedge.errors import GateError, PpedgeError
from ppedge.ocr.spec import DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess
from ppedge.validate.gates import Row
from ppedge.validate.parity import compare, difference
from ppedge.validate.stage import require_passed

DET = ModelSpec("det", det_preprocess=DetPreprocess(limit_side=32), det_postprocess=DbPostprocess())
REC = ModelSpec("rec", rec_preprocess=RecPreprocess(min_width=32), characters=("a", "b"))


class Fake:
    """An engine made of a function."""

    def __init__(self, name, function):
        self.name, self.function = name, function
        self.inputs = []

    def run(self, inputs):
        self.inputs.append(inputs[0])
        return [self.function(inputs[0])]


def box_map(x):
    """A map with one box, whatever the picture."""
    result = np.zeros((1, 1, *x.shape[2:]), np.float32)
    result[0, 0, 8:24, 8:56] = 0.9
    return result


def says_ab(x):
    result = np.full((len(x), 4, 3), 0.1, np.float32)
    for column, index in enumerate((1, 0, 2, 0)):
        result[:, column, index] = 0.8
    return result


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for k, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((32, 64, 3), 60 * k, np.uint8))
    return paths


@pytest.fixture
def det_samples(pictures):
    # The box that box_map's blob grows to: DB's maps are shrunken.
    quad = np.array([[3, 2], [60, 2], [60, 29], [3, 29]], np.float32)
    return [DetSample(path, [quad], ["x"], [False], f"labels:{k}") for k, path in enumerate(pictures)]


@pytest.fixture
def rec_samples(pictures):
    return [RecSample(path, text, f"labels:{text}") for path, text in zip(pictures, ("ab", "ab", "b"), strict=True)]


def both(spec, samples, first, second):
    told = []
    parity = compare(Fake("pc", first), Fake("arm", second), spec, samples, "strict", told.append)
    assert sum(told) == parity.samples == len(samples)
    assert (parity.reference, parity.candidate) == ("pc", "arm")
    return parity


def test_the_same_engine_twice(det_samples):
    parity = both(DET, det_samples, box_map, box_map)
    assert parity.max_difference == parity.mean_difference == 0.0
    assert parity.reference_metrics == parity.candidate_metrics == {"precision": 1.0, "recall": 1.0, "hmean": 1.0}
    assert parity.to_dict()["max_difference"] == 0.0


def test_both_engines_get_the_same_inputs(det_samples):
    first, second = Fake("a", box_map), Fake("b", box_map)
    compare(first, second, DET, det_samples, "strict")
    assert len(first.inputs) == 3
    assert all(np.array_equal(a, b) for a, b in zip(first.inputs, second.inputs, strict=True))


def test_a_shift_of_one_value(det_samples):
    def shifted(x):
        result = box_map(x)
        if x.mean() > 0:  # the third picture alone
            result[0, 0, 0, 0] += 0.25
        return result

    parity = both(DET, det_samples, box_map, shifted)
    assert parity.max_difference == 0.25
    assert parity.mean_difference == pytest.approx(0.25 / (3 * 32 * 64))
    assert parity.candidate_metrics == parity.reference_metrics


def test_a_metric_that_falls(rec_samples):
    def says_b(x):
        return says_ab(x)[:, [1, 1, 2, 1]]

    parity = both(REC, rec_samples, says_ab, says_b)
    assert parity.reference_metrics["exact"] == pytest.approx(2 / 3)
    assert parity.candidate_metrics["exact"] == pytest.approx(1 / 3)
    assert parity.max_difference == pytest.approx(0.7)


def test_lines_go_one_at_a_time(rec_samples):
    """Paddle Lite takes batch 1 alone."""
    engine = Fake("a", says_ab)
    compare(engine, Fake("b", says_ab), REC, rec_samples, "strict")
    assert {x.shape[0] for x in engine.inputs} == {1}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda y: y[:, :2],  # fewer columns
        lambda y: np.where(y > 0.5, np.nan, y),
        lambda y: np.where(y > 0.5, np.inf, y),
    ],
)
def test_shapes_and_values_that_cannot_be_compared_differ_infinitely(rec_samples, tmp_path, spoil):
    parity = both(REC, rec_samples, says_ab, lambda x: spoil(says_ab(x)))
    assert parity.max_difference == np.inf
    assert parity.mean_difference == np.inf
    row = Row("max_difference", "rec.onnx", parity.max_difference, 1e-3)
    assert not row.passed
    report = {**parity.to_dict(), "gates": [row.to_dict()]}
    assert json.loads(json.dumps(report, allow_nan=False))["max_difference"] is None
    with pytest.raises(GateError, match=r"1 gates failed: max_difference not finite > 0\.001 \(rec\.onnx\)"):
        require_passed(report, tmp_path)


def test_not_a_number_on_both_sides_is_no_agreement():
    nothing = np.full((2, 2), np.nan, np.float32)
    assert difference(nothing, nothing).max() == np.inf


def test_differences_are_not_rounded_to_float32():
    a, b = np.array([1e8], np.float32), np.array([1e8 + 0.25], np.float64)
    assert difference(a, b)[0] == 0.25
    assert difference(np.array([0], np.uint8), np.array([255], np.uint8))[0] == 255


def test_no_samples_is_a_sentence():
    with pytest.raises(PpedgeError, match="no pictures"):
        compare(Fake("a", box_map), Fake("b", box_map), DET, [], "strict")
