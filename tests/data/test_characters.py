"""The file of a recogniser's own characters: which it is, and whether it is still the one that a network has."""

import pytest

from ppedge.data.characters import charset_file, require_same_characters
from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe, save
from ppedge.runs import Run
from small import tiny_recipe


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data", "other"):
        (tmp_path / name).mkdir()
    return lambda charset, task="rec": tiny_recipe(task, "data", data={"charset": charset} if task == "rec" else {})


def run_with(recipe, tmp_path):
    run = Run(tmp_path / "run")
    with run.writing("train") as folder:
        save(recipe, folder / "recipe.yml")
        file = charset_file(recipe)
        run.write_manifest(folder, "train", outputs=["recipe.yml"], inputs=[file] if file else [])
    return run


def test_a_file_lies_below_the_data_or_here_and_one_that_ships_is_none(recipe, tmp_path):
    (tmp_path / "here.txt").write_text("a\n")
    (tmp_path / "data" / "there.txt").write_text("a\n")
    (tmp_path / "ascii").write_text("a\n")
    assert str(charset_file(recipe("here.txt"))) == "here.txt"
    assert str(charset_file(recipe("there.txt"))) == "data/there.txt"
    assert charset_file(recipe("ascii")) is None and charset_file(recipe("ppocr_keys_v1")) is None
    assert charset_file(recipe("nowhere.txt")) is None and charset_file(recipe("", "det")) is None
    (tmp_path / "data" / "ascii").write_text("a\n")  # which is read in the place of the one that ships
    assert str(charset_file(recipe("ascii"))) == "data/ascii"


@pytest.mark.parametrize("below", ["", "data"])
def test_a_file_that_was_changed_since_is_refused(recipe, tmp_path, below):
    file = tmp_path / below / "chars.txt"
    file.write_text("a\nb\n")
    run = run_with(recipe("chars.txt"), tmp_path)
    require_same_characters(load_recipe(run.recipe_path), run)
    file.write_text("b\na\n")
    told = r"chars\.txt: is not the character set that the network of .*run was made with"
    with pytest.raises(PpedgeError, match=told):
        require_same_characters(load_recipe(run.recipe_path), run)


def test_a_file_of_the_same_name_in_another_folder_of_data_is_refused(recipe, tmp_path):
    (tmp_path / "data" / "dict.txt").write_text("a\nb\n")
    run = run_with(recipe("dict.txt"), tmp_path)
    elsewhere = load_recipe(run.recipe_path, ["data.root=other"])
    (tmp_path / "other" / "dict.txt").write_text("a\nb\n")
    require_same_characters(elsewhere, run)  # a copy
    (tmp_path / "other" / "dict.txt").write_text("x\ny\n")
    with pytest.raises(PpedgeError, match=r"^other/dict\.txt: is not the character set .* \(data/dict\.txt, 4 bytes\)"):
        require_same_characters(elsewhere, run)
    (tmp_path / "mine.txt").write_text("x\ny\n")
    require_same_characters(load_recipe(run.recipe_path, ["data.charset=mine.txt"]), run)  # who says so means it


def test_what_ships_and_runs_that_noted_no_file_are_taken_as_they_are(recipe, tmp_path):
    run = run_with(recipe("ascii"), tmp_path)
    require_same_characters(load_recipe(run.recipe_path), run)
    (tmp_path / "chars.txt").write_text("a\nb\n")
    require_same_characters(load_recipe(run.recipe_path, ["data.charset=chars.txt"]), run)
