import numpy as np
import paddle
import pytest

from ppedge.train.losses.cross_entropy import ClsLoss
from ppedge.train.losses.ctc import CTCLoss
from ppedge.train.losses.db import DBLoss
from reference import Reference

EPS = 1e-6
NAMES = {"loss": "loss", "loss_shrink_maps": "loss_shrink", "loss_threshold_maps": "loss_threshold",
         "loss_binary_maps": "loss_binary", "loss_cbn": "loss_cbn"}  # fmt: skip


def batch_of(shrink, shrink_mask, threshold, threshold_mask):
    names = ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")
    arrays = (shrink, shrink_mask, threshold, threshold_mask)
    return {name: paddle.to_tensor(array.astype(np.float32)) for name, array in zip(names, arrays, strict=True)}


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    maps = rng.uniform(0.02, 0.98, (2, 3, 8, 10)).astype(np.float32)
    shrink = (rng.random((2, 8, 10)) < 0.15).astype(np.float32)
    mask = (rng.random((2, 8, 10)) < 0.9).astype(np.float32)
    return maps, shrink, mask, rng.random((2, 8, 10)), (rng.random((2, 8, 10)) < 0.3).astype(np.float32)


def test_db_loss_is_the_formula(case):
    maps, shrink, mask, threshold, threshold_mask = case
    p, t, b = maps.astype(np.float64).transpose(1, 0, 2, 3)
    cross_entropy = -(shrink * np.log(p) + (1 - shrink) * np.log(1 - p))
    positive = cross_entropy[(shrink == 1) & (mask == 1)]
    negative = np.sort(cross_entropy[(shrink == 0) & (mask == 1)])[::-1][: 3 * len(positive)]
    assert len(negative) < ((shrink == 0) & (mask == 1)).sum(), "the ratio must bite"
    bce = (positive.sum() + negative.sum()) / (len(positive) + len(negative) + EPS)
    l1 = (np.abs(t - threshold) * threshold_mask).sum() / (threshold_mask.sum() + EPS)
    dice = 1 - 2 * (b * shrink * mask).sum() / ((b * mask).sum() + (shrink * mask).sum() + EPS)
    losses = DBLoss()({"maps": paddle.to_tensor(maps)}, batch_of(shrink, mask, threshold, threshold_mask))
    assert float(losses["loss_shrink"]) == pytest.approx(5 * bce, rel=1e-5)
    assert float(losses["loss_threshold"]) == pytest.approx(10 * l1, rel=1e-5)
    assert float(losses["loss_binary"]) == pytest.approx(dice, rel=1e-5)
    assert float(losses["loss"]) == pytest.approx(5 * bce + 10 * l1 + dice, rel=1e-5)


def test_db_loss_of_perfect_maps_is_zero(case):
    _, shrink, mask, threshold, threshold_mask = case
    maps = np.stack([shrink, threshold, shrink], axis=1).astype(np.float32)
    losses = DBLoss()({"maps": paddle.to_tensor(maps)}, batch_of(shrink, mask, threshold, threshold_mask))
    assert float(losses["loss"]) == pytest.approx(0, abs=1e-4)


def test_dice_and_focal_loss_are_those_that_pp_ocrv6_is_trained_by(case):
    """Of the probability and the binary map, of any maps of an output; the focal loss is Paddle's own, of logits."""
    maps, shrink, mask, threshold, threshold_mask = case
    maps[0, 0, 0, :2] = 0, 1  # what is clipped
    given = {"maps_p3": paddle.to_tensor(maps), "maps": paddle.zeros([2, 1, 8, 10])}
    loss = DBLoss("dice_focal", focal_alpha=0.25, focal_gamma=2.5, at="maps_p3")
    losses = loss(given, batch_of(shrink, mask, threshold, threshold_mask))
    wanted = []
    for p in (maps[:, 0], maps[:, 2]):
        dice = 1 - 2 * (p * shrink * mask).sum() / ((p * mask).sum() + (shrink * mask).sum() + EPS)
        clipped = np.clip(p, EPS, 1 - EPS)
        logits, label = paddle.to_tensor(np.log(clipped / (1 - clipped))), paddle.to_tensor(shrink)
        focal = paddle.nn.functional.sigmoid_focal_loss(logits, label, alpha=0.25, gamma=2.5, reduction="none").numpy()
        wanted.append(dice + (focal * mask).sum() / (mask.sum() + EPS))
    assert float(losses["loss_shrink"]) == pytest.approx(5 * wanted[0], rel=1e-5)
    assert float(losses["loss_binary"]) == pytest.approx(wanted[1], rel=1e-5)
    assert float(losses["loss"]) == pytest.approx(
        sum(float(losses[name]) for name in losses if name != "loss"), rel=1e-5
    )


@pytest.mark.parametrize("main", ["bce", "dice_focal"])
@pytest.mark.parametrize("target", [0.0, 1.0], ids=["no text", "all text"])
@pytest.mark.parametrize("mask", [0.0, 1.0], ids=["all ignored", "none ignored"])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_db_loss_and_gradient_stay_finite(target, mask, value, main):
    plane = np.ones((1, 8, 8))
    maps = paddle.full([1, 3, 8, 8], value)
    maps.stop_gradient = False
    loss = DBLoss(main)({"maps": maps}, batch_of(plane * target, plane * mask, plane * 0.5, plane * mask))["loss"]
    loss.backward()
    assert np.isfinite(float(loss))
    assert np.isfinite(maps.grad.numpy()).all()


def test_db_loss_ignores_what_is_masked(case):
    maps, shrink, mask, threshold, threshold_mask = case
    tensor = paddle.to_tensor(maps, stop_gradient=False)
    DBLoss()({"maps": tensor}, batch_of(shrink, mask, threshold, threshold_mask))["loss"].backward()
    gradient = tensor.grad.numpy()
    assert (gradient[:, 0][mask == 0] == 0).all()
    assert (gradient[:, 1][threshold_mask == 0] == 0).all()
    assert (gradient[:, 2][mask == 0] == 0).all()
    assert (gradient[:, 0][(mask == 1) & (shrink == 1)] < 0).all()


@pytest.mark.parametrize("case", ["db", "db_bce", "db_no_text", "db_all_text", "db_pf"])
def test_db_loss_has_paddleocrs_values_and_gradients(shared_data, case):
    """Of batches with and without text, and of a head that refines its map."""
    wanted = Reference(shared_data, "losses_det")
    inputs = [paddle.to_tensor(wanted[name], stop_gradient=False) for name in wanted[f"{case}/inputs"]]
    threshold, threshold_mask, shrink, mask = (wanted[f"det/label{number}"] for number in range(4))
    if case == "db_no_text":
        shrink, threshold_mask = np.zeros_like(shrink), np.zeros_like(threshold_mask)
    if case == "db_all_text":
        shrink = np.ones_like(shrink)
    losses = DBLoss(main="bce" if case == "db_bce" else "dice")(
        dict(zip(("maps", "cbn_maps"), inputs, strict=False)), batch_of(shrink, mask, threshold, threshold_mask)
    )
    losses["loss"].backward()
    for official, name in NAMES.items():
        assert float(losses.get(name, 0.0)) == pytest.approx(wanted[f"{case}/value/{official}"].item(), rel=2e-6)
    for number, tensor in enumerate(inputs):
        np.testing.assert_allclose(tensor.grad.numpy(), wanted[f"{case}/grad{number}"], rtol=2e-5, atol=1e-9)


def ctc(logits, label):
    """Negative log likelihood by the forward algorithm over the label with blanks between."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    path = [0]
    for character in label:
        path += [character, 0]
    alpha = np.zeros(len(path))
    alpha[: min(2, len(path))] = p[0, path[:2]]
    for column in p[1:]:
        previous = alpha.copy()
        for s, character in enumerate(path):
            total = previous[s] + (previous[s - 1] if s > 0 else 0)
            if s > 1 and character != 0 and character != path[s - 2]:
                total += previous[s - 2]
            alpha[s] = total * column[character]
    return -np.log(alpha[-2:].sum())


def ctc_batch(labels):
    width = max(map(len, labels))
    padded = np.array([[*label, *[0] * (width - len(label))] for label in labels], np.int32)
    return {"label": paddle.to_tensor(padded), "length": paddle.to_tensor([len(label) for label in labels])}


def test_ctc_loss_is_the_formula():
    logits = np.random.default_rng(1).normal(size=(3, 7, 5)).astype(np.float32)
    labels = [[1, 2, 3], [4, 4], [2, 1, 1, 3, 2]]
    expected = np.mean([ctc(x, label) for x, label in zip(logits.astype(np.float64), labels, strict=True)])
    loss = CTCLoss()({"logits": paddle.to_tensor(logits)}, ctc_batch(labels))["loss"]
    assert loss.shape == []
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("impossible", [[1, 2, 3, 4, 1], [1, 1, 1]], ids=["too long", "too many repeats"])
def test_impossible_labels_count_as_nothing_lost(impossible):
    logits = np.random.default_rng(2).normal(size=(2, 4, 5)).astype(np.float32)
    tensor = paddle.to_tensor(logits, stop_gradient=False)
    loss = CTCLoss()({"logits": tensor}, ctc_batch([[1, 2], impossible]))["loss"]
    loss.backward()
    assert float(loss) == pytest.approx(ctc(logits[0].astype(np.float64), [1, 2]) / 2, rel=1e-5)
    assert np.isfinite(tensor.grad.numpy()).all()
    assert (tensor.grad.numpy()[1] == 0).all()
    assert (tensor.grad.numpy()[0] != 0).any()


def test_only_impossible_labels_give_zero():
    tensor = paddle.rand([1, 2, 5])
    tensor.stop_gradient = False
    loss = CTCLoss()({"logits": tensor}, ctc_batch([[1, 2, 3]]))["loss"]
    loss.backward()
    assert float(loss) == 0
    assert (tensor.grad.numpy() == 0).all()


def test_labels_that_just_fit_count():
    logits = np.random.default_rng(3).normal(size=(2, 3, 4)).astype(np.float32)
    expected = np.mean([ctc(logits[0].astype(np.float64), [1, 1]), ctc(logits[1].astype(np.float64), [1, 2, 3])])
    loss = CTCLoss()({"logits": paddle.to_tensor(logits)}, ctc_batch([[1, 1], [1, 2, 3]]))["loss"]
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_classes_that_read_the_same_are_equally_right():
    """Against the sum of the likelihoods of all labels that read the same."""
    logits = np.random.default_rng(5).normal(size=(1, 4, 5)).astype(np.float32)
    loss = CTCLoss([0, 1, 2, 1, 4])({"logits": paddle.to_tensor(logits)}, ctc_batch([[3, 2]]))["loss"]
    # Class 3 reads as class 1: one class with the probabilities of both.
    p = np.exp(logits[0].astype(np.float64))
    p /= p.sum(axis=-1, keepdims=True)
    merged = np.stack([p[:, 0], p[:, 1] + p[:, 3], p[:, 2], p[:, 4]], axis=1)
    assert float(loss) == pytest.approx(ctc(np.log(merged), [1, 2]), rel=1e-4)


def test_merged_classes_have_finite_gradients():
    logits = paddle.to_tensor(np.array([[[50.0, -50, -50], [-50, 50, -50]]], np.float32), stop_gradient=False)
    loss = CTCLoss([0, 1, 1])({"logits": logits}, ctc_batch([[2]]))["loss"]
    loss.backward()
    assert float(loss) == pytest.approx(0, abs=1e-5)
    assert np.isfinite(logits.grad.numpy()).all()


def test_a_classifiers_loss_is_cross_entropy():
    logits = np.array([[2.0, -1.0], [0.5, 0.5]], np.float32)
    loss = ClsLoss()({"logits": paddle.to_tensor(logits)}, {"label": paddle.to_tensor(np.array([1, 0]))})["loss"]
    assert loss.shape == []
    assert float(loss) == pytest.approx((np.log1p(np.exp(3.0)) + np.log(2)) / 2, rel=1e-6)
