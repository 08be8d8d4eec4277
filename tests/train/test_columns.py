import paddle
import pytest
from PIL import Image

from ppedge.data.labelled import RecSample
from ppedge.errors import PpedgeError
from ppedge.progress import Reporter
from ppedge.runs import Run
from ppedge.train.columns import require_columns
from ppedge.train.stage import run_train
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import tiny_recipe


def told_of(recipe, lines):
    """Return what is told of training lines: widths in pixels at the network's height, and texts."""
    samples = []
    for number, (width, text) in enumerate(lines):
        path = recipe.data.root / f"columns_{width}.png"
        Image.new("RGB", (width, 32)).save(path)
        samples.append(RecSample(path, text, f"l.txt:{number + 1}"))
    task = Task(recipe)
    trainee = build_trainee(task, task.build())
    told = []
    dataset = task.dataset(samples)
    require_columns(task, trainee, dataset, told.append)
    return told, trainee, dataset, task


# The tiny recogniser has a column for each 4 pixels, of 64 to 128.
LINES = [
    (20, "a" * 8), (20, "a" * 9), (64, "ab" * 8), (64, "ab" * 8 + "a"), (70, "ab" * 8 + "a"), (66, "ab" * 8 + "a"),
    (100, "ab" * 12 + "a"), (101, "ab" * 12 + "b"), (128, "ab" * 12), (300, "ab" * 8 + "bbaa"), (99, "ok"),
]  # fmt: skip


def test_those_are_told_whose_loss_is_nothing(rec_data):
    told, trainee, dataset, task = told_of(tiny_recipe("rec", rec_data), LINES)
    trainee.net.train()
    without_loss = []
    for index in range(len(dataset)):
        item = task.dataset(dataset.samples, augment=False)[0, index]
        batch = {name: paddle.to_tensor(value) for name, value in task.collate([item]).items()}
        if float(task.loss({"net": trainee.net(batch["image"])}, batch)["loss"]) == 0:
            without_loss.append(index)
    assert without_loss == [1, 3, 5, 7]
    assert len(told) == 1 and told[0].startswith("4 of 11 training lines need more columns")
    assert "(l.txt:2 needs 17, has 16)" in told[0]


def test_nothing_is_said_where_all_fit(rec_data):
    assert told_of(tiny_recipe("rec", rec_data), [(64, "abc"), (80, "aab")])[0] == []


def test_training_may_squeeze_lines_that_evaluation_does_not(rec_data):
    recipe = tiny_recipe("rec", rec_data, train={"max_width": 96})
    told, _, dataset, _ = told_of(recipe, [(128, "ab" * 13), (100, "abc"), (70, "abc")])
    assert "(l.txt:1 needs 26, has 24)" in told[0]
    assert [dataset[0, index]["image"].shape[2] for index in range(3)] == [96, 96, 70]
    assert recipe.rec_preprocess.max_width == 128


def test_cases_of_a_letter_that_read_the_same_need_a_blank_between(rec_data):
    lines = [(64, "aA" * 6), (64, "abc")]
    assert told_of(tiny_recipe("rec", rec_data), lines)[0] == []
    ignoring = tiny_recipe("rec", rec_data, train={"losses": [{"name": "CTC", "ignore_case": True}]})
    assert "(l.txt:1 needs 23, has 16)" in told_of(ignoring, lines)[0][0]


def test_a_training_of_such_lines_alone_is_refused(rec_data, tmp_path):
    Image.new("RGB", (64, 32)).save(tmp_path / "a.png")
    for name in ("train.txt", "val.txt"):
        (tmp_path / name).write_text(f"a.png\t{'a' * 20}\n" * 4)
    with pytest.raises(PpedgeError, match=r"4 of 4 training lines .*train\.txt:1 needs 39, has 16.*nothing can be"):
        run_train(tiny_recipe("rec", tmp_path), Run(tmp_path / "run"), device="cpu", reporter=Reporter(quiet=True))
    assert not (tmp_path / "run" / "train").exists()
