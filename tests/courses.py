"""Courses of training that end before their time, as by a death of the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ppedge.recipe.road import Recipe
from ppedge.train.centers import start_centers
from ppedge.train.course import Course
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee


class BoomError(Exception):
    """Stands for whatever ends a process."""


def course(
    recipe: Recipe, folder: Path, die_at: int | None = None, evaluated: int | None = None, **options: Any
) -> Course:
    """Return the course of a recipe's training, as the train stage makes it from fresh weights.

    Args:
        recipe: What to train.
        folder: Where its files go.
        die_at: The step after which `BoomError` is raised, counted from 1; None: it goes to its end.
        evaluated: How many evaluation samples are looked at; None: all.
        options: Of `Course`.
    """
    task = Task(recipe)
    trainee = build_trainee(task, task.build())
    train, evaluation = (task.samples(part)[0] for part in ("train", "eval"))
    start_centers(task, trainee, train, print, resumes="resume" in options)
    steps = []

    def after_step() -> None:
        steps.append(0)
        if len(steps) == die_at:
            raise BoomError

    trainee.after_step = after_step
    return Course("train", trainee, task, recipe.train, train, evaluation[:evaluated], folder, **options)
