import json
import math

import numpy as np
import pytest

from ppedge.metrics.tensors import TensorStatistics, tensor_parity


def test_figures_of_a_known_pair():
    found = tensor_parity(np.array([3.0, 4.0], np.float32), np.array([3.0, 4.5], np.float32))
    assert found.max_difference == 0.5
    assert found.mean_difference == 0.25
    assert found.snr_db == pytest.approx(20.0)  # 25 against 0.25
    assert found.cosine == pytest.approx((9 + 18) / (5 * math.sqrt(9 + 20.25)))


def test_samples_are_one_vector():
    rng = np.random.default_rng(0)
    pairs = [(a, a + rng.normal(0, 0.1, a.shape)) for a in (rng.normal(size=(2, 3)), rng.normal(size=(1, 7)))]
    statistics = TensorStatistics()
    for pair in pairs:
        statistics.add(*pair)
    whole = tensor_parity(*(np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1)))
    assert statistics.result().to_dict() == pytest.approx(whole.to_dict())
    assert statistics.broken == 0


def test_identical_tensors_have_no_noise():
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    found = tensor_parity(x, x.copy())
    assert found.snr_db == math.inf
    assert found.cosine == pytest.approx(1.0)
    assert found.to_dict() == {
        "identical": True, "max_difference": 0.0, "mean_difference": 0.0, "cosine": found.cosine, "snr_db": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "candidate", "cosine", "snr"),
    [
        ([0.0, 0.0], [0.0, 0.0], 1.0, math.inf),
        ([0.0, 0.0], [1.0, 0.0], 0.0, -math.inf),
        ([1.0, 0.0], [0.0, 0.0], 0.0, 0.0),
        ([1.0, 2.0], [-1.0, -2.0], -1.0, -10 * math.log10(4)),
    ],
)
def test_zeros_and_opposites(reference, candidate, cosine, snr):
    found = tensor_parity(np.array(reference), np.array(candidate))
    assert found.cosine == pytest.approx(cosine)
    assert found.snr_db == pytest.approx(snr)


@pytest.mark.parametrize(
    ("reference", "candidate", "broken"),
    [
        ([1.0, 2.0], [1.0, math.nan], 1),
        ([1.0, 2.0], [math.inf, 2.0], 1),
        ([1.0, 2.0], [1.0], 1),
        ([math.nan, 2.0], [math.nan, 2.0], 1),  # not a number on both sides is no agreement
        ([math.nan, 2.0], [1.0, 2.0], 0),
    ],
)
def test_what_cannot_be_compared_differs_infinitely(reference, candidate, broken):
    statistics = TensorStatistics()
    statistics.add(np.zeros(3), np.zeros(3))
    statistics.add(np.array(reference), np.array(candidate))
    found = statistics.result()
    assert statistics.broken == broken
    assert found.max_difference == math.inf
    assert not found.identical
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(told.values()) == {False, None}


def test_differences_are_not_rounded_to_float32():
    assert tensor_parity(np.array([1e8], np.float32), np.array([1e8 + 0.25])).max_difference == 0.25
    assert tensor_parity(np.array([0], np.uint8), np.array([255], np.uint8)).max_difference == 255
