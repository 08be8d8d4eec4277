import json

import cv2
import numpy as np
import pytest

from fakes import Fake, workers
from ppedge.data.labelled import ClsSample, DetSample, RecSample
from ppedge.errors import PpedgeError
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess
from ppedge.validate.parity import changed_values, compare

DET = ModelSpec("det", det_preprocess=DetPreprocess(limit_side=32), det_postprocess=DbPostprocess())
REC = ModelSpec("rec", rec_preprocess=RecPreprocess(min_width=32), characters=("a", "b"))
CLS = ModelSpec("cls", cls_preprocess=ClsPreprocess(height=16, width=64), cls_postprocess=ClsPostprocess())
SHAPES = ["first", "wide", "tall", "tiny", "flipped"]


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


def says_bb(x):
    return says_ab(x)[:, [2, 1, 2, 1]]


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


def both(spec, samples, first, second, count=2, **options):
    told = []
    with workers(*(Fake("arm", second) for _ in range(count))) as pool:
        parity = compare(Fake("pc", first), pool, spec, samples, advance=told.append, **options)
    assert sum(told) == parity.samples == len(samples)
    assert (parity.reference, parity.candidate) == ("pc", "arm")
    json.dumps(parity.to_dict(), allow_nan=False)
    return parity


def test_the_same_engine_twice(det_samples):
    parity = both(DET, det_samples, box_map, box_map)
    assert parity.tensors.identical
    assert parity.agreement.to_dict() == {"share": 1.0, "reference": 3, "candidate": 3, "matched": 3}
    assert parity.reference_metrics == parity.candidate_metrics == {"precision": 1.0, "recall": 1.0, "hmean": 1.0}
    assert parity.drop().value == parity.max_difference == 0.0
    assert [shape.name for shape in parity.shapes] == SHAPES
    assert parity.broken_outputs == parity.repeat_differences == 0


@pytest.mark.parametrize("task", ["det", "rec"])
def test_results_do_not_depend_on_the_number_of_workers(task, det_samples, rec_samples):
    spec, samples = (DET, det_samples) if task == "det" else (REC, rec_samples)
    first, second = (box_map, lambda x: box_map(x) + 0.01 * x.mean()) if task == "det" else (says_ab, says_bb)
    found = [both(spec, samples, first, second, count).to_dict() for count in (1, 2, 3)]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("task", ["det", "rec"])
def test_one_process_gets_all_shapes_after_the_first_picture(task, det_samples, rec_samples):
    spec, samples = (DET, det_samples) if task == "det" else (REC, rec_samples)
    reference, one = (
        Fake("pc", box_map if task == "det" else says_ab),
        Fake("arm", box_map if task == "det" else says_ab),
    )
    with workers(one) as pool:
        compare(reference, pool, spec, samples)
    inputs = one.inputs
    assert len(inputs) == 1 + len(SHAPES) + 1 + 2  # a sample, the shapes, the first again, the other samples
    assert np.array_equal(inputs[1], inputs[6])
    sizes = [x.shape[2:] for x in inputs[1:6]]
    if task == "det":
        first, wide, tall, tiny, flipped = sizes
        assert wide[1] > 4 * wide[0] and tall[0] > 4 * tall[1] and tiny == (32, 32) and flipped == first[::-1]
        assert all(side % 32 == 0 for size in sizes for side in size)
    else:
        assert {height for height, _ in sizes} == {32}
        assert sizes[1][1] == 128  # four times the smallest width
        assert np.array_equal(inputs[0], inputs[1])
        assert {x.shape[0] for x in inputs} == {1}  # Paddle Lite takes batch 1 alone
    # The reference sees the same, each once.
    assert [x.tobytes() for x in reference.inputs] == [x.tobytes() for k, x in enumerate(inputs) if k != 6]


def test_a_shift_of_one_value(det_samples):
    def shifted(x):
        result = box_map(x)
        if x.shape[2:] == (32, 64) and x.mean() > 0:  # the third picture alone
            result[0, 0, 0, 0] += 0.25
        return result

    parity = both(DET, det_samples, box_map, shifted)
    assert parity.tensors.max_difference == parity.max_difference == 0.25
    assert parity.tensors.mean_difference == pytest.approx(0.25 / (3 * 32 * 64))
    assert parity.candidate_metrics == parity.reference_metrics
    assert not parity.agreement.different


def test_a_shape_that_goes_wrong(det_samples):
    def worse_when_tall(x):
        return box_map(x) + np.float32(0.125 * (x.shape[2] > 2 * x.shape[3]))

    parity = both(DET, det_samples, box_map, worse_when_tall)
    assert parity.tensors.identical
    assert {shape.name: shape.tensors.max_difference for shape in parity.shapes if not shape.tensors.identical} == {
        "tall": pytest.approx(0.125)
    }
    assert parity.max_difference == pytest.approx(0.125)


def test_a_runtime_that_remembers_an_earlier_shape(det_samples):
    """The user's complaint: wrong from the second picture on."""
    kept = []

    def remembers(x):
        kept.append(x.shape[2:])
        result = box_map(x)
        result[0, 0, 0, 0] += 1e-7 * (len(kept) > 6)
        return result

    parity = both(DET, det_samples, box_map, remembers, count=1)
    assert parity.repeat_differences == 1


def test_a_box_that_is_lost(det_samples):
    def loses(x):
        return box_map(x) * np.float32(x.mean() <= 0)

    parity = both(DET, det_samples, box_map, loses)
    assert parity.agreement.to_dict() == {"share": 0.8, "reference": 3, "candidate": 2, "matched": 2}
    assert [different.sample for different in parity.agreement.different] == [2]
    assert parity.candidate_metrics["recall"] == pytest.approx(2 / 3)
    assert parity.drop().value == pytest.approx(1 - 0.8)
    assert parity.differences["hmean"].low < -0.2 < parity.differences["hmean"].high == 0.0


def test_a_metric_that_falls(rec_samples):
    parity = both(REC, rec_samples, says_ab, says_bb)
    assert parity.reference_metrics["exact"] == pytest.approx(2 / 3)
    assert parity.candidate_metrics["exact"] == 0.0
    assert parity.tensors.max_difference == pytest.approx(0.7)
    assert [(one.reference.text, one.candidate.text) for one in parity.agreement.different] == [("ab", "bb")] * 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda y: y[:, :2],  # fewer columns
        lambda y: np.where(y > 0.5, np.nan, y),
        lambda y: np.where(y > 0.5, np.inf, y),
    ],
)
def test_outputs_that_cannot_be_compared_are_counted(rec_samples, spoil):
    parity = both(REC, rec_samples, says_ab, lambda x: spoil(says_ab(x)))
    assert parity.max_difference == np.inf
    assert parity.broken_outputs == 3 + len(SHAPES)
    told = parity.to_dict()
    assert told["tensors"]["max_difference"] is None and not told["tensors"]["identical"]


def test_a_map_of_nothing_but_nan(det_samples):
    parity = both(DET, det_samples, box_map, lambda x: np.full_like(box_map(x), np.nan))
    assert parity.broken_outputs == 3 + len(SHAPES)
    assert parity.repeat_differences == 0  # the same bits each time
    assert parity.agreement.to_dict() == {"share": 0.0, "reference": 3, "candidate": 0, "matched": 0}


@pytest.mark.parametrize(
    ("first", "again", "changed"),
    [
        (np.float32([1, 2, 3]), np.float32([1, 2, 3]), 0),
        (np.float32([0.0, 2]), np.float32([-0.0, 2]), 1),
        (np.float32([np.nan]), np.float32([np.nan]), 0),
        (np.float32([1, 2, 3]), np.nextafter(np.float32([1, 2, 3]), np.float32(9)), 3),
        (np.float32([[1, 2]]), np.float32([1, 2]), 2),
        (np.float32([]), np.float32([1]), 1),
        (np.float32([1]), np.float64([1]), 1),
    ],
)
def test_bits_that_changed(first, again, changed):
    assert changed_values(first, again) == changed


def test_no_samples_is_a_sentence():
    with pytest.raises(PpedgeError, match="no samples"), workers(Fake("arm", box_map)) as pool:
        compare(Fake("a", box_map), pool, DET, [])


def says_by_first_column(x):
    """Upside down where the line begins brighter than it goes on."""
    upside_down = (x[..., 0].mean(axis=(1, 2)) > x.mean(axis=(1, 2, 3))).astype(np.float32)
    return np.stack([1 - upside_down, upside_down], axis=1) * 0.8 + 0.1


def test_a_classifiers_directions_are_compared_as_strings(tmp_path):
    """Each line is seen as its sample says, turned or not; it has one size whatever the crop."""
    path = tmp_path / "line.png"
    cv2.imwrite(str(path), np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (16, 1, 3)))
    samples = [ClsSample(path, label, f"labels:{label}", None, label == "180") for label in ("0", "180")]
    parity = both(CLS, samples, says_by_first_column, says_by_first_column)
    assert parity.metric == "accuracy"
    assert parity.reference_metrics == parity.candidate_metrics == {"accuracy": 1.0}
    assert parity.agreement.to_dict() == {"share": 1.0, "lines": 2, "found": 2, "equal": 2}
    assert [shape.name for shape in parity.shapes] == SHAPES
    assert {shape.input_shape for shape in parity.shapes} == {(1, 3, 16, 64)}

    parity = both(CLS, samples, says_by_first_column, lambda x: np.tile(np.float32([0.9, 0.1]), (len(x), 1)))
    assert (parity.agreement.share, parity.drop().value) == (0.5, 0.5)
    (different,) = parity.agreement.different
    assert different.to_dict()["reference"]["text"] == different.label == "180"
    assert different.to_dict()["candidate"] == {"text": "0", "score": pytest.approx(0.9)}


def test_characters_that_the_recipe_ignores_are_ignored_on_both_sides(rec_samples):
    parity = both(REC, rec_samples, says_ab, lambda x: says_ab(x)[:, [1, 1, 2, 1]], ignore="a")
    assert parity.reference_metrics["exact"] == parity.candidate_metrics["exact"] == 1.0  # "ab" and "b" read "b"
    assert parity.agreement.to_dict()["share"] == 0.0  # from what the engines read nothing is left out
