import json

import pytest
import yaml
from typer.testing import CliRunner

from ppedge.cli.recipe import app
from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe

CONFIG = {
    "Global": {"epoch_num": 7, "use_gpu": True, "oddity": 1},
    "Architecture": {
        "model_type": "det",
        "algorithm": "DB",
        "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True},
        "Neck": {"name": "DBFPN", "out_channels": 96},
        "Head": {"name": "DBHead"},
    },
    "Loss": {"name": "DBLoss"},
    "Optimizer": {"name": "Adam", "lr": {"name": "Cosine", "learning_rate": 0.001}},
    "Train": {"dataset": {"data_dir": "data", "label_file_list": ["data/train.txt"]}},
    "Eval": {"dataset": {"data_dir": "data", "label_file_list": ["data/val.txt"]}},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "theirs.yml"
    path.write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["from-paddleocr", *map(str, arguments)])


def test_it_writes_the_recipe_and_says_what_became_of_each_line(config, tmp_path):
    out = tmp_path / "ours.yml"
    result = run(config, "--out", out, "--all")
    assert result.exit_code == 0, result.output
    assert f"{config}:2: Global.epoch_num: taken: train.epochs: 7" in result.output
    assert f"{config}:4: Global.oddity: left out: " in result.output
    assert "1 left out" in result.output
    assert load_recipe(out).train.epochs == 7
    assert "# left out: Global.oddity: " in out.read_text()


def test_without_out_the_recipe_alone_is_on_standard_output(config):
    result = run(config)
    assert yaml.safe_load(result.stdout)["train"]["epochs"] == 7
    assert "Global.oddity: left out" in result.stderr


def test_what_is_as_it_was_is_counted_and_buries_nothing(config):
    shown, every = run(config), run(config, "--all")
    kept = [line for line in every.stderr.splitlines() if ": taken: " not in line and ": not needed: " not in line]
    assert shown.stderr.splitlines() == [*kept[:-1], f"{kept[-1]} (--all lists them)"]
    assert len(kept) < len(every.stderr.splitlines()) - 5
    assert "Global.oddity: left out: " in kept[0] and "1 left out" in kept[-1]
    assert shown.stdout == every.stdout


def test_changes_are_taken_as_paddleocr_takes_them(config):
    result = run(config, "--all", "-o", "Global.epoch_num=3", "Optimizer.lr.learning_rate=0.5", "-o", "Loss.alpha=2")
    train = yaml.safe_load(result.stdout)["train"]
    assert (train["epochs"], train["learning_rate"], train["losses"][0]["alpha"]) == (3, 0.5, 2)
    assert f"{config}, changed: Global.epoch_num: taken" in result.stderr


def test_an_earlier_file_is_kept_unless_it_is_forced(config, tmp_path):
    out = tmp_path / "ours.yml"
    out.write_text("mine")
    result = run(config, "--out", out)
    assert isinstance(result.exception, PpedgeError) and "is there already" in str(result.exception)
    assert out.read_text() == "mine"
    assert run(config, "--out", out, "--force").exit_code == 0 and load_recipe(out)


def test_pictures_that_nobody_has_confirmed_are_told(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/photos").mkdir(parents=True)
    (tmp_path / "data/photos/Label.txt").write_text("photos/a.jpg\t[]\nphotos/b.jpg\t[]\n")
    (tmp_path / "data/photos/fileState.txt").write_text("/there/photos/a.jpg\t1\n/there/photos/b.jpg\t0\n")
    files = [f"{part}.dataset.label_file_list=[data/photos/Label.txt]" for part in ("Train", "Eval")]
    result = run(config, "-o", files[0], "-o", files[1], "--out", tmp_path / "ours.yml")
    assert result.output.count("are not confirmed") == 1, "of a file that both teaches and measures, too"
    assert "Label.txt: 1 of 2 pictures are not confirmed in fileState.txt, and are taken too; `ppedge" in result.output


def test_json(config):
    value = json.loads(run(config, "--json").stdout)
    assert value["recipe"]["task"] == "det" and value["problem"] is None
    assert {"line": 2, "key": "Global.epoch_num", "verdict": "taken", "sentence": "train.epochs: 7"} in value[
        "findings"
    ]


def test_a_recipe_that_does_not_load_is_written_and_the_command_says_why(config, tmp_path):
    out = tmp_path / "ours.yml"
    result = run(config, "--out", out, "-o", "Global.epoch_num=many")
    assert isinstance(result.exception, PpedgeError)
    assert "does not load as it stands" in str(result.exception) and "train.epochs" in str(result.exception)
    assert yaml.safe_load(out.read_text())["train"]["epochs"] == "many"
