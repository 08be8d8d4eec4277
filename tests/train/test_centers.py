"""Where the centres of enhanced CTC start, and that a checkpoint keeps them."""

import numpy as np
import paddle
import pytest

from courses import BoomError, course
from ppedge.errors import PpedgeError
from ppedge.models.weights import read_pdparams, state_of
from ppedge.progress import Reporter
from ppedge.runs import Run
from ppedge.storage import sha256
from ppedge.train.centers import start_centers
from ppedge.train.course import BEST, LAST, Course
from ppedge.train.loop import fit
from ppedge.train.stage import run_train
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import tiny_recipe


def with_centers(data, **center):
    """The recipe of a tiny recogniser with centres of its sequence model's features."""
    losses = [{"name": "CTC"}, {"name": "Center", "at": "neck", "weight": 0.05, **center}]
    return tiny_recipe("rec", data, train={"losses": losses})


def made(data, **center):
    """The same as a task, what is trained, and its training lines."""
    task = Task(with_centers(data, **center))
    return task, build_trainee(task, task.build()), task.samples("train")[0]


class Reads(paddle.nn.Layer):
    """A recogniser that reads of every line the class that its first pixel names, and has features of that number."""

    def __init__(self, classes):
        super().__init__()
        self.neck = paddle.nn.Identity()
        self.classes = classes

    def forward(self, picture):
        first = picture[:, 0, 0, 0].round().astype("int64").clip(0, self.classes - 1)
        columns = paddle.stack([first, paddle.zeros_like(first), first], axis=1)
        self.neck(paddle.stack([columns, columns * 2], axis=2).astype("float32"))
        return paddle.nn.functional.one_hot(columns, self.classes)


def test_centres_start_at_the_mean_of_what_is_read_correctly(rec_data, monkeypatch):
    task, trainee, samples = made(rec_data)
    classes = task.charset.size
    trainee.net = Reads(classes)
    trainee.net.eval()
    texts = [sample.text for sample in samples]
    say, told = [], {}

    def lines(self, key):
        # The first line shows class 5 twice and says so, the second shows class 7 twice and is labelled otherwise.
        shown, label = [(5, [5, 5]), (7, [8, 8])][key[1] % 2]
        image = np.full((3, 32, 64), shown, np.float32)
        told[key[1]] = shown
        return {"image": image, "label": np.array(label), "length": np.array(2), "width": np.array(64)}

    monkeypatch.setattr("ppedge.data.dataset.RecDataset.__getitem__", lines)
    start_centers(task, trainee, samples, say.append, resumes=False)
    loss = trainee.loss.terms[1].loss
    assert len(told) == len(texts)
    known = loss.known.numpy()
    assert known.sum() == 2 and known[0] == known[5] == 1, "the blank, and the class of the lines that are right"
    np.testing.assert_array_equal(loss.centers.numpy()[5], [5, 10])
    np.testing.assert_array_equal(loss.centers.numpy()[0], [0, 0])
    assert say == [f"Center: net reads {len(texts) // 2} of {len(texts)} training lines correctly; 2 of {classes} "
                   "classes have a centre of them, the others count nothing"]  # fmt: skip
    assert not trainee.net.neck._forward_post_hooks


def test_a_network_that_reads_nothing_has_no_centres_to_start_from(rec_data):
    task, trainee, samples = made(rec_data)
    with pytest.raises(PpedgeError, match=r"net reads none of 12 training lines correctly.*set start: random"):
        start_centers(task, trainee, samples, print, resumes=False)


def test_random_centres_depend_on_the_seed_alone(rec_data):
    found = []
    for _ in range(2):
        task, trainee, samples = made(rec_data, start="random")
        start_centers(task, trainee, samples, print, resumes=False)
        found.append(trainee.loss.terms[1].loss.centers.numpy())
    assert found[0].shape == (task.charset.size, 16)
    np.testing.assert_array_equal(*found)
    assert 0.8 < found[0].std() < 1.2


def test_a_checkpoint_keeps_centres_that_are_trained(rec_data, tmp_path):
    recipe = with_centers(rec_data, start="random", trained=True)
    whole = course(recipe, tmp_path / "whole")
    before = state_of(whole.trainee.loss)
    fit(whole)
    with pytest.raises(BoomError):
        fit(course(recipe, tmp_path / "cut", die_at=4))
    fit(course(recipe, tmp_path / "cut", resume=True))
    assert sha256(tmp_path / "cut" / BEST) == sha256(tmp_path / "whole" / BEST)
    kept = [read_pdparams(tmp_path / folder / LAST) for folder in ("whole", "cut")]
    assert all(np.array_equal(kept[0][n], kept[1][n]) for n in kept[0] if n != "position/metrics_bytes")
    centers = kept[0]["net/loss.learners.1.centers"]
    assert not np.array_equal(centers, before["learners.1.centers"])


def test_centres_stay_where_they_are_put_unless_they_are_trained(rec_data, tmp_path):
    task, trainee, samples = made(rec_data, start="random")
    start_centers(task, trainee, samples, print, resumes=False)
    before = state_of(trainee.loss)["learners.1.centers"]
    schedule = task.recipe.train.model_copy(update={"epochs": 1, "max_steps": 1})
    fit(Course("train", trainee, task, schedule, samples, task.samples("eval")[0][:1], tmp_path))
    assert np.array_equal(state_of(trainee.loss)["learners.1.centers"], before)


def test_slimming_has_no_centres(rec_data):
    assert [term.name for term in made(rec_data)[0].loss.terms] == ["CTC"]


def test_a_training_starts_its_centres(rec_data, tmp_path):
    """The train stage itself, from its recipe to its result."""
    losses = [{"name": "CTC"}, {"name": "Center", "at": "neck", "start": "random"}]
    recipe = tiny_recipe("rec", rec_data, train={"losses": losses, "max_steps": 2})
    run_train(recipe, Run(tmp_path / "run"), device="cpu", reporter=Reporter(quiet=True))
    assert read_pdparams(tmp_path / "run" / "train" / LAST)["net/loss.learners.1.centers"].shape[1] == 16
