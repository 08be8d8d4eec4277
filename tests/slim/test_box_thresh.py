"""A slimmed detector gets the score that its boxes need, and takes it along."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
import yaml

from ppedge.convert.stage import run_convert
from ppedge.data.source import as_slimmed, declared_spec, shipped_spec
from ppedge.progress import Reporter
from ppedge.recipe.io import as_written, load_recipe
from ppedge.runs import Run
from ppedge.slim import box_thresh as module
from ppedge.slim import pruning
from ppedge.slim.box_thresh import choose_box_thresh
from ppedge.slim.context import Findings
from ppedge.slim.stage import run_slim
from ppedge.train.stage import run_train
from ppedge.train.task import Task
from ppedge.validate.spec_changes import changes
from small import tiny_recipe

QUIET = Reporter(quiet=True)


def stage_of(recipe):
    return SimpleNamespace(recipe=recipe, task=Task(recipe), found=Findings(), reporter=Reporter(quiet=True))


def chosen(monkeypatch, recipe, hmeans, count=4):
    """What is chosen where samples come to these hmeans, by threshold, each to its own or all to one; or to none."""
    asked = []

    def rows(value, samples):
        hits = np.broadcast_to(hmeans.get(value, 0.0), len(samples)) * 1000
        return np.stack([hits, *[np.full(len(samples), 1000.0)] * 2], axis=1)

    def measured(engine, spec, samples, thresholds, advance):
        asked.extend(thresholds)
        return {value: SimpleNamespace(rows=partial(rows, value, samples)) for value in thresholds}

    monkeypatch.setattr(module, "measure_by_box_thresh", measured)
    stage = stage_of(recipe)
    choose_box_thresh(stage, paddle.nn.Identity(), range(count))
    return stage, asked


@pytest.mark.parametrize(
    ("hmeans", "best"),
    [
        ({0.6: 0.80, 0.5: 0.90, 0.45: 0.85}, 0.5),
        ({0.6: 0.80, 0.7: 0.90}, 0.7),
        ({0.6: 0.80, 0.55: 0.90, 0.65: 0.90, 0.5: 0.90}, 0.55),
        ({0.6: 0.80, 0.5: [0.82, 0.81, 0.80, 0.81]}, 0.5),
        ({0.6: 0.80, 0.5: [0.90, 0.75, 0.80, 0.80]}, None),
        ({0.6: 0.80}, None),
        ({}, None),
    ],
)
def test_the_best_is_taken_where_it_is_better_by_more_than_chance(monkeypatch, det_data, hmeans, best):
    recipe = tiny_recipe("det", det_data, det_postprocess={"thresh": 0.3, "box_thresh": 0.6})
    stage, asked = chosen(monkeypatch, recipe, hmeans)
    assert stage.found.box_thresh == best and stage.task.spec.det_postprocess.box_thresh == (best or 0.6)
    assert stage.task.spec.det_postprocess.thresh == 0.3  # the rest stays
    assert sorted(asked) == sorted([0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7])


def test_one_picture_says_nothing(monkeypatch, det_data):
    recipe = tiny_recipe("det", det_data, det_postprocess={"thresh": 0.3, "box_thresh": 0.6})
    assert chosen(monkeypatch, recipe, {0.6: 0.5, 0.5: 1.0}, count=1)[0].found.box_thresh is None


def test_thresholds_are_probabilities(monkeypatch, det_data):
    _, asked = chosen(monkeypatch, tiny_recipe("det", det_data), {})
    assert sorted(asked) == [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]


def test_nothing_is_measured_where_nothing_may_change(monkeypatch, det_data, rec_data):
    for recipe in (tiny_recipe("det", det_data, slim={"choose_box_thresh": False}), tiny_recipe("rec", rec_data)):
        stage, asked = chosen(monkeypatch, recipe, {0.1: 1.0})
        assert stage.found.box_thresh is None and not asked


def test_the_score_goes_with_the_network(det_data, tmp_path, monkeypatch, ppedge_here):
    short = {"epochs": 1, "max_steps": 1, "batch_size": 2}
    recipe = tiny_recipe(
        "det", det_data, train={"epochs": 1, "max_steps": 1}, convert={"precisions": ["fp32"], "formats": ["onnx"]},
        slim={"prune": {"mode": "flat", "finetune": short}, "quant": {"method": "none"}},
    )  # fmt: skip
    (tmp_path / "recipe.yml").write_text(yaml.safe_dump(as_written(recipe)))
    run = Run(tmp_path / "run")
    recipe = load_recipe(tmp_path / "recipe.yml")
    run_train(recipe, run, device="cpu", reporter=QUIET)

    def choose(stage, net, samples):
        stage.found.box_thresh, spec = 0.15, stage.task.spec
        stage.task.spec = replace(spec, det_postprocess=replace(spec.det_postprocess, box_thresh=0.15))

    monkeypatch.setattr(pruning, "choose_box_thresh", choose)
    run_slim(recipe, run, device="cpu", reporter=QUIET)
    assert run.manifest("slim")["box_thresh"] == 0.15
    run_convert(recipe, run)
    assert shipped_spec(run).det_postprocess.box_thresh == 0.15
    assert changes(declared_spec(as_slimmed(recipe, run)), shipped_spec(run)) == []
    told = "det_postprocess.box_thresh is 0.15: slimming chose it"
    assert told in ppedge_here("eval", run.path)[2]
    assert told not in ppedge_here("eval", run.path, "--stage", "train")[2]
    assert told not in ppedge_here("eval", run.path, "--set", "det_postprocess.box_thresh=0.2")[2]
    # Slimmed anew it starts from the recipe's.
    monkeypatch.setattr(pruning, "choose_box_thresh", lambda *_: None)
    run_slim(recipe, run, device="cpu", reporter=QUIET, force=True)
    assert run.manifest("slim")["box_thresh"] is None and as_slimmed(recipe, run) is recipe
