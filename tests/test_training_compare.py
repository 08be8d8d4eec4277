"""The comparison of trainings, with a stand-in for the commands that it calls."""

import importlib
import sys
from pathlib import Path

import pytest

from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe, save
from ppedge.runs import Run
from small import tiny_recipe

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("training_compare")
    for name in ("training_compare", "slim_compare"):
        sys.modules.pop(name, None)


@pytest.fixture
def recipes(tmp_path):
    paths = []
    for name in ("plain", "helped"):
        recipe = tiny_recipe("det", tmp_path / "data")
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"test": ["test.txt"]})})
        paths.append(tmp_path / f"{name}.yml")
        save(recipe, paths[-1])
    return paths


class Commands:
    """What ``ppedge`` would leave and print: a network's best ``unclip_ratio`` on evaluation data is 0.8."""

    def __init__(self):
        self.trained = []

    def __call__(self, command, target, *options):
        words = [str(option) for option in options]
        if command == "train":
            run = Run(Path(words[words.index("--out") + 1]))
            self.trained.append((run.path.name, *words))
            save(load_recipe(target), run.recipe_path)
            with run.writing("train") as folder:
                run.write_manifest(folder, "train", outputs=[])
            return {}
        ratio = next((float(word.partition("=")[2]) for word in words if "unclip_ratio" in word), 1.5)
        on_eval = "data.test=[]" in words
        return {"metrics": {"hmean": 1 - abs(ratio - 0.8) - (0 if on_eval else 0.1)}}


def run_script(script, monkeypatch, commands, *arguments):
    monkeypatch.setattr(script, "ppedge", commands)
    monkeypatch.setattr(sys, "argv", ["training_compare", *map(str, arguments)])
    script.main()


def test_test_data_reports_and_evaluation_data_choose(script, recipes, tmp_path, monkeypatch, capsys):
    commands = Commands()
    run_script(script, monkeypatch, commands, *recipes, "--work", tmp_path / "work", "--seeds", 0, 3,
               "--unclip", 0.5, 0.8, 1.5)  # fmt: skip

    assert [name for name, *_ in commands.trained] == ["plain-0", "plain-3", "helped-0", "helped-3"]
    assert "seed=3" in commands.trained[1]
    assert capsys.readouterr().out.splitlines() == [
        "| recipe | hmean, seed 0 | hmean, seed 3 | mean | unclip_ratio |",
        "| --- | --- | --- | --- | --- |",
        "| plain | 90.00 | 90.00 | 90.00 | 0.8, 0.8 |",
        "| helped | 90.00 | 90.00 | 90.00 | 0.8, 0.8 |",
    ]


def test_finished_runs_are_not_trained_again(script, recipes, tmp_path, monkeypatch, capsys):
    first, second = Commands(), Commands()
    run_script(script, monkeypatch, first, recipes[0], "--work", tmp_path / "work", "--seeds", 0)
    run_script(script, monkeypatch, second, *recipes, "--work", tmp_path / "work", "--seeds", 0)

    assert [name for name, *_ in second.trained] == ["helped-0"]
    assert "| plain | 20.00 | 20.00 | as in the recipe |" in capsys.readouterr().out


def test_a_recipe_without_test_data_is_refused(script, recipes, tmp_path, monkeypatch, capsys):
    recipe = load_recipe(recipes[1])
    save(recipe.model_copy(update={"data": recipe.data.model_copy(update={"test": []})}), recipes[1])

    with pytest.raises(SystemExit) as ended:
        run_script(script, monkeypatch, Commands(), *recipes, "--work", tmp_path / "work")

    assert ended.value.code == PpedgeError.exit_code
    assert f"{recipes[1]}: names no data.test" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((BENCHMARKS / "recipes").glob("*.yml")), ids=lambda path: path.stem)
def test_recipes_to_compare_are_valid_and_keep_data_aside(path):
    assert load_recipe(path).data.test
