"""Whole steps of distillation against PaddleOCR's: what networks give, each term, gradients and running statistics."""

from typing import NamedTuple

import numpy as np
import paddle
import pytest

from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from reference import Reference, fill, official_state, require_same_state
from small import tiny_recipe

DET_LABELS = ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask")
V2_STUDENT = {"backbone": {"name": "MobileNetV3", "model_name": "large", "scale": 0.5},
              "neck": {"name": "DBFPN", "out_channels": 96}, "head": {"name": "DBHead"}}  # fmt: skip
DML_OF_MAPS = {"name": "DML", "between": ["net", "twin"], "at": "maps"}


class Case(NamedTuple):
    """A fixture, and the recipe that does the same.

    Attributes:
        task: Of the recipe.
        official: PaddleOCR's name of each network.
        model: The network that ships.
        train: What helps it.
        terms: PaddleOCR's name of each of our terms, or the beginning of several.
    """

    task: str
    official: dict
    model: dict
    train: dict
    terms: dict


CASES = {
    "v2_det_dml": Case(
        "det",
        {"net": "Student", "twin": "Teacher"},
        V2_STUDENT,
        {"peers": {"twin": {}}, "losses": [{"name": "DB"}, DML_OF_MAPS]},
        {"loss_DB_net": "DBLoss_Student_", "loss_DB_twin": "DBLoss_Teacher_", "loss_DML_net_twin": "dml_"},
    ),
}


class Step:
    """One step of a case, taken once for all tests of it."""

    def __init__(self, shared, name, folder):
        self.case, self.reference = CASES[name], Reference(shared, name)
        self.rows = official_state(shared, name)
        recipe = tiny_recipe(self.case.task, folder, model=self.case.model, train=self.case.train)
        task = Task(recipe)
        self.trainee = build_trainee(task, task.build())
        for ours, official in self.case.official.items():
            fill(self.trainee.networks()[ours], prefix=f"{official}.")
        self.batch = {"image": self.reference.picture, **dict(zip(DET_LABELS, self.reference.batch, strict=True))}
        tensors = {key: paddle.to_tensor(value) for key, value in self.batch.items()}
        self.trainee.train()
        self.trainee.begin()
        self.outputs = self.trainee(tensors)
        self.parts = self.trainee.losses(self.outputs, tensors, 0.0)
        self.parts["loss"].backward()
        self.trainee.end()


@pytest.fixture(scope="module", params=sorted(CASES))
def step(request, shared_data, tmp_path_factory):
    return Step(shared_data, request.param, tmp_path_factory.mktemp(request.param))


def test_names_shapes_and_what_is_trained_are_paddleocrs(step):
    for ours, official in step.case.official.items():
        rows = [
            {**row, "name": row["name"].removeprefix(f"{official}.")}
            for row in step.rows
            if row["name"].startswith(f"{official}.")
        ]
        net = step.trainee.networks()[ours]
        require_same_state(net, rows)
        frozen = {row["name"] for row in rows if row.get("trainable") is False}
        assert frozen == {name for name, tensor in net.state_dict().items() if tensor.stop_gradient}


def test_outputs_in_training_are_paddleocrs(step):
    for ours, official in step.case.official.items():
        found = step.outputs[ours]["maps"].numpy()[:, :, ::2, ::2]
        wanted = step.reference[f"train/{official}/maps"]
        np.testing.assert_allclose(found[:, :2], wanted[:, :2], atol=5e-5)
        np.testing.assert_allclose(found[:, 2], wanted[:, 2], atol=5e-4)  # k = 50 amplifies


def test_each_term_is_paddleocrs(step):
    losses = step.reference.under("loss")
    for ours, official in step.case.terms.items():
        wanted = sum(float(np.mean(value)) for key, value in losses.items() if key.startswith(official))
        assert float(step.parts[ours]) == pytest.approx(wanted, rel=1e-4), ours
    assert float(step.parts["loss"]) == pytest.approx(float(losses["loss"].mean()), rel=1e-4)


def test_gradients_are_paddleocrs(step):
    """PaddleOCR's loss is a vector where it has mutual learning of maps; its gradient is that of the sum."""
    pictures = step.reference["loss/loss"].size
    parameters = {
        f"{official}.{name}": parameter
        for ours, official in step.case.official.items()
        for name, parameter in step.trainee.networks()[ours].named_parameters()
    }
    for name, norm in step.reference.gradient_norms():
        assert pictures * float(parameters[name].grad.norm()) == pytest.approx(norm, rel=2e-3, abs=1e-5), name
    first = next(iter(step.reference.gradient_norms()))[0]
    wanted = step.reference["grad/first"]
    np.testing.assert_allclose(pictures * parameters[first].grad.numpy(), wanted, atol=2e-3 * abs(wanted).max())


def test_running_statistics_are_paddleocrs(step):
    after = step.reference.under("after")
    for ours, official in step.case.official.items():
        state = step.trainee.networks()[ours].state_dict()
        for key, wanted in after.items():
            name = key.removeprefix(f"{official}.")
            if name != key:
                np.testing.assert_allclose(state[name].numpy(), wanted, rtol=1e-4, atol=1e-5, err_msg=key)
