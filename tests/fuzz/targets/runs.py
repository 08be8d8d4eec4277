"""What the stages leave in a run: manifests, reports, plans, and the findings of an interrupted slimming."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from fuzz.contract import Files, Target, WrongResultError, command
from fuzz.files import read_files
from fuzz.mutations import damaged
from fuzz.trees import altered_json, json_text
from ppedge.recipe.io import load_recipe, save
from ppedge.runs import Run
from ppedge.storage import write_json
from small import tiny_recipe
from tiny_runs import draw as draw_picture
from tiny_runs import make_run

_STAGES = ("train", "slim", "convert", "validate")
_OLD_RUN = Path(__file__).resolve().parents[2] / "old_runs" / "old_det.zip"
_SCORES = {"hmean": 0.5, "precision": 0.5, "recall": 0.5}
_GATE = {"gate": "max_metric_drop", "model": "det.int8.onnx", "cpu": "cortex-a53", "value": 0.001, "limit": 0.005,
         "note": "", "by_chance": False, "passed": True}  # fmt: skip
_REPORT = {
    "schema": 2, "task": "det", "cpus": ["cortex-a53"], "features": {}, "not_run": [], "gates": [_GATE], "passed": True,
    "models": [{"file": "det.fp32.onnx", "precision": "fp32", "baseline": True, "cpu": "cortex-a53", "bytes": 4000,
                "instructions": {"total": 7_000_000}, "metric": {"reference": _SCORES}}],
}  # fmt: skip
_METRICS: dict[str, dict[str, Any]] = {
    "train": _SCORES,
    "slim": {"float": _SCORES, "finetuned": _SCORES, "quantized": _SCORES},
    "convert": {"files": {"det.int8.nb": {"bytes": 1000}, "baseline/det.fp32.nb": {"bytes": 4000}}},
    "validate": {"passed": True},
}


@cache
def _finished_run() -> Files:
    """Return a run in which every stage is done, and the recipe that it was made from."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        save(tiny_recipe("det", Path("data")), root / "recipe.yml")
        run = Run(root / "run")
        before = None
        for stage in _STAGES:
            with run.writing(stage) as folder:
                write_json(folder / "report.json", _REPORT)
                run.write_manifest(folder, stage, outputs=["report.json"], metrics=_METRICS[stage], parent=before)
            before = stage
        save(tiny_recipe("det", Path("data")), run.recipe_path)
        return {name: data for name, data in read_files(root).items() if not name.endswith(".lock")}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _linked(files: Files) -> Files:
    """Name in each manifest the bytes that the report and the manifest before it have, as far as it is a manifest."""
    files, before = dict(files), b""
    for stage in _STAGES:
        path = f"run/{stage}/manifest.json"
        with suppress(ValueError, TypeError, KeyError, IndexError, RecursionError):
            value = json.loads(files[path])
            if before and value["parent"]:
                value["parent"]["sha256"] = _sha256(before)
            value["outputs"][0]["sha256"] = _sha256(files[f"run/{stage}/report.json"])
            files[path] = json_text(value)
        before = files[path]
    return files


def _altered_file(files: Mapping[str, bytes], names: st.SearchStrategy[str]) -> st.SearchStrategy[Files]:
    """Draw files of which one, JSON, is damaged."""

    def alter(name: str) -> st.SearchStrategy[Files]:
        value = json.loads(files[name])
        content = st.one_of(altered_json(value), altered_json(value), damaged([files[name]]))
        return content.map(lambda data: {**files, name: data})

    return names.flatmap(alter)


def _road() -> st.SearchStrategy[Files]:
    names = [f"run/{stage}/manifest.json" for stage in _STAGES] + ["run/validate/report.json"]
    one = _altered_file(_finished_run(), st.sampled_from(names))
    return st.one_of(one, one.map(_linked), one.map(_linked))


class _ReachedError(Exception):
    """A stage would have been run."""


def _run_again(_: Path) -> None:
    """Run a finished run again: nothing is left to do but to print what it came to."""
    with mock.patch.object(import_module("ppedge.stages"), "perform", side_effect=_ReachedError):
        for options in ([], ["--json"]):
            with suppress(_ReachedError):
                command("run", "recipe.yml", "--out", "run", *options)


@cache
def _converted_runs() -> Files:
    """Return the runs of a detector and a recogniser that are converted, and a picture."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for task in ("det", "rec"):
            make_run(root / task, task, precisions=("fp32",))
        draw_picture(root / "one.png")
        return {name: data for name, data in read_files(root).items() if not name.endswith(".lock")}


def _converted() -> st.SearchStrategy[Files]:
    return _altered_file(
        _converted_runs(), st.sampled_from([f"{task}/convert/manifest.json" for task in ("det", "rec")])
    )


def _read_picture(_: Path) -> None:
    command("ocr", "--det", "det", "--rec", "rec", "one.png", "--json")


def _bundle(_: Path) -> None:
    """Make a bundle; one that is made must be found whole."""
    build = import_module("ppedge.bundle.build")
    with mock.patch.object(build, "golden_engine", return_value={"name": "onnxruntime", "version": "1"}):
        command("bundle", "det", "rec", "--out", "bundle", "--pictures", "one.png")
    try:
        command("bundle", "verify", "bundle")
    except Exception as error:
        raise WrongResultError(f"a bundle was made in which `bundle verify` finds problems: {error}") from error


@cache
def _plan_value() -> dict[str, Any]:
    """Return a plan that an earlier ppedge wrote, cut down to some parameters, and with all that a plan may have."""
    with zipfile.ZipFile(_OLD_RUN) as packed:
        [name] = [name for name in packed.namelist() if name.endswith("slim/plan.json")]
        value = json.loads(packed.read(name))
    rewrite = {"kind": "linear_neck", "layer": "neck", "options": {"in_channels": [8, 16], "width": 24}}
    return {
        **value, "schema": 2, "parameters": dict(list(value["parameters"].items())[:4]), "dropped": ["a.b"],
        "rewrites": [rewrite], "precision": {"c": "fp32", "d": "int8"}, "made": {"e": [7]},
    }  # fmt: skip


def _whole_plan() -> Files:
    return {"plan.json": json_text(_plan_value())}


def _plans() -> st.SearchStrategy[Files]:
    return _altered_file(_whole_plan(), st.just("plan.json"))


def _load_plan(folder: Path) -> None:
    """Read a plan; what is accepted is the same once written and read."""
    from ppedge.slim.plan import Plan

    plan = Plan.load(folder / "plan.json")
    plan.save(folder / "again.json")
    if Plan.load(folder / "again.json") != plan:
        raise WrongResultError("the plan is another once written and read")


_FINDINGS = {"metrics": {"float": _SCORES}, "outputs": ["plan.json"], "chosen_by": {}, "int8": None, "domain": None}
_MADE_OF = "@made of@"


_CUT = "run/.slim.partial/cut"


def _interrupted() -> Files:
    """Return a run whose slimming was interrupted when the network was cut."""
    trained = {name: data for name, data in _finished_run().items() if "/train/" in name or name.endswith("recipe.yml")}
    findings = json_text({"of": _MADE_OF, **_FINDINGS})
    return {
        **trained,
        f"{_CUT}/findings.json": findings,
        f"{_CUT}/plan.json": json_text(_plan_value()),
        f"{_CUT}/recipe.yml": trained["recipe.yml"],
    }


def _kept_findings() -> st.SearchStrategy[Files]:
    return _altered_file(_interrupted(), st.sampled_from([f"{_CUT}/findings.json", f"{_CUT}/plan.json"]))


def _resume_slimming(folder: Path) -> None:
    """Go on with an interrupted slimming, up to the point where there are findings and a plan."""
    from ppedge.progress import Reporter
    from ppedge.slim import interruption

    run, recipe = Run(folder / "run"), load_recipe(folder / "recipe.yml")
    path = folder / _CUT / "findings.json"
    with mock.patch.object(interruption, "stage_inputs", return_value=[]):
        path.write_bytes(path.read_bytes().replace(_MADE_OF.encode(), interruption._fingerprint(recipe, run).encode()))
        stage: Any = SimpleNamespace(
            folder=folder / "run/.slim.partial", recipe=recipe, run=run, found=None, reporter=Reporter()
        )
        interruption.kept_plan(stage)
    found = stage.found
    if not isinstance(found.metrics, dict) or not isinstance(found.outputs, list):
        raise WrongResultError(f"a slimming cannot go on from {found}")


TARGETS = [
    Target("manifests", _finished_run, _road, _run_again, told=("manifest.json", "report.json", "run")),
    Target("ocr", _converted_runs, _converted, _read_picture, told=("manifest.json", "det", "rec")),
    Target("bundle", _converted_runs, _converted, _bundle, told=("manifest.json", "det", "rec")),
    Target("plan", _whole_plan, _plans, _load_plan),
    Target("findings", _interrupted, _kept_findings, _resume_slimming, told=("findings.json", "plan.json")),
]
