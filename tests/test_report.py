"""The page on a run: of each stage what it left, and the same bytes for the same run."""

import json
import os
import re
import shutil

import pytest

from ppedge.artifacts import Converted
from ppedge.errors import PpedgeError
from ppedge.report.files import _cost
from ppedge.report.page import PAGE, render, write_report
from ppedge.report.training import POINTS, _thinned
from ppedge.runs import Run
from ppedge.storage import write_json
from ppedge.validate.report import dearer, read_report, what_ran_where
from small import recipe_dict

METRICS = {"precision": 0.5, "recall": 0.5, "hmean": 0.5}


def text_of(page):
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.fixture
def run(tmp_path):
    """Trained and slimmed, by files that hold what the stages leave."""
    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.recipe_path.write_text(json.dumps(recipe_dict("det", tmp_path)))
    with run.writing("train") as folder:
        lines = [{"step": k, "lr": 0.1, "loss": 1 / k} for k in range(1, 301)]
        lines[150:150] = [{"step": 150, "eval": {**METRICS, "hmean": 0.4}, "seconds": 2.0}, "damaged"]
        (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines) + "{")
        run.write_manifest(folder, "train", outputs=["metrics.jsonl"], metrics=METRICS, measured_on="test",
                           chosen_by={**METRICS, "hmean": 0.6}, intervals={"hmean": [0.4, 0.65]},
                           command=["x", "train", "a b.yml"])  # fmt: skip
    return run


def slim(run, quantized, low=-0.01, high=0.09):
    with run.writing("slim") as folder:
        keep = {"0": [0, 2], "1": [0, 1, 2]}
        write_json(folder / "plan.json", {
            "schema": 2, "method": "arm", "dropped": ["head.thresh"], "rewrites": [], "precision": {}, "made": {},
            "parameters": {"neck.in2.weight": {"shape": [8, 6, 1, 1], "keep": keep},
                           "neck.in2.bias": {"shape": [8], "keep": {"0": [0, 2]}}},
        })  # fmt: skip
        point = {"settings": {}, "error": 0.25, "shares": {"a53": 0.3, "a76": 0.4}}
        write_json(folder / "reduction.json", {"steps": [{"search": {**point, "frontier": [{**point, "error": 0.5}]}}]})
        layers = [{"layer": "neck.in2", "precision": "int8", "error": 1e-3, "reason": "chosen"},
                  {"layer": "<b>", "precision": "fp32", "error": None, "reason": "cost unknown"}]  # fmt: skip
        write_json(folder / "quantization.json", {"layers": layers})
        write_json(folder / "rounding.json", {"units": [{"unit": "u", "nearest": 0.02, "learned": 0.01}]})
        drop = {
            "metric": "hmean",
            "before": 0.5,
            "after": 0.45,
            "value": 0.05,
            "low": low,
            "high": high,
            "limit": None,
        }
        run.write_manifest(folder, "slim", outputs=["plan.json"], prune="arm", quant="arm", parent="train", drop=drop,
                           metrics={"float": METRICS, "quantized": {**METRICS, "hmean": quantized}})  # fmt: skip


def test_a_trained_run(run):
    path = write_report(run)
    page = path.read_text()
    told = text_of(page)
    assert path == run.path / PAGE and render(run) == page
    assert "on data.test, which" not in told
    assert "hmean 0.5000 on data.test" in told and "where the weights were chosen data.eval, all 0.6000" in told
    assert "as trained data.test, all 0.5000 (0.400 to 0.650)" in told
    assert "training: 300 steps; 1 evaluation in 2 s" in told and page.count("<polyline") == 2
    assert "ppedge train 'a b.yml'" in text_of(page.replace("&#x27;", "'"))
    assert "slim not done" in told and "Slimming" not in told
    assert not re.search(r"(src|href)=", page)  # it opens without network


def test_what_slimming_left(run):
    slim(run, 0.45)
    told = text_of(render(run))
    assert (
        "hmean 0.4500 on data.eval, which also chose the weights" in told
        and "quantized, int8 data.eval, all 0.4500" in told
    )
    assert "hmean went from 0.5000 to 0.4500, a drop of 0.0500 (95% interval -0.0100 to +0.0900), no limit." in told
    assert "taken 0.300 0.400 0.2500" in told and "could be had 0.300 0.400 0.5000" in told
    assert "neck.in2 8 to 2 6 to 3" in told and "head.thresh is dropped" in told
    assert "1 of 2 layers in 8 bits" in told and "neck.in2 int8 1.00e-03 chosen" in told
    assert "u 2.0e-02 1.0e-02" in told
    assert "&lt;b&gt;" in render(run) and "<b>" not in render(run)


@pytest.mark.parametrize(("samples", "words"), [(2, "2 pictures"), (1, "1 picture")])
@pytest.mark.parametrize(
    ("engine", "cpus", "ran"),
    [
        ("onnxruntime", ["cortex-a53"], " on ARM: the ONNX files by onnxruntime"),
        ("paddlelite", ["cortex-a53"], " on ARM: the .nb files by Paddle Lite"),
        ("onnxruntime", [], ""),
    ],
)
def test_gates_that_hold_say_of_what_and_on_how_many_samples(run, samples, words, engine, cpus, ran):
    with run.writing("validate") as folder:
        gate = {"gate": "broken_outputs", "model": "det.fp32.nb", "cpu": None, "value": 0, "limit": 0, "note": "",
                "passed": True}  # fmt: skip
        report = {"task": "det", "models": [{"samples": samples}], "gates": [gate], "pictures": "test",
                  "engine": engine, "cpus": cpus}  # fmt: skip
        write_json(folder / "report.json", report)
        run.write_manifest(folder, "validate", outputs=["report.json"], parent="train")
    told = re.sub(" ([:,])", r"\1", text_of(render(run)))
    assert f"✓ all gates hold{ran}, on {words} of data.test" in told


def test_a_gate_that_may_hold_by_chance_has_no_tick(run):
    with run.writing("validate") as folder:
        gate = {"gate": "max_metric_drop", "model": "det.fp32.nb", "cpu": None, "value": 0.05, "limit": 0.01,
                "note": "", "by_chance": True, "passed": True}  # fmt: skip
        accuracy = {"network": "det.fp32.nb", "on": "cortex-a53", "value": 0.4, "interval": [0.1, 0.7], "samples": 2,
                    "measured_on": "test"}  # fmt: skip
        report = {
            "task": "det",
            "models": [{"samples": 2}],
            "gates": [gate],
            "pictures": "test",
            "accuracy": [accuracy],
        }
        write_json(folder / "report.json", report)
        run.write_manifest(folder, "validate", outputs=["report.json"], parent="train", command=["x", "run", "r.yml"])
    told = text_of(render(run))
    assert "✓ all gates hold, 1 of them perhaps by chance" in told
    assert "? max_metric_drop 0.05 &gt; 0.01" in told and "✓ max_metric_drop" not in told
    assert "det.fp32.nb on cortex-a53 data.test, 2 0.4000 (0.100 to 0.700)" in told


def test_stages_of_one_command_share_its_line(run):
    for stage in ("slim", "convert"):
        with run.writing(stage) as folder:
            write_json(folder / "a.json", {})
            run.write_manifest(folder, stage, outputs=["a.json"], command=["x", "run", "r.yml"], metrics=METRICS,
                               parent="train", prune="none", quant="none")  # fmt: skip
    assert text_of(render(run)).endswith("By which the stages were made: train: ppedge train &#x27;a b.yml&#x27; "
                                         "slim, convert: ppedge run r.yml")  # fmt: skip


@pytest.mark.parametrize("engine", ["onnxruntime", "paddlelite"])
def test_a_report_that_is_read_again_says_what_ran(run, engine):
    def counted(precision, millions, baseline=False):
        return {"file": f"det.{precision}.nb", "precision": precision, "cpu": "cortex-a53", "baseline": baseline,
                "instructions": {"total": millions}}  # fmt: skip

    models = [counted("fp32", 100), counted("int8", 110), counted("fp32", 200, baseline=True)]
    with run.writing("validate") as folder:
        write_json(folder / "report.json", {"cpus": ["cortex-a53"], "engine": engine, "models": models, "gates": []})
        run.write_manifest(folder, "validate", outputs=["report.json"], parent="train")
    report, named = read_report(run), {"onnxruntime": "onnxruntime", "paddlelite": "Paddle Lite"}[engine]
    assert f"by {named} on an emulated cortex-a53" in what_ran_where(report)
    [sentence] = dearer(report)
    assert f"takes 1.10 times the instructions of float on cortex-a53, by {named}'s kernels" in sentence


def test_a_drop_on_one_picture_has_no_interval(run):
    slim(run, 0.45, low=None, high=None)
    assert "a drop of 0.0500 (one sample: no confidence interval), no limit." in text_of(render(run))


def test_a_network_that_finds_nothing_cannot_look_well(run):
    slim(run, 0.0)
    told = text_of(render(run))
    assert "✗ hmean is 0 on data.eval: this network finds or reads nothing right." in told


def test_a_run_without_a_stage_is_a_sentence(tmp_path, ppedge_here):
    (tmp_path / "recipe.yml").write_text(json.dumps(recipe_dict("det", tmp_path)))
    with pytest.raises(PpedgeError, match="no stage is done yet"):
        write_report(Run(tmp_path))
    code, _, err = ppedge_here("report", tmp_path)
    assert code == 2 and "no stage is done yet" in err


def test_losses_are_averaged_over_steps_in_a_row():
    points = [(float(k), float(k % 2)) for k in range(1, 4 * POINTS + 1)]
    thin = _thinned(points)
    assert len(thin) == POINTS and {y for _, y in thin} == {0.5} and thin[-1][0] == 4 * POINTS
    assert _thinned(points[:3]) == points[:3]


@pytest.mark.parametrize(
    ("names", "shipped"),
    [(["det.fp32.nb", "baseline/det.fp32.nb", "det.int8.nb"], "det.int8.nb"),
     (["det.fp32.nb", "baseline/det.fp32.nb"], "det.fp32.nb")],
)  # fmt: skip
def test_the_dearest_operators_are_of_what_ships(names, shipped):
    operators = [{"instructions": 2e6, "operator": "conv2d", "layer": "stem"}, {"instructions": None, "operator": "odd",
                 "layer": None}]  # fmt: skip
    costs = [
        {"name": name, "of": Converted.parse(name), "cpu": cpu, "lower_bound": cpu == "cortex-a76",
         "instructions": 3.3e6 if name == "det.int8.nb" and cpu == "cortex-a76" else 3e6, "per_ideal": 1.5,
         "input_shape": [1, 3, 32, 32], "operators": operators}
        for name in names for cpu in ("cortex-a53", "cortex-a76")
    ]  # fmt: skip
    told = text_of(_cost(costs))
    assert f"The dearest operators of {shipped}" in told and told.count("2.00 M conv2d stem") == 2
    dearer = "In 8 bits the network takes 1.10 times the instructions of float on cortex-a76, by Paddle Lite"
    assert (dearer in told) == (shipped == "det.int8.nb") and "float on cortex-a53" not in told
    assert f"{names[0]} cortex-a53 3.0 1.5" in told and f"{names[0]} cortex-a76 3.0+ 1.5" in told


def test_without_a_run_the_newest_is_taken_and_told_first(run, tmp_path, monkeypatch, ppedge_here):
    monkeypatch.chdir(tmp_path)
    for name, written in (("old", 1000), ("new", 2000)):
        path = shutil.copytree(run.path, tmp_path / "runs" / name)
        for there in (path, path / "train/manifest.json"):
            os.utime(there, (written, written))
    code, out, err = ppedge_here("report")
    assert (code, out, err) == (0, "runs/new/report.html\n", "no run is named: taking the newest, runs/new\n")
    assert ppedge_here("report", "runs/old")[1:] == ("runs/old/report.html\n", "")


def test_a_command_that_opens_its_run_twice_tells_the_newest_once(tmp_path, monkeypatch, ppedge_here):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/det").mkdir(parents=True)
    (tmp_path / "runs/det/recipe.yml").write_text(json.dumps(recipe_dict("det", tmp_path)))
    code, _, err = ppedge_here("slim", "--max-drop", "0.1", "--quant", "none", "--rounding", "learned")
    assert code == 2 and "--rounding is for 8 bits" in err
    assert err.count("taking the newest, runs/det") == 1
