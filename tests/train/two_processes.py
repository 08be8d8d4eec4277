"""Run by Paddle's launcher, ``two_processes.py DATA OUT``: trains with helpers and writes what each has in the end."""

import sys
from pathlib import Path

import ppedge  # noqa: F401  Before Paddle: ppedge/__init__.py says why.

import paddle  # isort: skip

from ppedge.models.weights import state_of, write_pdparams
from ppedge.train.course import Course
from ppedge.train.loop import fit
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import tiny_recipe

COURSES = {
    # PPLCNetV3 has parameters that nothing uses.
    "det": {
        "model": {"backbone": {"name": "PPLCNetV3", "scale": 0.35}},
        "train": {
            "peers": {"twin": {}, "teacher": {"frozen": True}},
            "losses": [{"name": "DB"}, {"name": "DML", "between": ["net", "twin"], "at": "maps"},
                       {"name": "DML", "between": ["net", "teacher"], "at": "maps"}],
        },
    },
    "rec": {
        "train": {
            "peers": {"twin": {}},
            "guides": [{"name": "LinearGuide"}],
            "losses": [{"name": "CTC"}, {"name": "CTC", "of": ["net.LinearGuide", "twin.LinearGuide"]},
                       {"name": "DML", "between": ["net.LinearGuide", "twin.LinearGuide"], "at": "logits"}],
        },
    },
}  # fmt: skip


def main() -> None:
    data, out = map(Path, sys.argv[1:])
    paddle.set_device("cpu")
    paddle.distributed.init_parallel_env()
    for name, sections in COURSES.items():
        train = {**sections["train"], "batch_size": 2, "max_steps": 2, "eval_every": 9}
        recipe = tiny_recipe(name, data / name, **{**sections, "train": train})
        task = Task(recipe)
        trainee = build_trainee(task, task.build())
        samples = [task.samples(part)[0] for part in ("train", "eval")]
        folder = out / name
        fit(Course("train", trainee, task, recipe.train, samples[0], samples[1][:1], folder))
        # The first process has the best weights in its network now: the last, of which the only evaluation is.
        write_pdparams(folder / f"{paddle.distributed.get_rank()}.pdparams", state_of(trainee))


if __name__ == "__main__":
    main()
