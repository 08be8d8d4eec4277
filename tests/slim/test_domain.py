import numpy as np
import pytest

from ppedge.data.labelled import RecSample
from ppedge.data.synth import generate
from ppedge.slim.domain import LEAST_PICTURES, PICTURES, compare, features, measure, pick
from ppedge.train.task import Task
from small import tiny_recipe


def drawn(rng, pictures, *, channels=40, shift=0.0, stretch=1.0):
    """Features as networks give them: of different sizes, skewed, and going together."""
    common = rng.standard_normal((pictures, 3)) @ np.random.default_rng(9).standard_normal((3, channels))
    rows = np.exp(0.4 * stretch * (common + rng.standard_normal((pictures, channels)))) + shift
    return rows * np.geomspace(1e-3, 1e3, channels)


@pytest.mark.parametrize(("first", "second"), [(32, 32), (32, 20), (6, 32), (10, 8)])
def test_the_same_distribution_is_told_apart_about_once_in_a_hundred(first, second):
    rngs = [np.random.default_rng(100 + seed) for seed in range(60)]
    shifts = [compare(drawn(rng, first), drawn(rng, second), seed) for seed, rng in enumerate(rngs)]
    assert sum(shift.different for shift in shifts) <= 3
    assert np.mean([shift.p for shift in shifts]) == pytest.approx(0.5, abs=0.12)  # as a test's p is spread


@pytest.mark.parametrize("change", [{"shift": 2.0}, {"stretch": 2.5}])
def test_another_mean_and_another_spread_are_told_on_every_seed(change):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        shift = compare(drawn(rng, 32), drawn(rng, 20, **change), seed)
        assert shift.different
        assert shift.distance > shift.chance
        assert (shift.calibration, shift.evaluation) == (32, 20)


def test_the_distance_is_in_standard_deviations_within_a_set():
    rows = np.random.default_rng(0).standard_normal((200, 30))
    shift = compare(rows, np.random.default_rng(1).standard_normal((200, 30)) + 3)
    assert shift.distance == pytest.approx(3, abs=0.15)
    assert shift.chance < 0.5
    assert f"{shift.distance:.2f} standard deviations apart" in shift.warning()


def test_the_same_pictures_lie_at_no_distance_and_channels_that_never_change_do_not_count():
    rows = drawn(np.random.default_rng(0), 8)
    rows[:, 3] = 0.1 + 0.2
    shift = compare(rows, rows)
    assert shift.distance == pytest.approx(0, abs=1e-6)
    assert shift.p == 1
    silent = compare(np.ones((8, 4)), np.ones((8, 4)))
    assert (silent.distance, silent.p, silent.different) == (0, 1, False)


def test_a_few_pictures_cannot_tell():
    rng = np.random.default_rng(0)
    assert compare(drawn(rng, LEAST_PICTURES - 1), drawn(rng, 30, shift=9.0)) is None
    assert compare(drawn(rng, LEAST_PICTURES), drawn(rng, LEAST_PICTURES, shift=9.0)).different


def test_one_line_of_each_picture_is_picked(tmp_path):
    lines = [RecSample(tmp_path / f"{k // 5}.png", str(k), "") for k in range(100)]
    picked = pick(lines, seed=0)
    assert sorted(line.image.stem for line in picked) == sorted(str(k) for k in range(20))
    assert {int(line.text) % 5 for line in picked} == set(range(5))
    assert len(pick([RecSample(tmp_path / f"{k}.png", "", "") for k in range(100)], seed=0)) == PICTURES


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Synthetic scenes, more of them than the other tests train on."""
    root = tmp_path_factory.mktemp("scenes") / "data"
    generate("scenes", root, 12, 8, 5)
    return root


def shift_between(example, first, second, seed=0):
    """The shift between training pictures of the first recipe and evaluation pictures of the second."""
    task = Task(first.model_copy(update={"seed": seed}))
    return measure(example.build(), task, task.samples("train")[0], Task(second).samples("eval")[0])


def real(task, root, train, **data):
    return tiny_recipe(task, root, data={"train": [train], "labels": "detection", **data})


@pytest.mark.slow
def test_synthetic_scenes_are_like_each_other(examples, scenes):
    recipe = tiny_recipe("det", scenes)
    assert not any(shift_between(examples["det"], recipe, recipe, seed).different for seed in range(3))


def test_a_networks_features_are_means_and_spreads_by_channel(example):
    task = example.task
    samples = task.samples("train")[0][:3]
    found = features(example.build(), task, samples)
    net = example.build()
    widths = net.backbone.out_channels
    assert found.shape == (3, 2 * (sum(widths) if isinstance(widths, list) else widths))
    assert np.isfinite(found).all()
    assert not np.array_equal(found[0], found[1])


@pytest.mark.slow
def test_receipts_are_unlike_scenes_and_like_receipts(examples, scenes, shared_data):
    receipts = real("det", shared_data / "data" / "receipts", "train.txt")
    streets = real("det", shared_data / "data" / "scenes", "val.txt")
    assert not shift_between(examples["det"], receipts, receipts, 0).different
    assert shift_between(examples["det"], receipts, tiny_recipe("det", scenes), 0).different
    assert shift_between(examples["det"], receipts, streets, 0).different


@pytest.mark.slow
def test_lines_of_receipts_are_unlike_plates_and_like_lines_of_receipts(examples, shared_data):
    receipts = real("rec", shared_data / "data" / "receipts", "train.txt")
    plates = tiny_recipe("rec", shared_data / "data" / "plates")  # whose characters the network does not know
    assert not shift_between(examples["rec"], receipts, receipts, 0).different
    assert shift_between(examples["rec"], receipts, plates, 0).different
