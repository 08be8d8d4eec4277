"""What a checkpoint's course depended on."""

import hashlib
import json

import pytest

from ppedge.data import index
from ppedge.recipe.train import Train
from ppedge.train.course import Course
from ppedge.train.fingerprint import fingerprint
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import make_data, tiny_recipe


@pytest.mark.parametrize("task", ["det", "rec"])
@pytest.mark.parametrize("worth", [1, 10**6])
def test_it_is_the_sum_of_one_json_text(task, worth, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "WORTH", worth)
    work = Task(tiny_recipe(task, make_data(task, tmp_path)))
    samples, _ = work.samples("train")
    course = Course("train", build_trainee(work, work.build(), print), work, Train(), samples, [], tmp_path)
    whole = [
        "train",
        Train().model_dump(mode="json", exclude={"checkpoint_every", "workers", "weights_check"}),
        work.recipe.model_dump(mode="json", exclude={"slim", "convert", "validate_", "train"}),
        work.spec.to_dict(),
        [(sample.where, sample.texts if task == "det" else sample.text) for sample in samples],
        2,
    ]
    assert fingerprint(course, samples, 2) == hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    whole[4] = []
    assert fingerprint(course, [], 2) == hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    whole.insert(4, "output_error")  # what chooses among weights is another thing then
    course.original = course.trainee.net
    assert fingerprint(course, [], 2) == hashlib.sha256(json.dumps(whole).encode()).hexdigest()
