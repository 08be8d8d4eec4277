"""Pictures for the steps of the slim stage: spread over all there are."""

import numpy as np
import pytest

from ppedge.progress import Reporter
from ppedge.runs import Run
from ppedge.slim.context import Stage, batches
from ppedge.train.task import Task
from small import tiny_recipe


class Noted:
    """A data set that notes what is asked of it."""

    def __init__(self, count):
        self.count, self.asked = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, key):
        self.asked.append(key)
        return {"image": np.zeros((3, 32, 32), np.float32), "label": np.zeros((), np.int64)}


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [
        (31, 16, [(0, i * 31 // 16) for i in range(16)]),  # not the first 16
        (4, 4, [(0, 0), (0, 1), (0, 2), (0, 3)]),
        (3, 5, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]),  # all once, then again as the next epoch changes them
    ],
)
def test_calibration_pictures_are_spread(tmp_path, monkeypatch, count, wanted, expected):
    recipe = tiny_recipe("cls", tmp_path)
    noted = Noted(count)
    monkeypatch.setattr(Task, "dataset", lambda *_, **__: noted)
    stage = Stage(recipe, Run(tmp_path / "run"), Task(recipe), tmp_path, Reporter(quiet=True), [], [], "cpu")
    shapes = [batch.shape[0] for batch in batches(stage, wanted, 3)]
    assert noted.asked == expected
    assert sum(shapes) == wanted
