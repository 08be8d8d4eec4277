"""Runs that ppedge 0.1 made, before recipes had a schema number, go on with today's commands."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from ppedge.recipe.io import load_recipe
from ppedge.runs import Run
from ppedge.slim.plan import Plan

KEPT = Path(__file__).with_name("old_runs")
NB_BYTES = {"det": {"fp32": 310_902, "int8": 278_950}, "rec": {"fp32": 390_742, "int8": 432_806}}
"""Of the files that 0.1 itself wrote of these runs."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with ``runs/old_det`` and ``runs/old_rec``, which the tests work in."""
    place = tmp_path_factory.mktemp("old")
    for task in ("det", "rec"):
        with zipfile.ZipFile(KEPT / f"old_{task}.zip") as packed:
            packed.extractall(place / "runs")
    before = Path.cwd()
    os.chdir(place)
    yield place
    os.chdir(before)


def test_their_recipes_say_the_same_in_the_newest_form(folder):
    det, rec = (load_recipe(folder / f"runs/old_{task}/recipe.yml") for task in ("det", "rec"))
    assert (det.schema_, rec.schema_) == (2, 2)
    assert det.train.losses == [] and "shrink_loss: dice" in (folder / "runs/old_det/recipe.yml").read_text()
    assert [term.model_dump() for term in rec.train.losses] == [
        {"name": "CTC", "at": "logits", "weight": 1.0, "of": [], "ignore_case": True}
    ]
    assert (det.det_preprocess.limit_side, rec.rec_preprocess.max_width, rec.train.flat_start) == (96, 128, 0.5)


def test_their_plans_read(folder):
    for task, method in (("det", "fpgm sensitivity"), ("rec", "arm")):
        assert Plan.load(Run(folder / f"runs/old_{task}").artifact("slim", "plan.json")).method == method


@pytest.mark.slow
@pytest.mark.parametrize(("task", "metric"), [("det", "hmean"), ("rec", "exact")])
def test_they_evaluate_convert_and_validate(folder, ppedge_here, task, metric):
    run = f"runs/old_{task}"
    for stage in ("train", "slim"):
        code, out, err = ppedge_here("eval", run, "--stage", stage, "--json")
        assert code == 0, err
        assert metric in json.loads(out)["metrics"]
    code, out, err = ppedge_here("convert", run, "--rewrite", "none", "--json")
    assert code == 0, err
    files = json.loads(out)["files"]
    assert {p: files[f"{task}.{p}.nb"]["bytes"] for p in NB_BYTES[task]} == NB_BYTES[task]
    if task == "det":  # what a run of a recogniser then does is no other code
        code, _, err = ppedge_here("convert", run, "--force")
        assert code == 0, err
        code, _, err = ppedge_here("validate", run, "--limit", "2")
        assert code == 0, err


@pytest.mark.slow
def test_they_make_a_bundle(folder, ppedge_here):
    """After the test above, which converts them."""
    for task in ("det", "rec"):
        if not Run(folder / f"runs/old_{task}").done("convert"):
            assert ppedge_here("convert", f"runs/old_{task}")[0] == 0
    code, _, err = ppedge_here("bundle", "runs/old_det", "runs/old_rec", "--out", "bundle")
    assert code == 0, err
    converted = Run(folder / "runs/old_det").artifact("convert", "det.int8.nb")
    assert (folder / "bundle" / "det.nb").read_bytes() == converted.read_bytes()
