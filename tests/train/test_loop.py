import hashlib
import json
import os
import re
import signal

import numpy as np
import paddle
import pytest

from courses import BoomError
from ppedge.errors import Interrupted, PpedgeError
from ppedge.metrics.accuracy import RANKING
from ppedge.models.weights import read_pdparams, state_of, write_pdparams
from ppedge.progress import Reporter
from ppedge.runs import Run
from ppedge.storage import sha256
from ppedge.train import checkpoint, loop, stage
from ppedge.train.course import BEST, LAST, METRICS, Course
from ppedge.train.loop import fit
from ppedge.train.task import OUTPUT_ERROR, Task
from ppedge.train.trainees.build import build_trainee
from small import tiny_recipe


def pretended_metric(task, net, samples):
    """A metric that changes with every step, up and down: the best is rarely the first or the last."""
    total = sum(float(np.abs(value).astype(np.float64).sum()) for value in state_of(net).values())
    return dict.fromkeys(RANKING[task.recipe.task], total * 1e3 % 1)


@pytest.fixture(autouse=True)
def _fast_metric(monkeypatch):
    monkeypatch.setattr(Task, "evaluate", pretended_metric)


def make_course(recipe, folder, after_step=None, **options):
    task = Task(recipe)
    samples = [task.samples(part)[0] for part in ("train", "eval")]
    trainee = build_trainee(task, task.build())
    if after_step is not None:
        trainee.after_step = after_step
    return Course("train", trainee, task, recipe.train, *samples, folder, **options)


def outcome(folder):
    """All that a course leaves, but for times: they differ."""
    state = {
        name: hashlib.sha256(value.tobytes()).hexdigest()
        for name, value in read_pdparams(folder / LAST).items()
        if name != "position/metrics_bytes"
    }
    log = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    for entry in log:
        entry.pop("seconds", None)
        entry.pop("images_per_second", None)
    return sha256(folder / BEST), log, state


@pytest.fixture(scope="module")
def whole(det_data, rec_data, tmp_path_factory):
    """What uninterrupted courses leave, by task."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "evaluate", pretended_metric)
        found = {}
        for task, data in (("det", det_data), ("rec", rec_data)):
            folder = tmp_path_factory.mktemp(task)
            fit(make_course(tiny_recipe(task, data), folder))
            found[task] = outcome(folder)
    return found


def bomb(at):
    """An ``after_step`` that fails in one step."""
    calls = []

    def after_step():
        calls.append(0)
        if len(calls) == at:
            raise BoomError

    return after_step


@pytest.mark.parametrize("step", range(1, 7))
def test_resume_after_a_death_at_any_step(det_data, whole, tmp_path, step):
    recipe = tiny_recipe("det", det_data)
    with pytest.raises(BoomError):
        fit(make_course(recipe, tmp_path, after_step=bomb(step)))
    fit(make_course(recipe, tmp_path, resume=True))
    assert outcome(tmp_path) == whole["det"]


def test_resume_of_a_recogniser_after_two_deaths(rec_data, whole, tmp_path):
    recipe = tiny_recipe("rec", rec_data)
    for step in (3, 2):
        with pytest.raises(BoomError):
            fit(make_course(recipe, tmp_path, resume=True, after_step=bomb(step)))
    fit(make_course(recipe, tmp_path, resume=True))
    assert outcome(tmp_path) == whole["rec"]


@pytest.fixture(scope="module")
def varied(rec_data, tmp_path_factory):
    """A recogniser's recipe of several heights over a part of a label file, and what an uninterrupted course leaves."""
    recipe = tiny_recipe(
        "rec", rec_data,
        data={"train": ["val.txt", {"file": "train.txt", "ratio": 0.5}]},
        train={"heights": [32, 48], "rec_augment": {"concat": 0.5, "tia": 0.5}},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "evaluate", pretended_metric)
        folder, told = tmp_path_factory.mktemp("varied"), []
        reporter = Reporter(quiet=True)
        reporter.say = told.append
        fit(make_course(recipe, folder, heights=[32, 48], reporter=reporter))
    return recipe, outcome(folder), told


def test_resume_with_several_heights_and_a_part_of_the_samples(varied, tmp_path):
    """With workers, where the uninterrupted course had none."""
    recipe, whole, _ = varied
    with pytest.raises(BoomError):
        fit(make_course(recipe, tmp_path, heights=[32, 48], workers=2, after_step=bomb(3)))
    fit(make_course(recipe, tmp_path, heights=[32, 48], workers=2, resume=True))
    assert outcome(tmp_path) == whole


def test_a_height_that_the_network_does_not_take_is_a_sentence(rec_data, tmp_path):
    with pytest.raises(PpedgeError, match=r"features are 2 pixels high") as refused:
        fit(make_course(tiny_recipe("rec", rec_data), tmp_path, heights=[32, 64]))
    assert "train.heights" in refused.value.hint


def test_an_epoch_has_the_steps_of_its_part_of_the_samples(varied):
    _, (_, log, _), told = varied
    # 4 samples and half of 12, in batches of 4 lines at the first height and 2 at the second: 4 + 2 + 4 or 2 + 4 + 2.
    assert [entry["step"] for entry in log if "eval" in entry] == [3, 6]
    assert "train: each epoch draws 10 of 16 samples" in told


def test_the_train_stage_trains_at_the_heights_of_its_recipe(varied, tmp_path, monkeypatch):
    recipe, _, _ = varied
    courses = []

    def note(course):
        courses.append(course)
        raise BoomError

    monkeypatch.setattr(stage, "fit", note)
    with pytest.raises(BoomError):
        stage.run_train(recipe, Run(tmp_path / "run"), device="cpu", reporter=Reporter(quiet=True))
    assert [course.heights for course in courses] == [[32, 48]]


def test_a_checkpoint_of_another_ratio_is_not_gone_on_from(varied, tmp_path):
    recipe, _, _ = varied
    with pytest.raises(BoomError):
        fit(make_course(recipe, tmp_path, after_step=bomb(3)))
    files = [recipe.data.train[0], recipe.data.train[1].model_copy(update={"ratio": 0.6})]
    data = recipe.data.model_copy(update={"train": files})
    with pytest.raises(PpedgeError, match="was written with other data"):
        fit(make_course(recipe.model_copy(update={"data": data}), tmp_path, resume=True))


@pytest.mark.parametrize("death_in", ["evaluation", "checkpoint"])
def test_resume_after_a_death_between_steps(det_data, whole, tmp_path, monkeypatch, death_in):
    """After the best weights are written, before the checkpoint that knows of them is."""
    recipe = tiny_recipe("det", det_data)
    original = checkpoint.save if death_in == "checkpoint" else pretended_metric
    calls = []

    def dying(*arguments):
        calls.append(0)
        if len(calls) == 2:
            raise BoomError
        return original(*arguments)

    with monkeypatch.context() as patch:
        if death_in == "checkpoint":
            patch.setattr(checkpoint, "save", dying)
        else:
            patch.setattr(Task, "evaluate", dying)
        with pytest.raises(BoomError):
            fit(make_course(recipe, tmp_path))
    fit(make_course(recipe, tmp_path, resume=True))
    assert outcome(tmp_path) == whole["det"]


def test_workers_change_nothing(det_data, whole, tmp_path):
    recipe = tiny_recipe("det", det_data)
    with pytest.raises(BoomError):
        fit(make_course(recipe, tmp_path, workers=2, after_step=bomb(3)))
    fit(make_course(recipe, tmp_path, workers=2, resume=True))
    assert outcome(tmp_path) == whole["det"]


def test_resume_of_a_finished_course_changes_nothing(det_data, whole, tmp_path):
    recipe = tiny_recipe("det", det_data)
    first = fit(make_course(recipe, tmp_path))
    again = fit(make_course(recipe, tmp_path, resume=True))
    assert outcome(tmp_path) == whole["det"]
    assert (first.best, first.first, first.steps) == (again.best, again.first, again.steps)


def test_without_resume_a_course_starts_anew(det_data, whole, tmp_path):
    recipe = tiny_recipe("det", det_data)
    with pytest.raises(BoomError):
        fit(make_course(recipe, tmp_path, after_step=bomb(5)))
    fit(make_course(recipe, tmp_path))
    assert outcome(tmp_path) == whole["det"]


def test_the_result_is_the_best_evaluation(det_data, tmp_path):
    course = make_course(tiny_recipe("det", det_data, train={"epochs": 4}), tmp_path)
    result = fit(course)
    log = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    values = [entry["eval"]["hmean"] for entry in log if "eval" in entry]
    assert len(values) == 4
    assert result.best["hmean"] == max(values)
    assert result.first["hmean"] == values[0]
    best = read_pdparams(tmp_path / BEST)
    assert all(np.array_equal(value, best[name]) for name, value in state_of(course.trainee.net).items())


def test_a_network_that_training_makes_worse_stays_as_it_came(det_data, tmp_path, monkeypatch):
    values = iter([0.9, 0.3, 0.2])
    monkeypatch.setattr(Task, "evaluate", lambda *_: {"hmean": next(values)})
    course = make_course(tiny_recipe("det", det_data), tmp_path, evaluate_first=True)
    before = state_of(course.trainee.net)
    result = fit(course)
    assert result.first == result.best == {"hmean": 0.9}
    assert all(np.array_equal(value, before[name]) for name, value in state_of(course.trainee.net).items())


def fit_with(monkeypatch, recipe, folder, evaluations, **options):
    """Train with the metrics that the evaluations are to give; return how often weights were kept, and what is said."""
    evaluations, said = iter(evaluations), []
    monkeypatch.setattr(Task, "evaluate", lambda *_: next(evaluations))
    reporter = Reporter(quiet=True)
    monkeypatch.setattr(reporter, "say", said.append)
    course = make_course(recipe, folder, reporter=reporter, **options)
    kept = []
    monkeypatch.setattr(loop, "write_pdparams", lambda path, state: (kept.append(path), write_pdparams(path, state)))
    result = fit(course)
    assert next(evaluations, None) is None
    return result, len(kept), said


def test_equal_metrics_are_told_apart_by_the_second_one_and_then_by_the_later_step(rec_data, tmp_path, monkeypatch):
    recipe = tiny_recipe("rec", rec_data, train={"epochs": 4})
    figures = [{"exact": 0.0, "ned": ned} for ned in (0.21, 0.65, 0.65, 0.3)]
    result, kept, said = fit_with(monkeypatch, recipe, tmp_path, figures)
    assert (result.best["ned"], kept) == (0.65, 3)  # the third is kept though it is no better than the second
    assert said[-1] == "train: exact is 0 at every evaluation"
    resumed = fit(make_course(recipe, tmp_path, resume=True))
    assert resumed.best == result.best


@pytest.mark.parametrize(
    ("values", "count", "told"),
    [
        ((0.5, 0.5, 0.4), 1, "train: no better than its start: hmean 0.5000 before, 0.5000 after; its start is kept"),
        ((0.5, 0.4, 0.3), 1, "train: no better than its start: hmean 0.5000 before, 0.5000 after; its start is kept"),
        ((0.5, 0.6, 0.6), 3, "train 6/6: hmean 0.6000"),  # of later ones the last
        ((0.0, 0.0, 0.0), 3, "train: hmean is 0 at every evaluation"),  # a start that finds nothing is none to keep
    ],
)
def test_a_start_gives_way_to_better_weights_alone_and_what_is_kept_is_said(
    det_data, tmp_path, monkeypatch, values, count, told
):
    figures = [{"hmean": value} for value in values]
    course = {"evaluate_first": True}
    _, kept, said = fit_with(monkeypatch, tiny_recipe("det", det_data), tmp_path, figures, **course)
    assert (kept, said[-1]) == (count, told)


def test_weights_that_are_better_by_what_breaks_ties_replace_a_start(rec_data, tmp_path, monkeypatch):
    recipe = tiny_recipe("rec", rec_data, train={"epochs": 2})
    figures = [{"exact": 0.5, "ned": ned} for ned in (0.6, 0.7, 0.6)]
    _, kept, said = fit_with(monkeypatch, recipe, tmp_path, figures, evaluate_first=True)
    assert kept == 2
    assert re.fullmatch(
        r"train: no better than its start: exact 0\.5000 before, 0\.5000 after; the weights of step \d+ are kept, "
        r"of ned 0\.6000 before, 0\.7000 after",
        said[-1],
    )


@pytest.mark.parametrize(
    ("errors", "count", "told"),
    [
        ((0.3, 0.2, 0.25), 2, "train 6/6: hmean 0.5000, output_error 0.2500"),
        (
            (0.3, 0.3, 0.4),
            1,
            "train: no better than its start: output_error 0.3000 before, 0.3000 after; its start is kept",
        ),
    ],
)
def test_the_nearest_to_an_original_is_kept_whatever_the_metric_says(
    det_data, tmp_path, monkeypatch, errors, count, told
):
    hmeans = (0.9, 0.7, 0.5)  # they fall
    figures = iter([{"hmean": hmean, OUTPUT_ERROR: e} for hmean, e in zip(hmeans, errors, strict=True)])
    asked = []

    def compare(task, net, original, samples):
        asked.append(original)
        return next(figures)

    monkeypatch.setattr(Task, "compare", compare)
    recipe = tiny_recipe("det", det_data)
    original = Task(recipe).build()
    result, kept, said = fit_with(monkeypatch, recipe, tmp_path, [], evaluate_first=True, original=original)
    assert asked == [original] * 3
    assert result.best[OUTPUT_ERROR] == min(errors) and kept == count
    assert said[-1] == told


def test_patience_is_not_renewed_by_a_tie(det_data, tmp_path, monkeypatch):
    recipe = tiny_recipe("det", det_data, train={"epochs": 9, "patience": 2})
    _, kept, _ = fit_with(monkeypatch, recipe, tmp_path, [{"hmean": 0.5}] * 3)
    assert kept == 3


def test_patience_ends_a_course_that_gets_no_better(det_data, tmp_path, monkeypatch):
    values = iter([0.1, 0.5, 0.4, 0.5, 0.9])
    monkeypatch.setattr(Task, "evaluate", lambda *_: {"hmean": next(values)})
    recipe = tiny_recipe("det", det_data, train={"epochs": 9, "patience": 2})
    result = fit(make_course(recipe, tmp_path))
    per_epoch = len((tmp_path / METRICS).read_text().splitlines()) // 4 - 1
    assert (result.best, result.steps) == ({"hmean": 0.5}, 4 * per_epoch)
    resumed = fit(make_course(recipe, tmp_path, resume=True))  # it is not taken for interrupted
    assert (resumed.best, resumed.steps, next(values)) == (result.best, result.steps, 0.9)


def test_no_epochs_is_an_evaluation_alone(det_data, tmp_path):
    course = make_course(tiny_recipe("det", det_data, train={"epochs": 0}), tmp_path)
    before = state_of(course.trainee.net)
    result = fit(course)
    assert result.steps == 0
    assert result.first == result.best
    assert all(np.array_equal(value, before[name]) for name, value in state_of(course.trainee.net).items())


def test_max_steps_ends_the_course_and_the_cosine(det_data, tmp_path):
    fit(make_course(tiny_recipe("det", det_data, train={"epochs": 9, "max_steps": 4, "warmup_epochs": 0}), tmp_path))
    rates = [json.loads(line).get("lr") for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [rate for rate in rates if rate is not None] == pytest.approx(
        [1e-3 * share for share in (1, 0.8535534, 0.5, 0.1464466)]
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint(det_data, whole, tmp_path, number):
    recipe = tiny_recipe("det", det_data, train={"checkpoint_every": 100})
    course = make_course(recipe, tmp_path)
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    course.trainee.after_step = lambda: os.kill(os.getpid(), number)
    with pytest.raises(
        Interrupted, match=r"Interrupted at step 1 of 6; .*last\.ckpt is written\. Go on with --resume\."
    ) as e:
        fit(course)
    assert e.value.exit_code == 130
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    fit(make_course(recipe, tmp_path, resume=True))
    assert outcome(tmp_path)[1:] == whole["det"][1:]


def test_a_signal_in_the_last_step_is_an_interruption_too(rec_data, tmp_path):
    """What follows may be another course, as in slimming; going on has nothing left to do."""
    recipe = tiny_recipe("rec", rec_data, train={"epochs": 1, "max_steps": 1})
    course = make_course(recipe, tmp_path)
    course.trainee.after_step = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted, match="Interrupted at step 1 of 1"):
        fit(course)
    assert fit(make_course(recipe, tmp_path, resume=True)).steps == 1


def statistics(net):
    return {name: value for name, value in state_of(net).items() if name.endswith(("._mean", "._variance"))}


@pytest.mark.parametrize("frozen", [True, False])
def test_freeze_bn_keeps_running_statistics(det_data, tmp_path, frozen):
    course = make_course(tiny_recipe("det", det_data, train={"freeze_bn": frozen, "max_steps": 1}), tmp_path)
    before = statistics(course.trainee.net)
    weights = state_of(course.trainee.net)
    assert len(before) > 20
    fit(course)
    after = statistics(course.trainee.net)
    assert all(np.array_equal(before[name], after[name]) is frozen for name in before)
    assert any(not np.array_equal(weights[name], value) for name, value in state_of(course.trainee.net).items())


def spoiler(course, which):
    """An ``after_step`` that makes one parameter not a number."""

    def spoil():
        parameter = course.trainee.net.parameters()[which]
        parameter.set_value(np.full(parameter.shape, np.nan, np.float32))

    return spoil


@pytest.mark.parametrize(("task", "loss"), [("det", []), ("det", [{"name": "DB", "main": "bce"}]), ("rec", [])])
def test_a_loss_that_is_not_finite_is_a_sentence(det_data, rec_data, tmp_path, task, loss):
    recipe = tiny_recipe(task, det_data if task == "det" else rec_data, train={"losses": loss})
    course = make_course(recipe, tmp_path)
    course.trainee.after_step = spoiler(course, -1)
    with pytest.raises(PpedgeError, match=r"^train: the loss is nan at step 2\. Lower the learning rate"):
        fit(course)


def test_weights_that_are_not_finite_are_never_written(det_data, tmp_path):
    """Behind the first convolution's NaN, relu makes the loss finite again."""
    course = make_course(tiny_recipe("det", det_data), tmp_path)
    course.trainee.after_step = spoiler(course, 0)
    with pytest.raises(PpedgeError, match=r"^train: \d+ weights are not finite after step 2, first backbone\.conv"):
        fit(course)
    assert not list(tmp_path.glob("*.pdparams")) + list(tmp_path.glob("*.ckpt"))


def test_no_sample_left_is_a_sentence(rec_data, tmp_path):
    recipe = tiny_recipe("rec", rec_data)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_text_length": 1})})
    with pytest.raises(PpedgeError, match=r"^train: of the training samples none is left\. Check data\.charset"):
        fit(make_course(recipe, tmp_path))


def test_a_checkpoint_of_another_network_is_refused(det_data, tmp_path):
    recipe = tiny_recipe("det", det_data)
    with pytest.raises(BoomError):
        fit(make_course(recipe, tmp_path, after_step=bomb(3)))
    other = tiny_recipe("det", det_data, model={"neck": {"name": "DBFPN", "out_channels": 32}})
    with pytest.raises(PpedgeError, match=r"last\.ckpt"):
        fit(make_course(other, tmp_path, resume=True))


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"train": {"learning_rate": 2e-3}}, False),
        ({"train": {"epochs": 3}}, False),
        ({"train": {"freeze_bn": True}}, False),
        ({"train": {"det_augment": {"crop": 96}}}, False),
        ({"train": {"losses": [{"name": "DB", "main": "bce"}]}}, False),
        ({"seed": 8}, False),
        ({"train": {"checkpoint_every": 5}}, True),
        ({"train": {"weights_check": "warn"}}, True),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(det_data, tmp_path, change, fits):
    with pytest.raises(BoomError):
        fit(make_course(tiny_recipe("det", det_data), tmp_path, after_step=bomb(3)))
    course = make_course(tiny_recipe("det", det_data, **change), tmp_path, resume=True)
    if fits:
        assert fit(course).steps == 6
        return
    with pytest.raises(PpedgeError, match=r"last\.ckpt: was written with other data .*\. Restore them"):
        fit(course)


def test_a_damaged_checkpoint_is_a_sentence(det_data, tmp_path):
    recipe = tiny_recipe("det", det_data)
    with pytest.raises(BoomError):
        fit(make_course(recipe, tmp_path, after_step=bomb(3)))
    data = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(data[: len(data) // 2])
    with pytest.raises(PpedgeError, match=r"last\.ckpt"):
        fit(make_course(recipe, tmp_path, resume=True))


def test_position_survives_its_arrays():
    position = checkpoint.Position(7, 3, 99, "abc")
    assert checkpoint.Position.from_arrays(position.to_arrays()) == position


def test_what_ran_before_in_the_process_does_not_matter(det_data, tmp_path, whole):
    paddle.seed(12345)
    np.random.seed(1)
    fit(make_course(tiny_recipe("det", det_data), tmp_path))
    assert outcome(tmp_path) == whole["det"]
