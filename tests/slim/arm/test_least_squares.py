import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppedge.slim.arm.elimination import Fitted, eliminate
from ppedge.slim.arm.least_squares import Moments, bottleneck, fit


def gathered(x, y, parts=3):
    moments = Moments()
    for a, b in zip(np.array_split(x, parts), np.array_split(y, parts), strict=True):
        moments.add(a.astype(np.float32), b.astype(np.float32))
    return moments


def singly(moments, scale):
    """A layer that reads each channel once."""
    return [Fitted(moments, scale, np.arange(len(moments.means[0]))[:, None])]


def test_moments_are_those_of_all_samples_together():
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 2, (300, 5)), rng.normal(-1, 1, (300, 2))
    moments = gathered(x, y)
    xx, xy, yy = moments.covariances()
    both = np.cov(np.concatenate([x, y], 1).T, bias=True)
    np.testing.assert_allclose(xx, both[:5, :5], atol=1e-4)
    np.testing.assert_allclose(xy, both[:5, 5:], atol=1e-4)
    np.testing.assert_allclose(yy, np.diag(both[5:, 5:]), atol=1e-4)
    some = moments.of([4, 1])
    np.testing.assert_allclose(some.covariances()[1], xy[[4, 1]])
    np.testing.assert_allclose(some.means[0], moments.means[0][[4, 1]])


def test_far_from_zero_moments_are_as_good():
    """Single precision holds a deviation of 1 from 1000 badly once both are squared."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 1, (4000, 6)), rng.normal(0, 1, (4000, 2))
    near, far = gathered(x, y), gathered(x + 1000, y - 3000)
    for a, b in zip(near.covariances(), far.covariances(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)
    np.testing.assert_allclose(far.means[1], near.means[1] - 3000, atol=1e-2)
    np.testing.assert_allclose(far.of([2]).means[0], near.means[0][2] + 1000, atol=1e-2)


def test_a_fit_finds_an_affine_map_and_says_how_far_it_is():
    rng = np.random.default_rng(1)
    x, weight, bias = rng.normal(3, 1, (4000, 6)), rng.normal(0, 1, (6, 2)), np.array([5.0, -7.0])
    noise = rng.normal(0, [0.1, 0.5], (4000, 2))
    found = fit(gathered(x, x @ weight + bias + noise), scale=np.array([1.0, 2.0]))
    np.testing.assert_allclose(found.weight, weight, atol=0.05)
    np.testing.assert_allclose(found.bias, bias, atol=0.2)
    assert found.error == pytest.approx((0.1**2 / 1 + 0.5**2 / 4) / 2, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_errors_of_elimination_are_those_of_fitting_the_kept_channels(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (200, 12)) @ (np.eye(12) + rng.normal(0, 0.2, (12, 12)))
    y = x @ rng.normal(0, 1, (12, 3)) + rng.normal(0, 0.3, (200, 3))
    moments, scale = gathered(x, y), np.array([1.0, 2.0, 0.5])
    found = eliminate(singly(moments, scale), 4)
    assert sorted(found) == [4, 8, 12]
    for count, left in found.items():
        kept, error = left.kept, left.error
        assert len(kept) == count and kept == sorted(set(kept))
        assert error == pytest.approx(fit(moments.of(kept), scale).error, rel=0.02, abs=1e-4)
    assert set(found[4].kept) < set(found[8].kept) < set(found[12].kept)


def test_an_output_that_does_not_vary_has_no_say():
    """BatchNorm with a slope of 0 gives such; what is left of it is rounding."""
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, (500, 8))
    x[:, 4:] = x[:, :4]
    y = np.concatenate([x @ rng.normal(1, 0.1, (8, 3)), 300 + rng.normal(0, 1e-5, (500, 1))], 1)
    moments, scale = gathered(x, y), np.append(y[:, :3].std(0), 0.0)
    left = eliminate(singly(moments, scale), 4)[4]
    assert left.error < 1e-3 and sorted(k % 4 for k in left.kept) == [0, 1, 2, 3]
    assert fit(moments.of(left.kept), scale).error < 1e-3
    assert fit(moments.of(left.kept)).error < 1e-3


def test_channels_that_others_replace_go_first():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, (500, 8))
    x[:, 3] = x[:, 0] - 2 * x[:, 5] + rng.normal(0, 1e-3, 500)  # a sum of others
    x[:, 6] = 0.001 * rng.normal(0, 1, 500)  # dead
    y = x @ rng.normal(1, 0.1, (8, 4))
    left = eliminate(singly(gathered(x, y), y.std(0)), 6)[6]
    assert 6 not in left.kept and len({0, 3, 5} & set(left.kept)) == 2
    assert left.error < 1e-4


def test_channels_that_are_read_by_several_inputs_go_together_and_others_stay():
    """Two layers: one reads each channel three times, among inputs of others; the second wants another channel."""
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, (900, 6, 3))
    x[:, 5] = x[:, 0] - x[:, 2]
    others = rng.normal(0, 1, (900, 4))
    rows = 4 + np.arange(18).reshape(6, 3)
    both = np.concatenate([others, x.reshape(900, -1)], 1)
    weight = rng.normal(0, 1, (22, 5))
    weight[rows[1]] = 0  # the first does without channel 1
    single = x[:, :, 1]
    wants = single @ np.array([0, 3.0, 0, 0, 0, 0])[:, None]  # the second reads nothing else
    first = gathered(both, both @ weight)
    layers = [Fitted(first, first.deviations, rows), *singly(gathered(single, wants), wants.std(0))]
    found = eliminate(layers, 1, 4)
    assert sorted(found) == [4, 5, 6]
    gone = set(range(6)) - set(found[5].kept)
    assert gone < {0, 2, 5} and found[5].error < 1e-3
    assert found[4].error > 0.01 and 1 in found[4].kept
    alone = eliminate(layers[:1], 1, 4)
    assert 1 not in alone[4].kept and alone[4].error < 1e-3
    stays = np.setdiff1d(np.arange(22), rows[list(set(range(6)) - set(found[4].kept))])
    assert found[4].errors[0] == pytest.approx(fit(first.of(stays)).error, rel=0.02)


def test_channels_that_nearly_all_say_the_same_can_be_taken_out():
    """Single precision would make their covariance indefinite."""
    rng = np.random.default_rng(8)
    x = rng.normal(0, 1, (100, 1)) @ rng.uniform(50, 100, (1, 600)) + rng.normal(0, 1e-3, (100, 600))
    moments = gathered(x, x[:, :3])
    layer = Fitted(moments, moments.deviations, np.arange(600).reshape(200, 3))
    found = eliminate([layer], 8, 8)
    assert len(found[8].kept) == 8 and 0 <= found[8].error < 1e-3


def test_where_samples_are_few_a_fit_stays_at_its_start():
    rng = np.random.default_rng(7)
    start = rng.normal(0, 1, (60, 3))
    x, other = rng.normal(0, 1, (40, 60)), rng.normal(0, 1, (400, 60))
    noisy = x @ start + rng.normal(0, 0.5, (40, 3))

    def missed(found):
        return np.mean((other @ found.weight + found.bias - other @ start) ** 2)

    moments = gathered(x, noisy)
    drawn = missed(fit(moments, start=start))
    assert drawn < 0.5 * missed(fit(moments))
    exact = fit(gathered(x, x @ start), start=start, intercept=False)
    np.testing.assert_allclose(exact.weight, start, atol=0.01)
    assert not exact.bias.any()


def test_a_bottleneck_of_full_rank_loses_nothing_and_a_narrow_one_is_the_best():
    rng = np.random.default_rng(3)
    kernel = rng.normal(0, 1, (5, 8, 3, 3)).astype(np.float32)
    mixing = rng.normal(0, 1, (8, 8)) * np.geomspace(1, 0.01, 8)
    covariance = mixing @ mixing.T
    encoder, decoder = bottleneck(kernel, covariance, 8)
    np.testing.assert_allclose(decoder @ encoder, np.eye(8), atol=1e-3)

    def loss(encoder, decoder):
        lost = np.einsum("ockl,cd->odkl", kernel, np.eye(8) - decoder @ encoder)
        return np.einsum("ockl,cd,odkl->", lost, covariance, lost)

    encoder, decoder = bottleneck(kernel, covariance, 3)
    best = loss(encoder, decoder)
    assert 0 < best < loss(np.zeros((3, 8)), np.zeros((8, 3)))
    for _ in range(20):
        step = 0.02 * rng.normal(0, 1, (3, 8)) * np.abs(encoder).mean()
        assert loss(encoder + step, decoder) >= best * (1 - 1e-6)
        step = 0.02 * rng.normal(0, 1, (8, 3)) * np.abs(decoder).mean()
        assert loss(encoder, decoder + step) >= best * (1 - 1e-6)
