"""The flat start: evenly spread characters first, with a guide, then CTC; and nothing of it remains."""

import json
import os
import signal

import paddle
import pytest

from ppedge.errors import Interrupted
from ppedge.models.weights import read_pdparams, state_of
from ppedge.recipe.losses import NET
from ppedge.storage import sha256
from ppedge.train.course import BEST, LAST, METRICS, Course
from ppedge.train.loop import fit
from ppedge.train.losses.ctc import CTCLoss
from ppedge.train.losses.table import build_loss
from ppedge.train.task import Task
from ppedge.train.trainees.base import Trainee
from ppedge.train.trainees.build import build_trainee
from ppedge.train.trainees.flat_start import GUIDE, even_alignment, flat_loss
from small import tiny_recipe


def make_course(recipe, folder, **options):
    task = Task(recipe)
    return Course("train", build_trainee(task, task.build()), task, recipe.train, *samples_of(task), folder, **options)


def samples_of(task):
    return [task.samples(part)[0] for part in ("train", "eval")]


@pytest.mark.parametrize(
    ("label", "length", "filled", "expected"),
    [
        ([1, 2], 2, 1.0, [0, 1, 1, 0, 0, 2, 2, 0]),  # each character in the middle half of its share
        ([1, 2], 2, 0.5, [1, 1, 2, 2, 0, 0, 0, 0]),  # the image's padding is blank
        ([3, 9], 1, 0.5, [0, 3, 3, 0, 0, 0, 0, 0]),  # the label's padding is not spread
    ],
)
def test_even_alignment(label, length, filled, expected):
    aligned = even_alignment(
        paddle.to_tensor([label], "int32"), paddle.to_tensor([length]), paddle.to_tensor([filled], "float32"), 8
    )
    assert aligned.numpy().tolist() == [expected]


def test_losses_of_head_and_guide(rec_data):
    task = Task(tiny_recipe("rec", rec_data, train={"flat_start": 0.5}))
    task.loss = build_loss([], "rec", None, [NET], [NET])
    guided = build_trainee(task, task.build())
    paddle.seed(0)
    outputs = {NET: {"logits": paddle.randn([2, 8, 5])}, GUIDE: {"logits": paddle.randn([2, 8, 5])}}
    batch = {
        "label": paddle.to_tensor([[1, 2], [3, 0]], "int32"),
        "length": paddle.to_tensor([2, 1]),
        "filled": paddle.to_tensor([1.0, 0.5]),
    }
    aligned = even_alignment(batch["label"], batch["length"], batch["filled"], 8)

    def wanted(logits):
        log_p = paddle.nn.functional.log_softmax(logits, axis=-1)
        return -float(paddle.take_along_axis(log_p, aligned.unsqueeze(-1), axis=-1).sum()) / 2

    parts = {name: float(value) for name, value in guided.losses(outputs, batch, 0.4).items()}
    assert parts["loss_head"] == pytest.approx(wanted(outputs[NET]["logits"]), rel=1e-5)
    assert parts["loss_guide"] == pytest.approx(wanted(outputs[GUIDE]["logits"]), rel=1e-5)
    assert parts["loss"] == pytest.approx(parts["loss_head"] + parts["loss_guide"])
    late = guided.losses(outputs, batch, 0.5)
    assert float(late["loss_head"]) == pytest.approx(float(CTCLoss()(outputs[NET], batch)["loss"]))


def test_only_the_network_is_kept_and_a_resumed_course_repeats_itself(rec_data, tmp_path):
    """Interrupted in the flat start; the guide and its moments go on from the checkpoint."""
    recipe = tiny_recipe("rec", rec_data, train={"epochs": 4, "batch_size": 4, "flat_start": 0.5})
    whole = fit(make_course(recipe, tmp_path / "whole"))
    log = [json.loads(line) for line in (tmp_path / "whole" / METRICS).read_text().splitlines()]
    steps = [entry for entry in log if "loss" in entry]
    assert all(entry["loss"] == pytest.approx(entry["loss_head"] + entry["loss_guide"]) for entry in steps)
    course = make_course(recipe, tmp_path / "whole")
    assert read_pdparams(tmp_path / "whole" / BEST).keys() == state_of(course.trainee.net).keys()

    stopped = make_course(recipe, tmp_path / "cut")
    count = iter(range(100))

    def stop():
        if next(count) == whole.steps // 4:
            os.kill(os.getpid(), signal.SIGINT)

    stopped.trainee.after_step = stop
    with pytest.raises(Interrupted):
        fit(stopped)
    assert any(name.startswith("net/heads.") for name in read_pdparams(tmp_path / "cut" / LAST))
    fit(make_course(recipe, tmp_path / "cut", resume=True))
    assert sha256(tmp_path / "cut" / BEST) == sha256(tmp_path / "whole" / BEST)


def test_the_guide_teaches_the_backbone_and_shares_no_moments(rec_data):
    task = Task(tiny_recipe("rec", rec_data, train={"flat_start": 0.5}))
    net = task.build()
    guided = build_trainee(task, net)
    names = [parameter.name for parameter in guided.parameters()]
    assert len(set(names)) == len(names)
    guided.train()
    guided.begin()
    guided({"image": paddle.randn([2, 3, 32, 64])})[GUIDE]["logits"].sum().backward()
    guided.end()
    assert all(p.grad is not None for p in net.backbone.parameters() if not p.stop_gradient)
    assert all(p.grad is None for p in net.head.parameters())


def test_ctc_takes_over(rec_data, tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(
        "ppedge.train.trainees.flat_start.flat_loss", lambda *given: used.append("flat") or flat_loss(*given)
    )
    recipe = tiny_recipe("rec", rec_data, train={"epochs": 4, "batch_size": 4, "flat_start": 0.5})
    course = make_course(recipe, tmp_path)
    course.task.loss.register_forward_post_hook(lambda *_: used.append("ctc"))
    result = fit(course)
    assert used == ["flat"] * result.steps + ["ctc"] * result.steps  # of head and guide, each half of the steps


def test_later_courses_start_with_ctc(rec_data, tmp_path):
    """The recipe's flat start is the train stage's own: fine-tuning a network that reads must not undo it."""
    recipe = tiny_recipe("rec", rec_data, train={"epochs": 1, "batch_size": 4, "flat_start": 1.0})
    task = Task(recipe)
    fit(Course("later", Trainee(task.build(), task.loss), task, recipe.train, *samples_of(task), tmp_path))
    assert "loss_guide" not in (tmp_path / METRICS).read_text()
