"""The recipe that a run keeps names the files of the run itself, wherever it lies."""

import shutil

import pytest

from ppedge.brought.labels import completed
from ppedge.data.kept import kept_recipe
from ppedge.data.source import as_slimmed
from ppedge.recipe.io import make_recipe, save
from ppedge.runs import Run
from small import tiny_recipe


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """Make a run of a network that was brought in of an ONNX file, as far as its recipe goes."""
    monkeypatch.chdir(tmp_path)

    def make(name):
        run = Run(tmp_path / "runs" / name)
        folder = run.path / "imported"
        folder.mkdir(parents=True)
        (folder / "characters.txt").write_text("a\nb\n")
        value = {"name": "theirs", "task": "rec", "data": {"charset": str(folder / "characters.txt")},
                 "model": {"inference": str(folder), "pictures": "pictures"}}  # fmt: skip
        with run.writing("train") as working:
            for label in ("train.txt", "eval.txt"):
                (working / label).write_text("")
            save(completed(make_recipe(value, "here"), run), working / "recipe.yml")
            run.write_manifest(working, "train", outputs=["recipe.yml"])
        return run

    return make


def places(recipe):
    return [*recipe.data.train, *recipe.data.eval, recipe.model.inference, recipe.data.charset]


def test_a_run_that_was_moved_has_its_own_labels_characters_and_model(brought, tmp_path):
    shutil.move(brought("first").path, tmp_path / "runs" / "second")
    brought("first")  # another one, by now
    moved = tmp_path / "runs" / "second"
    assert [str(place) for place in places(kept_recipe(Run(moved)))] == [
        str(moved / place) for place in ("train/train.txt", "train/eval.txt", "imported", "imported/characters.txt")
    ]


def test_what_a_command_line_names_stays_as_it_says(brought, tmp_path):
    shutil.move(brought("first").path, tmp_path / "runs" / "second")
    run = Run(tmp_path / "runs" / "second")
    changed = kept_recipe(run, ["data.eval=[other/train/eval.txt]", "data.charset=other/imported/characters.txt"])
    assert [str(path) for path in changed.data.eval] == ["other/train/eval.txt"]
    assert changed.data.charset == "other/imported/characters.txt"
    assert changed.data.train == [run.path / "train" / "train.txt"]


def test_the_box_score_that_slimming_chose_gives_way_to_one_that_is_set(tmp_path):
    run = Run(tmp_path / "run")
    for stage, more in (("train", {}), ("slim", {"parent": "train", "box_thresh": 0.35})):
        with run.writing(stage) as folder:
            save(tiny_recipe("det", tmp_path), folder / "recipe.yml")
            run.write_manifest(folder, stage, outputs=["recipe.yml"], **more)

    def used(*changes):
        return as_slimmed(kept_recipe(run, changes), run).det_postprocess.box_thresh

    assert used() == used("det_postprocess.thresh=0.3") == 0.35
    assert used("det_postprocess.box_thresh=0.5") == 0.5


def test_the_data_of_a_network_that_was_trained_are_where_its_recipe_says(tmp_path):
    run, recipe = Run(tmp_path / "run"), tiny_recipe("rec", tmp_path, data={"train": ["train/train.txt"]})
    with run.writing("train") as folder:
        (folder / "train.txt").write_text("")
        save(recipe, folder / "recipe.yml")
        run.write_manifest(folder, "train", outputs=["recipe.yml"])
    assert kept_recipe(run) == recipe
