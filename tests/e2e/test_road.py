"""Tiny networks take the whole road of the command line: a detector stage by stage, the others by `ppedge run`."""

import json
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import yaml

from ppedge.arm import sysroot
from ppedge.convert.lite import to_nb
from ppedge.errors import PpedgeError
from ppedge.files.nb import read_nb
from ppedge.files.nb_summary import float_convolutions
from ppedge.process import run_module
from ppedge.runs import MANIFEST, STAGES, Run
from ppedge.storage import read_json, sha256
from small import make_data, recipe_dict

SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "learning_rate": 1e-3, "freeze_bn": True}
SLIM = {
    "prune": {"ratios": [0.5], "samples": 2, "target_flops": 0.7, "max_drop": 1.0, "finetune": SHORT},
    "quant": {"samples": 4, "train": SHORT},
}


def ppedge(folder, *arguments):
    """Run a command that must succeed and return its JSON."""
    command = [sys.executable, "-m", "ppedge", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def hashes(run):
    files = [*run.stage("convert").rglob("*.nb"), *run.stage("convert").rglob("*.int8.onnx")]
    return {path.relative_to(run.path).as_posix(): sha256(path) for path in files}


def weight_bytes(file):
    """Of a .nb file; in a network as tiny as this, the description of its operators weighs more."""
    return file["contents"]["parameters"]["bytes"]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_the_road(task, tmp_path):
    sysroot.ensure()
    precisions = ["fp32", "fp16", "int8"] if task == "det" else ["fp32", "int8"]
    recipe = recipe_dict(task, make_data(task, tmp_path), slim=SLIM, convert={"precisions": precisions},
                         validate={"limit": 2})  # fmt: skip
    (tmp_path / "tiny.yml").write_text(yaml.safe_dump(recipe))
    run = Run(tmp_path / "runs" / recipe["name"])
    if task == "det":
        for command in (["train", "tiny.yml"], ["slim"], ["convert"], ["validate"]):
            ppedge(tmp_path, *command)
    else:
        ppedge(tmp_path, "run", "tiny.yml")
        before = [sha256(run.stage(stage) / MANIFEST) for stage in STAGES]
        ppedge(tmp_path, "run", "tiny.yml")
        assert [sha256(run.stage(stage) / MANIFEST) for stage in STAGES] == before  # there was nothing left to do
        page = (run.path / "report.html").read_text()
        assert all(f"<h2>{title}</h2>" in page for title in ("Training", "Slimming", "Files", "Gates"))
        assert f"{task}.int8.nb</th><td>cortex-a53</td>" in page  # priced by the table
    slim, files = run.manifest("slim")["metrics"], run.manifest("convert")["metrics"]["files"]
    report = read_json(run.artifact("validate", "report.json"))
    evaluated = ppedge(tmp_path, "eval", run.path)
    assert slim["flops_left"] <= 0.7

    # Slimming has made a smaller network of it, and int8 is int8.
    sizes = [weight_bytes(files[name]) for name in (f"{task}.int8.nb", f"{task}.fp32.nb", f"baseline/{task}.fp32.nb")]
    assert sizes == sorted(set(sizes))
    in_float = float_convolutions(read_nb(run.stage("convert") / f"{task}.int8.nb"))
    assert all(op.inputs["Filter"][0].startswith("upsampling.ones") for op in in_float)
    assert files[f"{task}.fp32.onnx"]["difference_to_paddle"] < 1e-4

    if task == "rec":  # the ONNX files take several lines at once, and carry their characters
        for name in ("rec.fp32.onnx", "rec.int8.onnx"):
            session = onnxruntime.InferenceSession(str(run.stage("convert") / name))
            lines = np.random.default_rng(0).standard_normal((3, 3, 32, 96), dtype=np.float32)
            together, alone = (session.run(None, {"x": x})[0] for x in (lines, lines[1:2]))
            assert len(together) == 3 and np.allclose(together[1:2], alone, atol=1e-5)
            characters = run.manifest("convert")["model"]["characters"]
            assert session.get_modelmeta().custom_metadata_map["character"].splitlines() == characters

    # The ARM core computes what the PC computes, with fewer instructions than before.
    assert report["passed"]
    baseline, model, quantized = report["models"]
    assert baseline["baseline"] and not model["baseline"]
    assert model["tensors"]["max_difference"] < 1e-4
    assert model["metric"]["reference"] == model["metric"]["candidate"]
    assert model["agreement"]["share"] == 1.0 and model["different"] == []
    assert all(shape["max_difference"] < 1e-4 for shape in model["shapes"])
    assert model["repeat_differences"] == model["broken_outputs"] == 0
    assert 0 < model["ratios"]["total"] < 1
    assert 0 < model["instructions"]["total"] < baseline["instructions"]["total"]
    assert model["estimated_latency"] is None  # estimates are of Paddle Lite's kernels alone
    assert quantized["file"] == f"{task}.int8.onnx"
    assert quantized["tensors"]["mean_difference"] < 0.01
    assert files[f"{task}.int8.onnx"]["bytes"] < files[f"{task}.fp32.onnx"]["bytes"]

    # What is evaluated afterwards is what slimming has measured.
    assert evaluated["metrics"] == slim["quantized"]

    parents = {"train": None, "slim": "train", "convert": "slim", "validate": "convert"}
    for stage in STAGES:
        manifest, parent = run.manifest(stage), parents[stage]
        link = None if parent is None else {"stage": parent, "sha256": sha256(run.stage(parent) / MANIFEST)}
        assert manifest["parent"] == link
        assert all(run.artifact(stage, entry["path"]).is_file() for entry in manifest["outputs"])
    assert not [path for path in run.path.iterdir() if path.name.endswith((".partial", ".old"))]

    if task != "cls":  # once more, from the same weights: the same bytes
        first = hashes(run)
        ppedge(tmp_path, "convert", run.path, "--force", "--precision", "int8", "--precision", "fp32")
        again = hashes(run)
        assert again
        assert again.items() <= first.items()
    if task == "det":  # and so of a network exported alone, not after others
        alone = tmp_path / "alone"
        run_module("ppedge.convert.export", [run.path, "--network", "train", "float", alone], "exporting")
        after_others = run.stage("convert") / "baseline" / "paddle" / "det.fp32.pdmodel"
        assert alone.with_suffix(".pdmodel").read_bytes() == after_others.read_bytes()

    prefix = run.stage("convert") / "paddle" / f"{task}.fp32"
    program = prefix.with_name(f"{prefix.name}.pdmodel")
    program.write_bytes(program.read_bytes()[: program.stat().st_size // 2])
    with pytest.raises(PpedgeError, match=r"fp32\.pdmodel: damaged") as error:
        to_nb(prefix, tmp_path / "out.nb", "fp32")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.nb").exists()
