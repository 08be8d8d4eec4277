"""What chooses and what reports: ``data.eval`` and ``data.test`` through every stage."""

import json
import shutil

import numpy as np
import pytest
import yaml

from ppedge.data.source import CHOSE_TOO
from ppedge.data.synth import generate
from ppedge.metrics.scores import RecMetric
from ppedge.runs import Run
from ppedge.storage import read_json, sha256
from small import recipe_dict

SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "freeze_bn": True}
SLIM = {"prune": {"mode": "flat", "ratio": 0.25, "finetune": SHORT}, "quant": {"samples": 2, "train": SHORT}}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe whose test pictures are words where its evaluation pictures are plates."""
    monkeypatch.chdir(tmp_path)
    generate("words", tmp_path / "data", 12, 4, 3, test=6)
    value = recipe_dict("rec", tmp_path / "data", data={"test": ["test.txt"]}, slim=SLIM,
                        train={"epochs": 1}, convert={"precisions": ["fp32", "int8"], "formats": ["onnx"]},
                        validate={"limit": 4, "engine": "onnxruntime", "cpu": ["pc"]})  # fmt: skip

    def write(**data):
        value["data"].update(data)
        (tmp_path / "r.yml").write_text(yaml.safe_dump(value))
        return tmp_path / "r.yml"

    return write


@pytest.fixture
def by_count(monkeypatch):
    """A metric that says how many samples it was measured on, of a hundred."""

    class Counted(RecMetric):
        def __init__(self, count):
            super().__init__()
            self.count = count

        def rows(self):
            return np.array([(100, self.count, 100)] * self.count, np.float64)

        def summary(self):
            return {name: float(value) for name, value in self.figures(self.rows().sum(axis=0)).items()}

    def measure(task, net, samples, **options):
        return Counted(len(samples))

    monkeypatch.setattr("ppedge.train.task.Task.measure", measure)


def test_test_reports_and_eval_chooses(ppedge_here, recipe, by_count):
    code, out, err = ppedge_here("train", recipe(), "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["metrics"]["exact"], told["measured_on"], told["chosen_by"]["exact"]) == (0.06, "test", 0.04)
    assert CHOSE_TOO not in err
    run = Run(recipe().parent / "runs" / "tiny_rec")
    assert any(entry["path"].endswith("test.txt") for entry in run.manifest("train")["inputs"])
    code, out, err = ppedge_here("slim", run.path, "--json")
    assert code == 0, err
    about, told = run.manifest("slim"), json.loads(out)
    steps = {"float", "pruned", "finetuned", "calibrated", "quantized"}
    assert told["measured_on"] == about["measured_on"] == "test"
    assert {told["metrics"][step]["exact"] for step in steps} == {0.06}
    assert {name: found["exact"] for name, found in about["chosen_by"].items()} == dict.fromkeys(steps, 0.04)
    log = [json.loads(line) for line in (run.stage("slim") / "finetune.jsonl").read_text().splitlines()]
    assert {line["eval"]["exact"] for line in log if "eval" in line} == {0.04}
    for options, part, value in (((), "test", 0.06), (("--on", "eval"), "eval", 0.04),
                                 (("--on", "test", "--set", "data.eval=[train.txt]"), "test", 0.06),
                                 (("--set", "data.eval=[train.txt]"), "eval", 0.12)):  # fmt: skip
        told = json.loads(ppedge_here("eval", run.path, "--json", *options)[1])
        assert (told["split"], told["metrics"]["exact"]) == (part, value)


def test_what_few_test_pictures_say_is_told_by_each_command(ppedge_here, recipe, tmp_path):
    run, note = tmp_path / "run", "note: 6 lines of data.test say little: exact is 0.0000, and as many others"
    code, out, err = ppedge_here("train", recipe(), "--out", run)
    assert (code, err.count(note)) == (0, 1), err
    low, high = Run(run).manifest("train")["intervals"]["ned"]
    assert f"on test: exact 0.0000 (0.000 to 0.000), ned {read_ned(run):.4f} ({low:.3f} to {high:.3f})" in out
    parameters = Run(run).manifest("train")["metrics"]["parameters"]
    assert parameters > 10_000 and f"parameters {parameters:,}" in out
    code, out, err = ppedge_here("eval", run)
    assert code == 0 and note in out and f"ned {read_ned(run):.4f} ({low:.3f} to {high:.3f})" in out, err
    told = json.loads(ppedge_here("eval", run, "--json")[1])
    assert told["intervals"]["ned"] == [low, high] and told["confidence"] == 0.95
    code, _, err = ppedge_here("slim", run, "--set=slim.prune.method=none", "--set=slim.quant.method=none")
    assert (code, err.count(note)) == (0, 1), err
    code, _, err = ppedge_here("train", recipe(test=[]), "--out", tmp_path / "other")
    assert code == 0 and "say little" not in err


def read_ned(run):
    return Run(run).manifest("train")["metrics"]["ned"]


def test_other_test_pictures_keep_the_same_weights(ppedge_here, recipe, tmp_path):
    kept = []
    for number, changes in enumerate(({}, {"test": ["val.txt"]}, {"test": []})):
        code, _, err = ppedge_here("train", recipe(**changes), "--out", tmp_path / str(number))
        assert code == 0, err
        assert err.count(CHOSE_TOO) == (not changes.get("test", True))
        kept.append(sha256(tmp_path / str(number) / "train" / "best.pdparams"))
    assert len(set(kept)) == 1


def test_a_run_trained_without_test_pictures_is_measured_on_them(ppedge_here, recipe, by_count, tmp_path):
    run = tmp_path / "run"
    assert ppedge_here("train", recipe(test=[]), "--out", run)[0] == 0
    told = ppedge_here("slim", run, "--json", "--set", "data.test=[test.txt]")[1]
    assert json.loads(told)["metrics"]["float"]["exact"] == 0.06
    assert Run(run).manifest("slim")["chosen_by"]["float"]["exact"] == 0.04


def test_the_network_as_trained_is_measured_on_what_slimming_is_told_of(ppedge_here, recipe, by_count, tmp_path):
    """Not on what the train stage reported by, though that had the same file among others."""
    run = tmp_path / "run"
    assert ppedge_here("train", recipe(test=["test.txt", "val.txt"]), "--out", run)[0] == 0
    assert Run(run).manifest("train")["metrics"]["exact"] == 0.1
    told = ppedge_here("slim", run, "--json", "--set", "data.test=[test.txt]")[1]
    assert json.loads(told)["metrics"]["float"]["exact"] == 0.06


def test_a_label_file_beside_the_recipe_is_an_input_too(ppedge_here, recipe, by_count, tmp_path):
    shutil.move(tmp_path / "data" / "test.txt", tmp_path / "aside.txt")
    run = tmp_path / "run"
    code, _, err = ppedge_here("train", recipe(test=["aside.txt"]), "--out", run)
    assert code == 0, err
    assert "aside.txt" in [entry["path"] for entry in Run(run).manifest("train")["inputs"]]


def test_synthetic_test_pictures_that_nobody_draws_are_a_sentence(ppedge_here, recipe, tmp_path):
    synth = {"kind": "words", "train": 12, "eval": 4}
    assert ppedge_here("train", recipe(root="drawn", test=[], synth=synth), "--out", tmp_path / "one")[0] == 0
    code, _, err = ppedge_here("train", recipe(root="drawn", test=["test.txt"], synth=synth), "--out", tmp_path / "two")
    assert code == 2 and "the recipe names test.txt" in err and "data.synth.test" in err


def test_a_test_file_that_is_missing_is_told_before_training(ppedge_here, recipe, tmp_path):
    code, _, err = ppedge_here("train", recipe(test=["nothing.txt"]), "--out", tmp_path / "run")
    assert code == 2 and "nothing.txt" in err
    assert not (tmp_path / "run" / "train").exists()


@pytest.mark.slow
@pytest.mark.parametrize("aside", [True, False])
def test_the_whole_road_says_once_what_it_measured_on(ppedge_here, recipe, tmp_path, aside):
    path = recipe(**({} if aside else {"test": []}))
    value = yaml.safe_load(path.read_text())
    value["validate"]["cpu"] = ["cortex-a53"]
    path.write_text(yaml.safe_dump(value))
    code, out, err = ppedge_here("run", path, "--set=slim.prune.method=none", "--set=slim.quant.method=none")
    assert code in (0, 1), err
    part = "test" if aside else "eval"
    assert err.count(CHOSE_TOO) == (not aside)
    assert out.count(f"({part})") == 1
    run = Run(tmp_path / "runs" / "tiny_rec")
    assert read_json(run.stage("validate") / "report.json")["pictures"] == part
    page = (run.stage("validate") / "report.html").read_text()
    assert f"data.{part}" in page and ("which also chose the weights" in page) is not aside
    inputs = [entry["path"] for entry in run.manifest("validate")["inputs"]]
    assert inputs[-1].endswith("test.txt" if aside else "val.txt")


def test_a_test_part_leaves_the_other_pictures_alone(tmp_path):
    generate("words", tmp_path / "a", 3, 2, 1)
    generate("words", tmp_path / "b", 3, 2, 1, test=2)
    names = sorted(path.name for path in (tmp_path / "a" / "images").iterdir())
    assert [sha256(tmp_path / "a/images" / n) for n in names] == [sha256(tmp_path / "b/images" / n) for n in names]
    assert not (tmp_path / "a" / "test.txt").exists()
    assert len((tmp_path / "b" / "test.txt").read_text().splitlines()) == 2
    shutil.rmtree(tmp_path / "a")
