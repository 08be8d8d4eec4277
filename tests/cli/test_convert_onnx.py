"""``ppedge convert --from-onnx``: an ONNX model becomes a run, or one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from ppedge.cli import brought
from ppedge.cli.brought import from_onnx, recipe_of, tell_noted
from ppedge.convert import onnx_model
from ppedge.convert.imported import of_recipe
from ppedge.convert.onnx_model import import_onnx
from ppedge.errors import PpedgeError
from ppedge.files.naming import weight_of
from ppedge.files.nb import read_nb
from ppedge.ocr.charset import Charset
from ppedge.ocr.image_file import read_image
from ppedge.ocr.spec import DetPreprocess
from ppedge.recipe.io import load_recipe, make_recipe
from ppedge.runs import Run
from ppedge.storage import read_json
from small import make_data
from tiny_onnx import save_trained_det, save_trained_rec

pytest.importorskip("paddle", reason="bringing a network in needs Paddle")

# An ideographic space and a separator at which splitlines splits, as PP-OCRv5's dictionary has the first.
CHARACTERS = ["a", "\u3000", "b", "\u2028", "c"]
FAST = ["--precision", "fp32", "--format", "nb", "--rewrite", "none"]


def refused(result, *told):
    code, out, err = result
    assert (code, out) == (2, ""), err
    assert all(part in err for part in told), err
    assert "ppedge: " in err and "Traceback" not in err
    assert not list(Path().glob("runs/*/convert"))


@pytest.mark.slow
def test_a_detector_becomes_a_run(ppedge):
    save_trained_det("small.onnx")
    code, out, err = ppedge("convert", "--from-onnx", "small.onnx", "--precision", "fp32", "--json")
    assert code == 0, err
    assert "Paddle computes what onnxruntime does: largest difference" in err
    run = Run(Path("runs/small"))
    assert set(json.loads(out)["files"]) == {"det.fp32.nb", "det.fp32.onnx"}
    assert load_recipe(run.recipe_path).model.inference == Path("runs/small/imported")
    names = {weight_of(op) for op in read_nb(run.artifact("convert", "det.fp32.nb")).operators}
    assert {"conv2d_0.w_0", "conv2d_1.w_0"} <= names
    about = read_json(run.path / "imported" / "about.json")
    assert about["source"]["file"] == "small.onnx" and 0 < about["difference"] < 1e-5 and about["inputs"] == 3


@pytest.fixture
def at_once(monkeypatch):
    """What a child process does, in this one, which has Paddle already."""
    from ppedge.convert import onnx_model, translating

    monkeypatch.setattr(onnx_model, "run_module", lambda name, given, what: translating.main([*map(str, given)]))


@pytest.mark.parametrize(
    ("classes", "carried", "space"),
    [
        (7, CHARACTERS, True),  # RapidOCR's: the space on top is not among them
        (7, [*CHARACTERS, " "], False),  # ppedge's own
        (7, ["a\r", *CHARACTERS[1:]], True),
    ],
)
def test_a_recogniser_brings_its_characters(classes, carried, space, at_once, tmp_path):
    save_trained_rec(tmp_path / "lines.onnx", classes, carried)
    made = import_onnx(tmp_path / "lines.onnx", tmp_path / "run")
    assert made.use_space_char == space
    read = Charset.from_name_or_file(made.characters, as_is=True).characters
    assert read == tuple(one.strip("\r") for one in carried)
    folder = recipe_of(made.folder, [])
    assert (folder["task"], folder["rec_preprocess"]) == ("rec", {"height": 48})


def test_characters_that_do_not_fit_are_not_taken(at_once, tmp_path):
    save_trained_rec(tmp_path / "lines.onnx", 9, CHARACTERS)
    said = []
    assert import_onnx(tmp_path / "lines.onnx", tmp_path / "run", say=said.append).characters is None
    assert "the 5 characters that it carries do not fit its 9 classes; --charset names others" in said[0]
    save_trained_rec(tmp_path / "bare.onnx", 9)
    assert import_onnx(tmp_path / "bare.onnx", tmp_path / "bare").characters is None


NOTES = """\
PreProcess: {transform_ops: [{NormalizeImage: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], scale: 1./255.}}]}
PostProcess: {name: DBPostProcess, box_thresh: 0.45}
"""


def brought_in(file, *changes):
    """Return the recipe of an ONNX file and the folder that it is made in, as the commands make them."""
    folder, keys = from_onnx(file, None, [], list(changes), None, force=False)
    tell_noted(folder, file, [*keys, *changes])
    return make_recipe(recipe_of(folder, [*keys, *changes]), Path("--from-onnx"), [*keys, *changes]), folder


def test_what_the_exporter_noted_beside_the_file_is_taken_and_said(at_once, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_trained_det(tmp_path / "small.onnx")
    (tmp_path / "inference.yml").write_text(NOTES)
    recipe, folder = brought_in(Path("small.onnx"))
    assert recipe.det_preprocess.mean == recipe.det_preprocess.std == (0.5, 0.5, 0.5)
    assert recipe.det_postprocess.box_thresh == 0.45
    told = capsys.readouterr().err
    assert "small.onnx: of its pictures the exporter has noted mean (0.5, 0.5, 0.5), std (0.5, 0.5, 0.5)\n" in told
    assert "is assumed" not in told
    with pytest.raises(PpedgeError, match="takes mean"):  # what is converted later is held against it, too
        of_recipe(recipe.model_copy(update={"det_preprocess": DetPreprocess()}), ())
    (tmp_path / "inference.yml").write_text(NOTES.replace("0.5, 0.5, 0.5", "0.4, 0.4, 0.4"))
    with pytest.raises(PpedgeError, match="imported: was made of another ONNX file or inference.yml beside it"):
        brought_in(Path("small.onnx"))
    assert folder == Path("runs/small/imported")


def test_without_notes_what_is_assumed_of_pictures_is_said(at_once, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_trained_det(tmp_path / "small.onnx")
    brought_in(Path("small.onnx"))
    told = capsys.readouterr().err
    for key, value in (("mean", "[0.485,0.456,0.406]"), ("std", "[0.229,0.224,0.225]")):
        assert (
            f"small.onnx: no inference.yml beside it says by which {key} pictures were normalised: {value} is assumed, "
            f"PaddleOCR's own; --set det_preprocess.{key} changes it\n"
        ) in told
    brought_in(Path("small.onnx"), "det_preprocess.mean=[0.5,0.5,0.5]")
    told = capsys.readouterr().err
    assert "which mean" not in told and "which std" in told
    save_trained_rec(tmp_path / "lines.onnx", 7, CHARACTERS)
    brought_in(Path("lines.onnx"))
    assert "which std lines were normalised: 0.5 is assumed" in capsys.readouterr().err


@pytest.mark.parametrize(("notes", "chosen"), [(None, 0.123), (NOTES, 0.45), ("PostProcess: {name: DB}", 0.123)])
def test_a_files_own_notes_of_boxes_go_before_those_of_its_layers(at_once, tmp_path, monkeypatch, notes, chosen):
    monkeypatch.chdir(tmp_path)
    save_trained_det(tmp_path / "small.onnx")
    if notes:
        (tmp_path / "inference.yml").write_text(notes)
    monkeypatch.setattr(brought, "_postprocess_of", lambda name, say: ["det_postprocess.box_thresh=0.123"])
    real = onnx_model.import_onnx
    monkeypatch.setattr(onnx_model, "import_onnx", lambda *a, **k: replace(real(*a, **k), recipe="ppocrv6_det_tiny"))
    assert brought_in(Path("small.onnx"))[0].det_postprocess.box_thresh == chosen


def test_pictures_to_try_it_on(at_once, tmp_path):
    save_trained_det(tmp_path / "small.onnx")
    pictures = sorted(one for one in make_data("det", tmp_path).rglob("*") if one.suffix in (".png", ".jpg"))
    said = []
    import_onnx(tmp_path / "small.onnx", tmp_path / "run", pictures[:2], say=said.append)
    assert "of 5 inputs" in said[0]


def test_what_was_made_is_taken_and_another_file_does_not_replace_it(at_once, tmp_path):
    for seed, name in enumerate(("small.onnx", "other.onnx")):
        save_trained_det(tmp_path / name, seed)
    about = import_onnx(tmp_path / "small.onnx", tmp_path / "run").folder / "about.json"
    made, when = read_json(about), about.stat().st_mtime_ns
    import_onnx(tmp_path / "small.onnx", tmp_path / "run")
    assert about.stat().st_mtime_ns == when
    with pytest.raises(PpedgeError, match="was made of another ONNX file"):
        import_onnx(tmp_path / "other.onnx", tmp_path / "run")
    assert read_json(about) == made
    import_onnx(tmp_path / "other.onnx", tmp_path / "run", force=True)
    assert read_json(about)["source"]["file"] == "other.onnx"
    assert [one.name for one in about.parents[1].iterdir()] == ["imported"]


def test_what_was_damaged_is_made_again(at_once, tmp_path):
    save_trained_det(tmp_path / "small.onnx")
    made = import_onnx(tmp_path / "small.onnx", tmp_path / "run").folder
    whole = (made / "inference.pdiparams").read_bytes()
    (made / "inference.pdiparams").write_bytes(whole[:-8])
    with pytest.raises(PpedgeError, match="use --force|Use --force"):
        import_onnx(tmp_path / "small.onnx", tmp_path / "run")
    import_onnx(tmp_path / "small.onnx", tmp_path / "run", force=True)
    assert (made / "inference.pdiparams").read_bytes() == whole


def test_what_is_refused(at_once, ppedge):
    refused(ppedge("convert", "--from-onnx", "none.onnx"), "none.onnx: cannot be read", "Name an ONNX file")
    Path("odd.onnx").write_bytes(b"no model")
    refused(ppedge("convert", "--from-onnx", "odd.onnx"), "odd.onnx: damaged or not an ONNX file")
    save_trained_det("small.onnx")
    refused(ppedge("convert", "--from-onnx", "small.onnx", "--task", "rec"), "a detector, but the task is rec")
    refused(ppedge("convert", "runs/x", "--from-onnx", "small.onnx"), "Name the run's folder with --out")
    refused(ppedge("convert", "runs/x", "--data", "p"), "It goes with --from-onnx FILE")
    refused(ppedge("convert", "--from-onnx", "small.onnx", "--out", "x", "--data", "nowhere"), "nowhere")
    Path("empty").mkdir()
    refused(ppedge("convert", "--from-onnx", "small.onnx", "--out", "x", "--data", "empty"), "empty: holds 0 pictures")
    refused(ppedge("slim", "--from-onnx", "small.onnx"), "there is nothing to learn from")
    refused(ppedge("slim", "--from-onnx", "small.onnx", "--from-inference", "d"), "two networks")
    save_trained_rec("lines.onnx", 9, CHARACTERS)
    refused(ppedge("convert", "--from-onnx", "lines.onnx"), "do not fit its 9 classes", "has 9 classes")
    assert not Path("runs/odd/imported").exists()


def test_a_network_that_paddle_computes_otherwise_is_refused(tmp_path, monkeypatch):
    """Held against onnxruntime by the largest difference, and by the mean one."""
    from ppedge.convert import translating

    save_trained_det(tmp_path / "small.onnx")
    folder = tmp_path / "out"
    folder.mkdir()
    translating.main([str(tmp_path / "small.onnx"), str(folder)])
    assert read_json(folder / "about.json")["difference"] < 1e-5
    true = translating.translate

    def spoilt(path):
        made = true(path)
        made.program.set_weight("conv2d_1.b_0", made.program.weights["conv2d_1.b_0"] + np.float32(1e-4))
        return made

    monkeypatch.setattr(translating, "translate", spoilt)
    translating.main([str(tmp_path / "small.onnx"), str(folder)])
    told = read_json(folder / "about.json")["error"]
    assert "Paddle makes something else than onnxruntime" in told and "0.002 and 1e-05 are allowed" in told


def test_a_picture_that_is_bad_is_named(tmp_path):
    from ppedge.convert import translating

    save_trained_det(tmp_path / "small.onnx")
    (tmp_path / "bad.jpg").write_bytes(b"none")
    with pytest.raises(PpedgeError):
        read_image(tmp_path / "bad.jpg")
    translating.main([str(tmp_path / "small.onnx"), str(tmp_path), str(tmp_path / "bad.jpg")])
    assert "bad.jpg" in read_json(tmp_path / "about.json")["error"]


def test_a_package_that_is_missing_is_named(monkeypatch, ppedge):
    from ppedge.convert import onnx_model

    save_trained_det("small.onnx")
    monkeypatch.setattr(onnx_model, "find_spec", lambda name: None if name == "onnx" else name)
    code, _, err = ppedge("convert", "--from-onnx", "small.onnx")
    assert code == 3 and "onnx is not installed, which bringing in ONNX needs" in err


def test_weights_in_another_file_are_refused(at_once, ppedge):
    save_trained_det("small.onnx")
    model = onnx.load("small.onnx")
    onnx.save(model, "apart.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    refused(ppedge("convert", "--from-onnx", "apart.onnx"), "apart.onnx: ")
