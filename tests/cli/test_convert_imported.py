"""``ppedge convert --from-inference``, and the stages of a run that began so."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ppedge.arm import sysroot
from ppedge.cli.brought import recipe_of, tell_noted
from ppedge.cost.report import layer_names
from ppedge.engines import open_engine
from ppedge.files.naming import named, weight_of
from ppedge.files.nb import read_nb
from ppedge.process import run_child
from ppedge.recipe.io import load_recipe, make_recipe
from ppedge.runs import Run
from ppedge.storage import read_json, sha256
from small import make_data

TINY = Path(__file__).parents[1] / "convert" / "tiny.py"
CHARACTERS = "0123456789"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of inference models, as PaddleOCR lays them out: det, rec."""
    root = tmp_path_factory.mktemp("inference")
    lay_out(root, det="det-float", rec="rec-float")
    (root / "digits.txt").write_text("\n".join(CHARACTERS))
    return root


def lay_out(root, **names):
    """Export tiny networks, each into the folder of its keyword."""
    pytest.importorskip("paddle", reason="exporting needs Paddle")
    run_child([sys.executable, TINY, root, *names.values()], "exporting tiny networks")
    for folder, name in names.items():
        (root / folder).mkdir()
        for suffix in (".pdmodel", ".pdiparams"):
            (root / f"{name}{suffix}").rename(root / folder / f"inference{suffix}")


def refused(result, told):
    code, out, err = result
    assert (code, out) == (2, ""), err
    assert told in err
    assert err.startswith("ppedge: ") and err.count("\n") == 1
    assert not Path("runs").exists()


def recipe(folders, task, **sections):
    value = {"name": f"tiny_{task}", "task": task, "data": {}, "model": {"inference": str(folders / task)}, **sections}
    if task == "rec":
        value["data"] = {"charset": str(folders / "digits.txt"), **value["data"]}
        value["rec_preprocess"] = {"min_width": 64, "max_width": 128}
    Path("tiny.yml").write_text(yaml.safe_dump(value))
    return "tiny.yml"


@pytest.mark.slow
def test_a_detector_becomes_a_run(ppedge, folders):
    code, out, err = ppedge("convert", "--from-inference", folders / "det", "--name", "theirs", "--json")
    assert code == 0, err
    run, files = Run(Path("runs/theirs")), json.loads(out)["files"]
    assert set(files) == {"det.fp32.nb", "det.fp16.nb", "det.fp32.onnx"}
    assert files["det.fp32.onnx"]["difference_to_paddle"] < 1e-4
    assert run.fresh("convert")
    manifest = run.manifest("convert")
    assert manifest["parent"] is None and manifest["model"]["task"] == "det"
    theirs = folders / "det" / "inference.pdmodel"
    assert {"path": str(theirs), "sha256": sha256(theirs), "bytes": theirs.stat().st_size} in manifest["inputs"]
    assert run.artifact("convert", "paddle/det.fp32.pdmodel").read_bytes() == theirs.read_bytes()
    assert load_recipe(run.recipe_path).model.inference == folders / "det"

    # Once more, of the run itself: what is asked of this call alone does not stay in the recipe.
    kept = run.recipe_path.read_bytes()
    assert ppedge("convert")[0] == 2
    code, _, err = ppedge("convert", run.path, "--force", "--format", "nb", "--precision", "fp32")
    assert code == 0, err
    assert run.recipe_path.read_bytes() == kept
    assert not (run.stage("convert") / "det.fp16.nb").exists()


@pytest.mark.slow
def test_rewriting_is_told_kept_and_can_be_left_out(ppedge, folders):
    """What ships is made of the rewritten program, and names its weights as the one that was brought in does."""
    options = ["--from-inference", folders / "det", "--name", "theirs", "--precision", "fp32"]
    code, _, err = ppedge("convert", *options)
    assert code == 0, err
    assert "det.fp32 for nb: fold-before, " in err and "largest difference" in err and "predicted cortex-a53" in err
    run = Run(Path("runs/theirs"))
    rewrites = run.manifest("convert")["metrics"]["rewrites"]
    assert set(rewrites) == {"nb/paddle/det.fp32", "onnx/paddle/det.fp32"}
    passes = {one["name"]: one for one in rewrites["nb/paddle/det.fp32"]["passes"]}
    assert passes["fold-before"]["changes"][0].keys() == {"kind", "where", "done", "layer"}
    assert passes["fold-before"]["difference"] < 1e-5
    exact = read_nb(run.artifact("convert", "det.fp32.nb"))
    assert passes["sub-pixel"]["changes"] and layer_names(run, exact.path)  # weights of other names than before
    named_exact = set(named([one for one in exact.operators if weight_of(one)], layer_names(run, exact.path)))

    code, _, err = ppedge("convert", run.path, "--force", "--rewrite", "none")
    assert code == 0 and "largest difference" not in err, err
    assert run.manifest("convert")["metrics"]["rewrites"] == {}
    plain = read_nb(run.artifact("convert", "det.fp32.nb"))
    # opt leaves the bias and the BatchNorm of the transposed convolution operators of their own.
    assert "batch_norm" in [one.type for one in plain.operators]
    assert "batch_norm" not in [one.type for one in exact.operators]
    # In reports each operator is of a weight of the program that was brought in.
    assert named_exact <= {weight_of(one) for one in plain.operators}


@pytest.mark.slow
@pytest.mark.parametrize(("rewriting", "recurrent"), [("exact", "lstm"), ("none", "rnn")])
def test_a_recogniser_of_any_number_of_lines(ppedge, folders, tmp_path, rewriting, recurrent):
    """As PaddleOCR exports those with an LSTM: its .nb takes one line, its ONNX file any number."""
    lay_out(tmp_path, free="rec-batched")
    charset = ["--charset", folders / "digits.txt"]
    code, _, err = ppedge("convert", "--from-inference", tmp_path / "free", *charset, "--rewrite", rewriting)
    assert code == 0, err
    run = Run(Path("runs/free"))
    operators = {one.type for one in read_nb(run.artifact("convert", "rec.fp32.nb")).operators}
    # Paddle Lite aborts where the first states' shape is computed.
    assert recurrent in operators and not operators & {"shape", "slice"}
    with open_engine("onnxruntime", run.artifact("convert", "rec.fp32.onnx")) as engine:
        lines = np.random.default_rng(0).standard_normal((3, 3, 32, 64), dtype=np.float32)
        [together] = engine.run([lines])
        np.testing.assert_allclose(together[1:2], engine.run([lines[1:2]])[0], atol=1e-5)


@pytest.mark.slow
def test_a_quantized_model_becomes_int8(ppedge, tmp_path):
    lay_out(tmp_path, int8="det-quantized")
    code, out, err = ppedge("convert", "--from-inference", tmp_path / "int8", "--json")
    assert code == 0, err
    files = json.loads(out)["files"]
    assert set(files) == {"det.int8.nb"}
    assert set(files["det.int8.nb"]["contents"]["convolutions"]) == {"int8"}
    again = ppedge("convert", "runs/int8", "--force", "--precision", "fp32")
    assert again[0] == 2 and "is quantized, of which an int8 .nb can be made" in again[2]


@pytest.mark.slow
def test_each_line_of_a_dictionary_is_a_class(ppedge, folders):
    lines = ["0", "1", "0", "", "ฤๅ", "p\t", "6", "7", "8", "9"]
    Path("odd.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    code, _, err = ppedge("convert", "--from-inference", folders / "rec", "--charset", "odd.txt", "--format", "onnx")
    assert code == 0, err
    assert Run(Path("runs/rec")).manifest("convert")["model"]["characters"] == lines


@pytest.mark.parametrize("changes", [[], ['task="rec"'], ["task=rec"]])
def test_the_height_of_lines_is_the_files_own(folders, changes):
    assert recipe_of(folders / "rec", changes).get("rec_preprocess") == {"height": 32}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["rec", "--task", "det"], "a recogniser, but the task is det"),
        (["rec"], "has 11 classes, the character set (with blank) has 97"),
        (["rec", "--charset", "nine.txt"], "use --set data.use_space_char=true"),
        (["rec", "--charset", "nothing.txt"], "nothing.txt: neither a readable UTF-8 file nor a built-in"),
        (["det", "--set", "validate.limits=3"], "unknown key validate.limits. Did you mean limit?"),
        (["det", "--set", "train.epochs=3"], "train: a network that comes as an inference model has no such stage"),
        (["det", "--name", "a/b"], "name: "),
        (["not-there"], "not-there: no such folder"),
    ],
)
def test_what_is_refused_in_one_sentence(ppedge, folders, options, told):
    Path("nine.txt").write_text("\n".join(CHARACTERS[:9]))
    refused(ppedge("convert", "--from-inference", folders / options[0], *options[1:]), told)


@pytest.mark.parametrize(
    ("suffix", "change", "told"),
    [
        (".pdmodel", lambda data: data[:-40], "inference.pdmodel: damaged or not a .pdmodel file"),
        (".pdiparams", lambda data: data[:-40], "inference.pdiparams: damaged or not a .pdiparams file"),
        (".pdiparams", lambda data: None, "inference.pdiparams: cannot be read (No such file"),
    ],
)
def test_damaged_models(ppedge, folders, tmp_path, suffix, change, told):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (folders / "det").iterdir():
        data = change(path.read_bytes()) if path.suffix == suffix else path.read_bytes()
        if data is not None:
            (copy / path.name).write_bytes(data)
    refused(ppedge("convert", "--from-inference", copy), told)


def test_what_an_exporter_noted_of_boxes_is_taken_and_said(folders, tmp_path, capsys):
    shutil.copytree(folders / "det", tmp_path / "det")
    tell_noted(tmp_path / "det", None, [])
    assert capsys.readouterr().err == ""
    notes = {"PostProcess": {"name": "DBPostProcess", "thresh": 0.2, "box_thresh": 0.45, "max_candidates": 1000}}
    (tmp_path / "det" / "inference.yml").write_text(yaml.safe_dump(notes))
    found = make_recipe(recipe_of(tmp_path / "det", []), Path("--from-inference"), ["det_postprocess.thresh=0.25"])
    assert (found.det_postprocess.thresh, found.det_postprocess.box_thresh) == (0.25, 0.45)
    tell_noted(tmp_path / "det", None, [])
    assert "det: of its boxes the exporter has noted thresh 0.2, box_thresh 0.45\n" in capsys.readouterr().err


def test_what_an_exporter_noted_of_pictures_is_taken_and_said_or_refused(ppedge, folders, tmp_path, capsys):
    shutil.copytree(folders / "det", tmp_path / "det")
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "scale": "1./255."}

    def note(*steps):
        (tmp_path / "det" / "inference.yml").write_text(yaml.safe_dump({"PreProcess": {"transform_ops": [*steps]}}))

    note({"DetResizeForTest": {"resize_long": 960}}, {"NormalizeImage": half})
    found = make_recipe(recipe_of(tmp_path / "det", []), Path("--from-inference"), ["det_preprocess.limit_side=640"])
    assert (found.det_preprocess.limit_side, found.det_preprocess.limit_type) == (640, "max")
    assert found.det_preprocess.mean == (0.5, 0.5, 0.5)
    tell_noted(tmp_path / "det", None, [])
    told = capsys.readouterr().err
    assert "of its pictures the exporter has noted limit_side 960, limit_type max, mean (0.5, 0.5, 0.5)" in told
    assert "small pictures were enlarged" in told
    path = recipe(folders, "det", model={"inference": str(tmp_path / "det")})
    refused(ppedge("convert", path), "the network takes mean [0.5,0.5,0.5], det_preprocess.mean is")
    note({"DecodeImage": {"img_mode": "RGB"}})
    refused(ppedge("convert", "--from-inference", tmp_path / "det"), "channels in the order 'RGB'")


@pytest.mark.parametrize(("task", "last"), [("det", "sigmoid"), ("rec", "softmax")])
def test_a_network_that_gives_no_probabilities_is_refused(ppedge, folders, tmp_path, task, last):
    from ppedge.files.inference_model import InferenceModel
    from ppedge.program.program import Program

    program = Program.read(InferenceModel.at(folders / task / "inference"))
    (end,) = [op for op in program.operators if op.type == "fetch"]
    before = program.writer(end.input("X"))
    while before.type != last:
        before = program.writer(before.input("X"))
    end.set_input("X", before.inputs["X"])
    program.drop_dead()
    (tmp_path / "theirs").mkdir()
    program.write(InferenceModel.at(tmp_path / "theirs" / "inference"))
    charset = ["--charset", folders / "digits.txt"] if task == "rec" else []
    code, _, err = ppedge("convert", "--from-inference", tmp_path / "theirs", "--format", "onnx", *charset)
    assert code == 2, err
    assert err.splitlines()[-1].startswith(f"ppedge: {tmp_path / 'theirs' / 'inference.pdmodel'}: gives values from ")
    assert f"these are no probabilities. Export it with its last activation, {last}." in err
    assert not Run(Path("runs/theirs")).done("convert")


def test_options_of_an_inference_model_alone(ppedge, folders):
    refused(ppedge("convert", "--set", "convert.formats=[nb]"), "a run that is there has its recipe already")
    trained = Path(__file__).parents[2] / "recipes" / "receipts_det.yml"
    refused(ppedge("convert", trained), "its network is to be trained first")
    refused(ppedge("convert", trained, "--from-inference", folders / "det"), "its model names a network's parts")


@pytest.mark.parametrize("command", ["train", "eval"])
def test_a_recipe_of_one_cannot_be_trained(ppedge, folders, command):
    pytest.importorskip("paddle")
    weights = ["--weights", folders / "no.pdparams"] if command == "eval" else []
    refused(ppedge(command, recipe(folders, "det"), *weights), "cannot be trained or slimmed")


@pytest.mark.slow
def test_the_road_of_a_recogniser(ppedge, folders, tmp_path):
    sysroot.ensure()
    data = make_data("rec", tmp_path)
    everything = "".join(map(chr, range(32, 127)))  # nothing is left to be read wrong, wherever it is measured
    path = recipe(folders, "rec", data={"root": str(data), "eval": ["val.txt"]}, validate={"limit": 2},
                  metric_ignore=everything)  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "ppedge", "run", path, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["stage"], row["precision"]) == ("imported", "fp32")
    assert row["nb_bytes"] > 0 and row["arm_instructions"] > 0
    run = Run(Path("runs/tiny_rec"))
    assert run.manifest("validate")["metrics"] == {"passed": True}
    (model,) = read_json(run.artifact("validate", "report.json"))["models"]
    assert model["metric"]["reference"]["exact"] == model["metric"]["candidate"]["exact"] == 1.0
    code, out, err = ppedge("eval", run.path, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["samples"] == 4 and found["metrics"] == {"exact": 1.0, "ned": 1.0}
    assert f"; without {everything!r})" in ppedge("eval", run.path)[1]
    told = ppedge("eval", run.path, "--set", "metric=upper_alnum", "--set", "metric_ignore=''")[1]
    assert told.splitlines()[0].endswith("s; metric upper_alnum)")
    code, out, err = ppedge("slim", run.path)
    assert code == 2 and "without pictures it cannot be slimmed. Use `ppedge slim --from-inference" in err
    code, out, err = ppedge("validate", run.path, "--set", "data.eval=[]", "--force")
    assert code == 2 and "data.eval names no label files" in err
