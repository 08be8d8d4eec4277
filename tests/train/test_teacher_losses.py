"""Losses of distillation: values and gradients against PaddleOCR's own, and what they do where nothing is to learn."""

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.train.losses.center import CenterLoss
from ppedge.train.losses.ctc import CTCLoss
from ppedge.train.losses.db import DBLoss
from ppedge.train.losses.dilated import DilatedLoss, dilated
from ppedge.train.losses.mutual import DMLLoss, MSELoss
from ppedge.train.losses.teacher import CTCLogitsLoss, DKDLoss, KLLoss
from reference import Reference

LABELS = ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask")


@pytest.fixture(scope="module")
def det(shared_data):
    return Reference(shared_data, "losses_det")


@pytest.fixture(scope="module")
def rec(shared_data):
    return Reference(shared_data, "losses_rec")


def labels_of(det):
    return {name: paddle.to_tensor(det[f"det/label{number}"]) for number, name in enumerate(LABELS)}


def given(reference, case, *names, teacher=False):
    """What networks give in a case, each with its gradient on but the teacher's, which comes last."""
    arrays = [reference[name] for name in reference[f"{case}/inputs"]]
    tensors = [paddle.to_tensor(array, stop_gradient=False) for array in arrays]
    if teacher:
        tensors[-1].stop_gradient = True
    return tensors, [{name: tensor} for name, tensor in zip(names, tensors, strict=True)]


def require_gradients(reference, case, tensors, factor=1.0):
    for number, tensor in enumerate(tensors):
        if not tensor.stop_gradient:
            wanted = reference[f"{case}/grad{number}"] * factor
            np.testing.assert_allclose(tensor.grad.numpy(), wanted, atol=2e-5 * abs(wanted).max(), err_msg=f"{number}")


def test_a_dilated_teacher_is_paddleocrs(det):
    tensors, (student, teacher) = given(det, "dila", "maps", "maps", teacher=True)
    loss = DilatedLoss()(student, teacher, labels_of(det))["loss"]
    loss.backward()
    assert float(loss) == pytest.approx(float(det["dila/value/loss"]), rel=1e-5)
    require_gradients(det, "dila", tensors)


def test_mutual_learning_of_maps_is_paddleocrs_mean(det):
    """PaddleOCR's is a vector over the batch, and its gradient that of the sum."""
    tensors, maps = given(det, "dml_det", "maps", "maps")
    loss = DMLLoss("maps")(*maps, {})["loss"]
    loss.backward()
    batch = tensors[0].shape[0]
    assert float(loss) == pytest.approx(float(det["dml_det/value/loss"].mean()), rel=1e-5)
    require_gradients(det, "dml_det", tensors, 1 / batch)


def test_cml_is_the_sum_of_its_terms(det):
    """Two students, a teacher, labels: of PaddleOCR's vector the mean, and of its gradient the share of one picture."""
    tensors, (net, twin, teacher) = given(det, "cml", "maps", "maps", "maps", teacher=True)
    labels = labels_of(det)
    taught = [DilatedLoss()(one, teacher, labels)["loss"] for one in (net, twin)]
    labelled = [DBLoss("dice")(one, labels)["loss"] for one in (net, twin)]
    loss = sum(taught + labelled) + DMLLoss("maps")(net, twin, labels)["loss"]
    loss.backward()
    assert float(loss) == pytest.approx(float(det["cml/value/loss"].mean()), rel=1e-5)
    require_gradients(det, "cml", tensors[:2], 1 / tensors[0].shape[0])


def test_mutual_learning_of_logits_is_paddleocrs(rec):
    tensors, logits = given(rec, "dml_rec", "logits", "logits")
    loss = DMLLoss("logits")(*logits, {})["loss"]
    loss.backward()
    assert float(loss) == pytest.approx(float(rec["dml_rec/value/loss"]), rel=1e-5)
    require_gradients(rec, "dml_rec", tensors)


def test_distance_of_features_is_paddleocrs(rec):
    tensors, features = given(rec, "distance_l2", "backbone", "backbone")
    loss = MSELoss("backbone")(*features, {})["loss"]
    loss.backward()
    assert float(loss) == pytest.approx(float(rec["distance_l2/value/loss"]), rel=1e-5)
    require_gradients(rec, "distance_l2", tensors)


@pytest.mark.parametrize(("case", "loss"), [("kl_rec", KLLoss()), ("ctc_logits", CTCLogitsLoss())])
def test_logits_of_a_teacher_are_paddleocrs(rec, case, loss):
    tensors, (student, teacher) = given(rec, case, "logits", "logits", teacher=True)
    before = [tensor.numpy() for tensor in tensors]
    value = loss(student, teacher, {})["loss"]
    value.backward()
    assert float(value) == pytest.approx(float(rec[f"{case}/value/loss"]), rel=1e-5)
    require_gradients(rec, case, tensors)
    assert all(np.array_equal(*pair) for pair in zip(before, [t.numpy() for t in tensors], strict=True)), "in place"


def test_a_guides_teacher_is_paddleocrs(rec):
    """The right character and the others apart; PaddleOCR's labels of the guide are computed from CTC's here."""
    batch = {"label": paddle.to_tensor(rec["rec/ctc"]), "length": paddle.to_tensor(rec["rec/length"])}
    tensors, (student, teacher) = given(rec, "dkd", "logits", "logits", teacher=True)
    value = DKDLoss(padding=True)(student, teacher, batch)["loss"]
    value.backward()
    assert float(value) == pytest.approx(float(rec["dkd/value/loss"]), rel=1e-5)
    require_gradients(rec, "dkd", tensors)


def test_what_follows_a_texts_end_teaches_nothing(rec):
    """As PaddleOCR means it, and as its mask would do it."""
    batch = {"label": paddle.to_tensor(rec["rec/ctc"]), "length": paddle.to_tensor(rec["rec/length"])}
    tensors, (student, teacher) = given(rec, "dkd", "logits", "logits", teacher=True)
    DKDLoss()(student, teacher, batch)["loss"].backward()
    taught = (tensors[0].grad.numpy() != 0).any(axis=2).sum(axis=1)
    assert list(taught) == list(rec["rec/length"] + 1)


def test_centers_are_paddleocrs(rec):
    tensors, (features, logits) = given(rec, "center", "head.fc1", "logits")
    loss = CenterLoss("head.fc1")
    centers = rec["center/centers"]
    loss.start(centers, np.ones(len(centers), bool))
    value = loss({**features, **logits}, {})["loss"]
    value.backward()
    assert float(value) == pytest.approx(float(rec["center/value/loss_center"]), rel=1e-5)
    require_gradients(rec, "center", tensors[:1])
    assert tensors[1].grad is None, "the classes that are seen are no function to differentiate"


def test_ctc_is_paddleocrs(rec):
    batch = {"label": paddle.to_tensor(rec["rec/ctc"]), "length": paddle.to_tensor(rec["rec/length"])}
    tensors, (logits,) = given(rec, "ctc", "logits")
    value = CTCLoss()(logits, batch)["loss"]
    value.backward()
    assert float(value) == pytest.approx(float(rec["ctc/value/loss"]), rel=1e-5)
    require_gradients(rec, "ctc", tensors)


@pytest.mark.parametrize(("case", "loss"), [("kl_rec", KLLoss()), ("ctc_logits", CTCLogitsLoss()), ("dkd", DKDLoss())])
def test_the_one_that_teaches_learns_nothing(rec, case, loss):
    """It may be trained itself, by other terms."""
    batch = {"label": paddle.to_tensor(rec["rec/ctc"]), "length": paddle.to_tensor(rec["rec/length"])}
    tensors, (student, teacher) = given(rec, case, "logits", "logits")
    loss(student, teacher, batch)["loss"].backward()
    assert tensors[0].grad is not None and tensors[1].grad is None


def test_a_dilation_grows_down_and_right():
    probability = np.zeros((1, 4, 5), np.float32)
    probability[0, 1, 2], probability[0, 3, 4], probability[0, 0, 0] = 0.31, 0.9, 0.3
    grown = dilated(paddle.to_tensor(probability), 0.3).numpy()
    wanted = np.zeros((1, 4, 5), np.float32)
    wanted[0, 1:3, 2:4] = wanted[0, 3, 4] = 1
    np.testing.assert_array_equal(grown, wanted)


def test_the_weights_of_a_dilated_teacher_count(det):
    """PaddleOCR takes them and uses its own."""
    _, (student, teacher) = given(det, "dila", "maps", "maps", teacher=True)
    labels = labels_of(det)
    parts = [DilatedLoss(alpha=alpha)(student, teacher, labels) for alpha in (5.0, 10.0)]
    assert float(parts[1]["loss_shrink"]) == pytest.approx(2 * float(parts[0]["loss_shrink"]), rel=1e-5)
    assert float(parts[1]["loss_binary"]) == pytest.approx(float(parts[0]["loss_binary"]), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0], ids=["no text", "all text"])
def test_a_teacher_that_sees_nothing_or_all_leaves_gradients_finite(value):
    maps = paddle.full([1, 3, 8, 8], 0.5)
    maps.stop_gradient = False
    labels = {name: paddle.ones([1, 8, 8]) for name in LABELS}
    loss = DilatedLoss()({"maps": maps}, {"maps": paddle.full([1, 3, 8, 8], value)}, labels)["loss"]
    loss.backward()
    assert np.isfinite(float(loss)) and np.isfinite(maps.grad.numpy()).all()


def test_logits_of_the_certain_leave_gradients_finite():
    sure = np.full((1, 3, 4), -80, np.float32)
    sure[:, :, 1] = 80
    batch = {"label": paddle.to_tensor([[1, 1]]), "length": paddle.to_tensor([2])}
    for loss in (KLLoss(), CTCLogitsLoss(), DKDLoss()):
        student = paddle.to_tensor(np.tile(-sure, 2), stop_gradient=False)
        value = loss({"logits": student}, {"logits": paddle.to_tensor(np.tile(sure, 2))}, batch)["loss"]
        value.backward()
        assert np.isfinite(float(value)) and np.isfinite(student.grad.numpy()).all()


def test_a_class_without_a_center_counts_nothing():
    features = paddle.to_tensor(np.array([[[1.0, 0], [0, 3]]], np.float32))
    logits = paddle.to_tensor(np.array([[[9.0, 0], [0, 9]]], np.float32))
    loss = CenterLoss("head.fc1")
    loss.start(np.zeros((2, 2), np.float32), np.array([True, False]))
    assert float(loss({"head.fc1": features, "logits": logits}, {})["loss"]) == 0.5  # 1 of 2 columns


def test_features_that_are_none_of_columns_are_a_sentence():
    loss = CenterLoss("backbone")
    loss.start(np.zeros((2, 2), np.float32), np.ones(2, bool))
    with pytest.raises(PpedgeError, match=r"Center at backbone reads \[1, 8, 1, 4\] beside logits of \[1, 4, 2\]"):
        loss({"backbone": paddle.zeros([1, 8, 1, 4]), "logits": paddle.zeros([1, 4, 2])}, {})
