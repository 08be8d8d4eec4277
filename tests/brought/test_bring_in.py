"""Bringing a network in, slimming it on pictures without labels, and all that comes behind."""

import json
import shutil

import numpy as np
import paddle
import pytest

from ppedge.brought.labels import completed
from ppedge.brought.stage import run_bring_in
from ppedge.cli.brought import Brought
from ppedge.convert.export import export_quantized
from ppedge.convert.stage import run_convert
from ppedge.data.formats import read_labels
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.models.imported.network import ImportedNetwork
from ppedge.models.weights import state_of
from ppedge.progress import Reporter
from ppedge.recipe.io import load_recipe
from ppedge.runs import Run
from ppedge.slim import pruning
from ppedge.slim.arm.distill import Distillation
from ppedge.slim.int8.pact import calibrate, quantize
from ppedge.slim.network import load_float, load_quantized
from ppedge.slim.plan import Plan
from ppedge.slim.stage import run_slim
from ppedge.train.task import OUTPUT_ERROR, Task

SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "learning_rate": 1e-3}
QUIET = Reporter(quiet=True)
MAIN = {"det": "hmean", "rec": "exact"}


@pytest.fixture
def brought(recipe_of, tmp_path):
    """Bring a network in and return its recipe and run."""

    def bring(task, quant="none", **sections):
        run = Run(tmp_path / "run")
        recipe = completed(recipe_of(task, quant, **sections), run)
        run_bring_in(recipe, run, device="cpu", reporter=QUIET)
        return recipe, run

    return bring


def labels_of(run, split, task):
    kind = "detection" if task == "det" else "recognition"
    return read_labels(run.stage("train") / f"{split}.txt", run.path, kind).samples


@pytest.mark.parametrize("task", ["det", "rec"])
def test_the_network_labels_the_pictures_and_agrees_with_itself(brought, folders, task):
    recipe, run = brought(task)
    learned, apart = ({sample.image for sample in labels_of(run, split, task)} for split in ("train", "eval"))
    assert not learned & apart and len(learned) > len(apart) > 0
    assert learned | apart == {path.resolve() for path in folders[f"pictures_{task}"].iterdir()}
    assert run.manifest("train")["metrics"][MAIN[task]] == 1.0
    assert load_recipe(run.recipe_path) == recipe


@pytest.mark.parametrize(("task", "quant"), [("det", "pact"), ("rec", "none")])
def test_a_network_brought_in_is_slimmed_and_converted_as_one_that_was_trained(brought, task, quant, files_of):
    recipe, run = brought(task, quant, convert={"formats": ["onnx"]})
    original = recipe.model.inference
    hidden = original.rename(original.with_name(f"{original.name}-gone"))  # the run keeps what it needs
    try:
        metrics = run_slim(recipe, run, device="cpu", reporter=QUIET)
        run_convert(recipe, run)
        again = Task.of_run(recipe, run)
        before, slim = (load_float(run, again, stage) for stage in ("train", "slim"))
        quantized = load_quantized(run, again) if quant == "pact" else None
    finally:
        hidden.rename(original)
    assert {"float", "pruned", "finetuned"} <= set(metrics) and metrics["float"][MAIN[task]] == 1.0
    assert Plan.load(run.artifact("slim", "plan.json")).keep
    size = [sum(value.size for value in state_of(net).values()) for net in (before, slim)]
    assert size[1] < size[0]
    x = np.random.default_rng(1).standard_normal((1, 3, 32, 64), dtype=np.float32)
    found = {}
    for name in (f"{task}.fp32.onnx", f"baseline/{task}.fp32.onnx"):
        with open_engine("onnxruntime", run.artifact("convert", name)) as engine:
            found[name] = engine.run([x])[0]
    with open_engine("paddle", files_of(task).model) as engine:
        assert np.abs(engine.run([x])[0] - found[f"baseline/{task}.fp32.onnx"]).max() < 1e-4
    with paddle.no_grad():
        made = slim(paddle.to_tensor(x)).numpy()
        assert np.abs(made - found[f"{task}.fp32.onnx"]).max() < 1e-4
        assert quantized is None or 0 < np.abs(quantized(paddle.to_tensor(x)).numpy() - made).max() < 1


def test_labels_report_the_tasks_own_metric_and_choose_nothing(brought, folders, tmp_path):
    picture = next(folders["pictures_rec"].iterdir())
    (tmp_path / "labels.txt").write_text(f"{picture}\tnot what it reads\n")
    recipe, run = brought("rec", data={"charset": "ascii", "test": ["labels.txt"], "root": str(tmp_path)})
    about = run.manifest("train")
    assert about["metrics"]["exact"] == 0.0 and about["measured_on"] == "test"
    assert about["chosen_by"]["exact"] == 1.0
    assert about["intervals"]["exact"] == [None, None]  # one line


def test_a_label_file_of_pictures_is_of_its_own_folder_and_what_is_shared_is_told(folders, tmp_path, capsys):
    pictures = sorted(folders["pictures_rec"].iterdir())[:4]
    for folder, few in (("ours", pictures), ("test", pictures[2:])):
        (tmp_path / folder).mkdir()
        for number, picture in enumerate(few):
            shutil.copy(picture, tmp_path / folder / f"{number}{picture.suffix}")
        names = sorted(path.name for path in (tmp_path / folder).iterdir())
        (tmp_path / folder / "labels.txt").write_text("".join(f"{name}\ta\n" for name in names))

    def bring(data, labels, name):
        run, recipe = Brought(folders["rec"], data, labels, ["data.charset=ascii"], tmp_path / name).recipe([])
        run_bring_in(recipe, run, device="cpu", reporter=Reporter())
        return {path.image for split in ("train", "eval") for path in labels_of(run, split, "rec")}

    used = bring(tmp_path / "ours" / "labels.txt", tmp_path / "test" / "labels.txt", "apart")
    assert {path.parent.name for path in used} == {"ours"}
    assert "note: 2 of 2 pictures of data.test are among those that the network learns from (2 under another name)" in (
        capsys.readouterr().err
    )
    bring(tmp_path / "test", tmp_path / "test" / "labels.txt", "shared")
    assert "note: 2 of 2 pictures of data.test are among those" in capsys.readouterr().err


def test_broken_pictures_are_named_or_left_out(recipe_of, folders, tmp_path):
    shutil.copytree(folders["pictures_rec"], tmp_path / "pictures")
    (tmp_path / "pictures" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    run = Run(tmp_path / "run")
    model = {"inference": str(folders["rec"]), "pictures": str(tmp_path / "pictures")}
    recipe = completed(recipe_of("rec", model=model), run)
    with pytest.raises(PpedgeError, match=r"torn\.jpg.*--skip-bad"):
        run_bring_in(recipe, run, device="cpu", reporter=QUIET)
    assert not run.stage("train").exists()
    run_bring_in(recipe, run, device="cpu", skip_bad=True, reporter=QUIET)
    assert sum(len(labels_of(run, split, "rec")) for split in ("train", "eval")) == 16


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"model": {"pictures": "empty"}}, "empty: holds 0 pictures"),
        ({"model": {"pictures": "nowhere"}}, "nowhere: no such folder or label file"),
        ({"data": {"charset": "en_number"}}, "has 96 classes, the character set .with blank. has"),
        ({"model": {"inference": "int8"}}, "is quantized already"),
        ({"det_postprocess": {"thresh": 1.0, "box_thresh": 1.0}}, "leaves 0 pictures to slim on.* finds no text"),
    ],
)
def test_what_cannot_be_brought_in_is_refused_in_a_sentence(
    recipe_of, folders, files_of, tmp_path, monkeypatch, sections, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    task = "rec" if "data" in sections else "det"
    if sections.get("model", {}).get("inference"):
        net = ImportedNetwork.read(files_of("det"), "det")
        quantize(net)
        calibrate(net, [paddle.ones([1, 3, 64, 64])])
        export_quantized(net, tmp_path / "int8" / "inference", "det")
    if "model" in sections:
        here = {"inference": str(folders["det"]), "pictures": str(folders["pictures_det"])}
        sections = {"model": here | sections["model"]}
    run = Run(tmp_path / "run")
    with pytest.raises(PpedgeError, match=told):
        run_bring_in(completed(recipe_of(task, **sections), run), run, device="cpu", reporter=QUIET)
    assert not run.stage("train").exists()


def options(folders, *more):
    settings = [
        "det_preprocess.limit_side=96", "det_preprocess.limit_type=max", "det_postprocess.thresh=0.2",
        "det_postprocess.box_thresh=0.2", "slim.prune.arm.distill.epochs=0", "slim.prune.arm.samples=4",
        "slim.max_metric_drop=null", "train.workers=0",
    ]  # fmt: skip
    changes = [word for setting in settings for word in ("--set", setting)]
    return ["slim", "--from-inference", folders["det"], "--data", folders["pictures_det"], "--name", "theirs", *changes,
            "--quant", "none", *more]  # fmt: skip


def test_the_command_brings_in_and_slims_and_goes_on_after_a_death(ppedge_here, folders, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = Run(tmp_path / "runs" / "theirs")
    with monkeypatch.context() as patch:
        patch.setattr("ppedge.slim.stage._steps", lambda stage: (_ for _ in ()).throw(KeyboardInterrupt))
        assert ppedge_here(*options(folders))[0] == 130
    before = run.manifest("train").path.read_bytes()
    code, _, err = ppedge_here(*options(folders))
    assert code == 2 and "train: there already" in err
    code, _, err = ppedge_here(*options(folders, "--resume", "--set", "det_postprocess.thresh=0.3"))
    assert code == 2 and "det_postprocess.thresh was 0.2 and is 0.3" in err
    weights = folders["det"] / "inference.pdiparams"
    kept = weights.read_bytes()
    try:
        weights.write_bytes(kept[:-4] + b"\0\0\0\1")  # somebody has exported it anew
        code, _, err = ppedge_here(*options(folders, "--resume"))
    finally:
        weights.write_bytes(kept)
    assert code == 2 and f"{run.path.relative_to(tmp_path)}: was started with another {weights}. Restore it, or" in err
    more = folders["pictures_det"] / "more.jpg"
    try:
        shutil.copyfile(next(folders["pictures_det"].glob("*.*")), more)
        code, _, err = ppedge_here(*options(folders, "--resume"))
        assert (
            code == 2 and "was started with other pictures of " in err and "then, " in err and "Restore them, or" in err
        )
    finally:
        more.unlink()
    code, out, err = ppedge_here(*options(folders, "--resume", "--json"))
    assert code == 0, err
    assert json.loads(out)["metrics"]["float"]["hmean"] == 1.0
    assert run.manifest("train").path.read_bytes() == before and run.fresh("slim")
    assert run.manifest("slim")["prune"] == "arm"
    _, default = Brought(folders["det"], folders["pictures_det"], None, [], None).recipe([])
    assert (default.slim.prune.method, default.slim.quant.method) == ("arm", "arm")
    assert default.slim.quant.rounding == "nearest" and default.slim.prune.arm.distill.epochs > 0
    seen = default.train.det_augment
    assert (seen.flip, seen.scale, seen.crop) == (0, (0.8, 1.25), 640)
    code, out, err = ppedge_here("eval", run.path, "--stage", "train", "--json")
    assert code == 0 and json.loads(out)["metrics"]["hmean"] == 1.0


def test_a_recogniser_that_is_brought_in_is_not_distilled_unless_asked_to(folders):
    def slim(*changes):
        return Brought(folders["rec"], folders["pictures_rec"], None, [], None).recipe(list(changes))[1].slim

    assert (slim().quant.method, slim().quant.rounding, slim().prune.arm.distill.epochs) == ("arm", "learned", 0)
    assert slim("slim.quant.method=arm") == slim()  # to write what is the default anyway changes nothing
    asked = slim("slim.quant.method=pact", "slim.prune.arm.distill.epochs=3")
    assert (asked.quant.method, asked.quant.rounding, asked.prune.arm.distill.epochs) == ("pact", "nearest", 3)


def test_another_task_is_named_before_the_keys_that_it_lacks(ppedge_here, folders, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for command in (["slim", "--data", folders["pictures_det"]], ["convert"]):
        code, _, err = ppedge_here(*command, "--from-inference", folders["det"], "--task", "rec", "--charset", "ascii")
        assert code == 2 and "inference.pdmodel: a detector, but the task is rec. Set the task det" in err
        code, _, err = ppedge_here(*command, "--from-inference", folders["rec"], "--set", "task=det")
        assert code == 2 and "inference.pdmodel: a recogniser, but the task is det. Set the task rec" in err


def test_a_folder_whose_name_no_run_can_have_asks_for_one(ppedge_here, folders, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folders["det"], tmp_path / "det (1)")
    (tmp_path / "模型.onnx").write_bytes(b"")
    for option, source in (("--from-inference", "det (1)"), ("--from-onnx", "模型.onnx")):
        for command in (["slim", "--data", folders["pictures_det"]], ["convert"]):
            code, _, err = ppedge_here(*command, option, source)
            assert code == 2 and "a run cannot be called so" in err and err.rstrip().endswith("Name it by --name NAME.")
    assert not (tmp_path / "runs").exists()
    code, _, err = ppedge_here("convert", "--from-inference", "det (1)", "--set", "name=first", "--format", "onnx")
    assert code == 0 and (tmp_path / "runs" / "first" / "convert").is_dir(), err


def test_a_detector_that_is_brought_in_is_trained_in_8_bits_by_who_asks_for_that(folders):
    def quant(*changes):
        return Brought(folders["det"], folders["pictures_det"], None, [], None).recipe(list(changes))[1].slim.quant

    assert quant().train.epochs == 0 and quant("slim.quant.method=arm") == quant()
    assert quant("slim.quant.method=pact").train.epochs > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--from-inference", "det"], "there is nothing to learn from. Name a folder of pictures with --data"),
        (["runs/x", "--from-inference", "det", "--data", "p"], "a run's folder and --from-inference are two networks"),
        (["runs/x", "--data", "p"], "They go with --from-inference DIR"),
        (["--from-inference", "nowhere", "--data", "p"], "nowhere: no such folder"),
    ],
)
def test_options_that_do_not_go_together_are_refused(ppedge_here, monkeypatch, tmp_path, arguments, told):
    monkeypatch.chdir(tmp_path)
    code, _, err = ppedge_here("slim", *arguments)
    assert code == 2 and told in err and err.count("\n") == 1


def test_least_squares_takes_channels_of_a_network_that_nobody_here_has_built(recipe_of, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pruning, "Distillation", lambda *a, **k: asked.append(k) or Distillation(*a, **k))
    run = Run(tmp_path / "run")
    arm = {"tolerance": 0.3, "samples": 4, "distill": {**SHORT, "eval_every": 1}}
    slim = {"max_metric_drop": None, "prune": {"method": "arm", "arm": arm}, "quant": {"method": "none"}}
    recipe = completed(recipe_of("det", slim=slim), run)
    run_bring_in(recipe, run, device="cpu", reporter=QUIET)
    metrics = run_slim(recipe, run, device="cpu", reporter=QUIET)
    assert metrics["macs_left"] < 0.9
    plan = Plan.load(run.artifact("slim", "plan.json"))
    assert plan.keep and {name.split(".")[0] for name in plan.keep} <= set(
        dict(load_float(run, Task.of_run(recipe, run), "train").named_sublayers())
    )
    assert [options["robust"] for options in asked] == [True]
    lines = [json.loads(line) for line in run.artifact("slim", "distil.jsonl").read_text().splitlines()]
    errors = [line["eval"][OUTPUT_ERROR] for line in lines if "eval" in line]  # weights are chosen by them
    assert len(errors) > 1 and min(errors) > 0
    assert run.manifest("slim")["metrics"]["distilled"][OUTPUT_ERROR] == pytest.approx(min(errors))
