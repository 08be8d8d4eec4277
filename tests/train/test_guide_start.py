"""What guides start from: the checkpoint of a training has them within the network's head."""

import numpy as np
import pytest

from ppedge.errors import PpedgeError
from ppedge.models.weights import state_of, write_pdparams
from ppedge.progress import Reporter
from ppedge.train.start import start_weights
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import tiny_recipe

MODEL = {
    "backbone": {
        "name": "MobileNetV1Enhance", "scale": 0.125, "last_conv_stride": [1, 2], "last_pool_type": "avg",
    },
    "neck": None,
    "head": {"name": "MultiHead"},
}  # fmt: skip
GUIDED = {
    "v3": ("SARHead", {"enc_dim": 8}, {"": "head.sar_head."}),
    "v4": ("NRTRHead", {"nrtr_dim": 32}, {"": "head."}),
}


def guided(root, line, charset, **train):
    """Return a tiny recipe of a recogniser with the guide of a PP-OCR line."""
    name, keys, _ = GUIDED[line]
    losses = [{"name": "CTC"}, {"name": name.removesuffix("Head"), "of": [f"net.{name}"]}]
    return tiny_recipe("rec", root, model=MODEL, data={"charset": charset}, rec_preprocess={"height": 48},
                       train={"guides": [{"name": name, **keys}], "losses": losses, **train})  # fmt: skip


def guided_start(recipe):
    """Return a trainee that starts as its recipe says, and what was said."""
    task, reporter, said = Task(recipe), Reporter(quiet=True), []
    reporter.say = said.append
    net = task.build()
    start_weights(net, task, reporter)
    return build_trainee(task, net, reporter.say), said


@pytest.fixture(params=list(GUIDED))
def checkpoint(request, tmp_path):
    """A line, and what PaddleOCR would save of its training: the guide is within the head, the student has a prefix."""
    trainee, _ = guided_start(guided(tmp_path, request.param, "en_number"))
    (head,), (prefix,) = trainee.heads, GUIDED[request.param][2].values()
    net, guide = state_of(trainee.net), state_of(head)
    state = net | {f"{prefix}{name}": value for name, value in guide.items()}
    path = tmp_path / "checkpoint.pdparams"
    both = {
        f"{part}.{name}": value + k for k, part in enumerate(("Student", "Teacher")) for name, value in state.items()
    }
    write_pdparams(path, both)
    return request.param, path, net | guide


def test_guides_start_from_the_checkpoint_of_a_training(checkpoint, tmp_path):
    line, path, wanted = checkpoint
    trainee, said = guided_start(guided(tmp_path, line, "en_number", weights=str(path)))
    found = state_of(trainee.net) | state_of(trainee.heads[0])
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in found)
    assert said == [f"train.weights {path}: the checkpoint of a distillation, of which Student is taken"]


def test_a_guide_that_weights_lack_starts_fresh_and_it_is_said(checkpoint, tmp_path):
    line, path, _ = checkpoint
    name = GUIDED[line][0]
    exported = tmp_path / "exported.pdparams"
    write_pdparams(exported, state_of(guided_start(guided(tmp_path, line, "en_number"))[0].net))
    _, said = guided_start(guided(tmp_path, line, "en_number", weights=str(exported)))
    assert said == [f"train.weights {exported}: it has no {name}, as exported networks have none: that starts fresh"]


def test_a_guides_classes_start_fresh_for_another_character_set(checkpoint, tmp_path):
    line, path, wanted = checkpoint
    trainee, said = guided_start(guided(tmp_path, line, "plates", weights=str(path)))
    found, (guide,) = state_of(trainee.heads[0]), trainee.heads
    for name, value in found.items():
        assert np.array_equal(value, wanted[name]) != (name in guide.of_classes), name
    assert "its head has 97 classes and data.charset has 68: head.ctc_head.fc.weight, head.ctc_head.fc.bias" in said[1]
    assert said[2].endswith(f"has other classes: {', '.join(guide.of_classes)} start fresh")


def test_another_guide_is_refused(checkpoint, tmp_path):
    line, path, _ = checkpoint
    recipe = guided(tmp_path, line, "en_number", weights=str(path))
    key = {"v3": "enc_dim", "v4": "nrtr_dim"}[line]
    other = recipe.train.guides[0].model_copy(update={key: 64})
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"guides": [other]})})
    with pytest.raises(PpedgeError, match=rf"checkpoint.pdparams, {other.name}: the weights do not fit"):
        guided_start(recipe)
