"""A checkpoint that reads as weights and is none that this ppedge wrote: a sentence, and nothing is trained on it."""

import json

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models.weights import read_pdparams, write_pdparams
from ppedge.train.course import LAST, METRICS, Course
from ppedge.train.loop import fit
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import tiny_recipe

STEP, FINGERPRINT = "position/step", "position/fingerprint"


def course(data, folder):
    recipe = tiny_recipe("rec", data, train={"max_steps": 2, "checkpoint_every": 1, "eval_every": 9})
    task = Task(recipe)
    samples = [task.samples(part)[0] for part in ("train", "eval")]
    return Course("train", build_trainee(task, task.build()), task, recipe.train, *samples, folder, resume=True)


@pytest.fixture(scope="module")
def stopped(rec_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped")
    fit(course(rec_data, folder))
    return folder


def first(state, moment):
    return next(name for name in state if name.startswith("optimizer/") and name.endswith(moment))


def change_to(name, value):
    return lambda state: state.update({name: np.array(value)})


DAMAGE = {
    "no position": lambda state: [state.pop(name) for name in list(state) if name.startswith("position/")],
    "no step": lambda state: state.pop(STEP),
    "no fingerprint": lambda state: state.pop(FINGERPRINT),
    "another key": change_to("position/x", 1),
    "a vector": change_to(STEP, [1, 2]),
    "negative": change_to(STEP, -5),
    "not a number": change_to(STEP, np.nan),
    "half a step": change_to(STEP, 1.5),
    "beyond the end": change_to(STEP, 3),
    "best beyond": change_to("position/best_step", 3),
    "infinite": change_to(STEP, np.inf),
    "of an earlier version": change_to("position/best", 0.5),
    "a longer log": change_to("position/metrics_bytes", 1 << 40),
    "a fingerprint of numbers": change_to(FINGERPRINT, [0.5, 1.5]),
    "a fingerprint that is no text": change_to(FINGERPRINT, np.array([255, 0], np.uint8)),
    "a moment of another shape": lambda state: state.update({first(state, "moment1_0"): np.zeros(3, np.float32)}),
    "a moment of another type": lambda state: state.update(
        {first(state, "moment1_0"): state[first(state, "moment1_0")].astype(np.float64)}
    ),
    "a power of another shape": lambda state: state.update({first(state, "beta1_pow_acc_0"): np.ones(2, np.float32)}),
    "a moment less": lambda state: state.pop(first(state, "moment2_0")),
    "a moment more": lambda state: state.update({f"{first(state, 'moment1_0')}x": np.zeros(1, np.float32)}),
    "a moment of nothing": change_to("optimizer/x", np.float32(1)),
    "a weight less": lambda state: state.pop(next(name for name in state if name.startswith("net/"))),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_one_sentence(rec_data, stopped, tmp_path, damage):
    state = read_pdparams(stopped / LAST)
    damage(state)
    write_pdparams(tmp_path / LAST, state)
    (tmp_path / METRICS).write_bytes((stopped / METRICS).read_bytes())
    with pytest.raises(PpedgeError) as error:
        fit(course(rec_data, tmp_path))
    assert error.value.exit_code == 2
    assert str(tmp_path) in error.value.message and str(error.value).isprintable()
    assert (tmp_path / METRICS).read_bytes() == (stopped / METRICS).read_bytes()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "metrics.jsonl:3: not JSON"),
        ("3", "metrics.jsonl:3: not an evaluation"),
        ('{"step": "x", "eval": {}}', "metrics.jsonl:3: not an evaluation (step: "),
        ('{"step": 2, "eval": {"exact": []}}', "metrics.jsonl:3: not an evaluation (eval.exact: "),
        ('{"step": 3, "eval": {"exact": 1.0}}', "metrics.jsonl: lacks the evaluation after step 2"),
    ],
)
def test_a_log_that_is_damaged(rec_data, stopped, tmp_path, line, told):
    kept = (stopped / METRICS).read_text().splitlines()
    assert [("eval" in json.loads(one)) for one in kept] == [False, False, True]
    text = "\n".join([*kept[:2], line.ljust(len(kept[2]))]) + "\n"
    (tmp_path / METRICS).write_text(text)
    for name in (LAST, "best.pdparams"):
        (tmp_path / name).write_bytes((stopped / name).read_bytes())
    with pytest.raises(PpedgeError) as error:
        fit(course(rec_data, tmp_path))
    assert told in error.value.message


def test_whole_it_goes_on(rec_data, stopped, tmp_path):
    for path in stopped.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    paddle.seed(0)
    assert fit(course(rec_data, tmp_path)).steps == 2
