"""``ppedge ocr`` from a bundle, and the command line of ``ppedge bundle``."""

import json
from contextlib import ExitStack

import numpy as np
import pytest
from sample import DET, REC

from ppedge.arm import lite
from ppedge.bundle import reading
from ppedge.bundle.build import build_bundle
from ppedge.bundle.golden import pack
from ppedge.bundle.reading import choose_engine, open_bundle
from ppedge.bundle.verify import verify_bundle
from ppedge.cli.main import main
from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.db import boxes_from_map
from ppedge.ocr.geometry import crop_quad, reading_order
from ppedge.ocr.image_file import read_image
from ppedge.ocr.preprocess import prepare_rec
from ppedge.storage import read_json
from tiny_runs import draw, make_run


@pytest.fixture
def ppedge(capsys):
    """Run a command line; return exit code, output, error output."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        return end.value.code or 0, *capsys.readouterr()

    return run


def test_a_bundle_reads_as_its_runs_do(ppedge, runs, bundle, picture):
    code, out, _ = ppedge("ocr", bundle, picture, "--json")
    assert code == 0
    assert out == ppedge("ocr", picture, "--det", runs[0], "--rec", runs[1], "--precision", "int8", "--json")[1]
    (result,) = json.loads(out)
    assert [line["text"] for line in result["lines"]] == ["车b", "车b"]


def test_that_a_bundle_of_the_runs_has_another_precision_is_told(ppedge, runs, picture, tmp_path):
    both = ["--det", runs[0], "--rec", runs[1]]
    code, _, err = ppedge("ocr", picture, *both)
    told = "note: read with det.fp32.onnx, rec.fp32.onnx; int8 is there too, which a bundle takes by default"
    assert code == 0 and err.count("\n") == 1 and err.startswith(told) and err.endswith(": --precision int8\n")
    assert "note: read with det.fp32.onnx; int8 is there too" in ppedge("ocr", picture, *both[:2])[2]
    for precision in ("fp32", "int8"):
        assert ppedge("ocr", picture, *both, "--precision", precision)[2] == ""
    plain = make_run(tmp_path / "plain", "rec", precisions=["fp32"])
    assert ppedge("ocr", picture, *both[:2], "--rec", plain)[2] == ""
    upright = make_run(tmp_path / "cls", "cls", precisions=["fp32"])
    assert "rec.fp32.onnx, cls.fp32.onnx;" in ppedge("ocr", picture, *both, "--cls", upright)[2]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["{bundle}"], 2, "no pictures are named"),
        (["{picture}"], 2, "one.png: not a bundle. Name a bundle before the pictures, or runs"),
        (["{bundle}", "{picture}", "--precision", "int8"], 2, "--precision: a bundle's networks have theirs"),
        (["{bundle}", "{picture}", "--engine", "paddle"], 2, "holds nothing that paddle runs"),
        (["{picture}", "--cls", "{bundle}"], 2, "--cls: turns lines before they are read, and no --rec reads them"),
        (["{picture}", "--rec", "{bundle}", "--draw", "out"], 2, "--draw: without --det there are no boxes to draw"),
        (["{bundle}", "{bundle}"], 2, "a folder without pictures (.jpg, "),
        (["{folder}", "{picture}"], 2, "not a bundle. Name a folder that"),
    ],
)
def test_wrong_usage_of_ocr(ppedge, bundle, picture, tmp_path, arguments, code, says):
    words = [word.format(bundle=bundle, picture=picture, folder=tmp_path) for word in arguments]
    found, out, err = ppedge("ocr", *words)
    assert (found, out) == (code, "")
    assert says in err and err.count("\n") == 1


def test_a_changed_file_is_not_run(bundle):
    """Nor is a bundle whose other form has changed: onnxruntime reads it here, and a phone would not."""
    for name in ("rec.onnx", "det.nb", "rec.nb", "charset.txt", "manifest.json"):
        path = bundle / name
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        with ExitStack() as stack, pytest.raises(PpedgeError, match=f"{name}: .*changed since"):
            open_bundle(stack, bundle)
        path.write_bytes(before)


def test_without_twins_paddle_lite_reads_or_a_sentence_says_what_to_do(runs, picture, tmp_path, monkeypatch, ppedge):
    build_bundle(runs, tmp_path / "b", pictures=[picture])

    def none():
        raise MissingError("Paddle Lite's ARM runtime is not registered.", "")

    monkeypatch.setattr(lite, "registered", none)
    code, _, err = ppedge("ocr", tmp_path / "b", picture)
    assert code == 3
    assert "no ONNX twins" in err and "--onnx" in err and "ppedge arm setup --lite DIR" in err
    assert "has no det.onnx for onnxruntime" in ppedge("ocr", tmp_path / "b", picture, "--engine", "onnxruntime")[2]
    monkeypatch.setattr(lite, "registered", lambda: None)
    assert choose_engine(tmp_path / "b", read_json(tmp_path / "b" / "manifest.json")["models"]) == "arm-paddlelite"


def test_emulation_that_nobody_asked_for_is_told_before_it_starts(runs, picture, tmp_path, monkeypatch, ppedge):
    build_bundle(runs, tmp_path / "bare", pictures=[picture])
    build_bundle(runs, tmp_path / "twins", pictures=[picture], onnx=True)
    labels = tmp_path / "labels.txt"
    labels.write_text(f'{picture.name}\t[{{"transcription": "b", "points": [[0, 0], [9, 0], [9, 9], [0, 9]]}}]\n')

    def start(name, path, **options):
        raise PpedgeError(f"{name} starts.")

    monkeypatch.setattr(reading, "open_engine", start)
    monkeypatch.setattr(lite, "registered", lambda: None)
    told = "bare: has no ONNX twins, so it is read on the emulated ARM core, which takes minutes; build the bundle with"
    for command in (["ocr", tmp_path / "bare", picture], ["eval", "--e2e", tmp_path / "bare", labels]):
        _, out, err = ppedge(*command)
        assert told in err.splitlines()[0] and "arm-paddlelite starts." in err and out == ""
        assert "emulated" not in ppedge(*command, "--engine", "arm-paddlelite")[2]
    assert "emulated" not in ppedge("ocr", tmp_path / "twins", picture)[2]
    monkeypatch.setattr(reading, "find_spec", lambda name: None)
    assert "twins: onnxruntime is not installed, so it is read on" in ppedge("ocr", tmp_path / "twins", picture)[2]


def tensor(place, about):
    import gzip

    return np.frombuffer(gzip.decompress((place / about["file"]).read_bytes()), "<f4").reshape(about["shape"])


def test_golden_steps_follow_from_one_another(sample):
    """From the recorded output of each network alone, ppedge.ocr gives the recorded result."""
    texts = 0
    for place in sorted((sample / "golden").iterdir()):
        case, image = read_json(place / "golden.json"), read_image(place / "picture.png")
        boxes = boxes_from_map(tensor(place, case["det"]["output"])[0, 0], image.shape[:2], DET.det_postprocess)
        boxes = [boxes[i] for i in reading_order([box.quad for box in boxes])]
        assert [box.quad.tolist() for box in boxes] == [line["quad"] for line in case["lines"]]
        for line in case["lines"]:
            crop = crop_quad(image, np.float32(line["quad"]))
            np.testing.assert_array_equal(read_image(place / line["crop"]["file"]), crop)
            assert line["turned"] == (tensor(place, line["cls"]["output"])[0, 1] > np.float64(0.9))
            seen = np.rot90(crop, 2) if line["turned"] else crop
            np.testing.assert_array_equal(tensor(place, line["rec"]["input"]), prepare_rec([seen], REC.rec_preprocess))
            texts += bool(line["text"])
    assert texts > 12


def test_equal_arrays_are_packed_to_equal_bytes():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert pack(array) == pack(array.T.copy().T)
    assert pack(array) == pack(array.astype(np.float64))
    assert pack(array)[4:8] == bytes(4)  # no time


def test_the_command_line_of_building(ppedge, runs, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = ppedge("bundle", *runs, "--pictures", picture, "--json")
    assert code == 0
    result = json.loads(out)
    assert (result["bundle"], result["precision"], result["golden"], result["lines"]) == ("bundle", "int8", 1, 2)
    assert "has not been validated as it stands" in err
    code, out, err = ppedge("bundle", *runs, "--pictures", picture)
    assert code == 2 and "there already. Use --force" in err
    code, out, _ = ppedge("bundle", "--force", *runs, "--pictures", picture, "--precision", "fp32")
    assert code == 0 and out.startswith("bundle: fp32, 1 golden pictures with 2 lines")
    assert ppedge("bundle", "verify", "bundle")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Name the runs"),
        (["--lite-android", "x"], "Name the runs"),
        (["a", "b", "--lite-android", "x"], "Name the app's folder"),
        (["a", "b", "--golden", "2", "--pictures", "x.png"], "--golden: --pictures names the golden pictures."),
        (["a", "b", "--into", "nowhere"], "nowhere: not the Android project"),
        (["a", "b"], "a: not a run"),
        (["a"], "two or three runs, not 1"),
        (["a", "b", "c", "d"], "two or three runs, not 4"),
    ],
)
def test_wrong_usage_of_bundle(ppedge, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = ppedge("bundle", *arguments)
    assert (code, out) == (2, "")
    assert says in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_read(ppedge, runs, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"x")
    code, _, err = ppedge("bundle", *runs, "--out", tmp_path / "b", "--pictures", tmp_path / "bad.png")
    assert code == 2 and "bad.png: not a picture" in err
    assert not (tmp_path / "b").exists()


def test_a_classifier_goes_along(ppedge, runs, picture, tmp_path):
    out, classifier = tmp_path / "b", make_run(tmp_path / "c", "cls", precisions=["fp32"])
    assert ppedge("bundle", *runs, classifier, "--out", out, "--onnx", "--pictures", picture)[0] == 0
    assert verify_bundle(out) == []
    models = read_json(out / "manifest.json")["models"]
    assert {task: model["precision"] for task, model in models.items()} == {"det": "int8", "rec": "int8", "cls": "fp32"}
    assert models["cls"]["postprocess"] == {"turn_score": 0.9}
    line = read_json(out / "golden/01/golden.json")["lines"][0]
    assert line["turned"] and line["cls"]["input"]["shape"] == [1, 3, 48, 192]
    assert ppedge("ocr", out, picture, "--json")[0] == 0


def test_a_run_in_the_classifiers_place(ppedge, runs, tmp_path):
    code, _, err = ppedge("bundle", *runs, runs[1], "--out", tmp_path / "b")
    assert code == 2 and "its place on the command line is that of a cls run" in err


def test_who_may_see_golden_pictures_is_asked_of_real_ones_alone(ppedge, runs, picture, tmp_path):
    code, out, err = ppedge("bundle", *runs, "--out", tmp_path / "a", "--precision", "fp32")
    assert code == 0 and "golden pictures are drawn" in err
    assert "check that you may pass them on" not in out
    out = ppedge("bundle", *runs, "--out", tmp_path / "b", "--pictures", picture)[1]
    assert "check that you may pass them on" in out


def test_a_bundle_without_golden_pictures_reads_and_has_no_self_test(ppedge, runs, picture, tmp_path):
    out = tmp_path / "b"
    code, told, err = ppedge("bundle", *runs, "--out", out, "--golden", "0", "--onnx")
    assert code == 0 and "no golden pictures: the app's self-test" in told and "golden outputs" not in err
    assert ppedge("ocr", out, picture)[0] == 0 and ppedge("bundle", "verify", out)[0] == 0
    code, _, err = ppedge("bundle", "verify", out, "--on-arm", tmp_path)
    assert code == 2 and f"{out}: has no golden pictures" in err and "without --golden 0" in err


def test_a_picture_that_is_one_line_is_read_without_the_detector(ppedge, bundle, tmp_path):
    crop = draw(tmp_path / "crop.png", size=(20, 60), bars=())  # the detector finds nothing in it
    code, out, err = ppedge("ocr", bundle, crop)
    assert (code, out) == (0, f"{crop}: 0 lines\n")
    assert err == (
        f"the detector finds no text in {crop}; wide and low as a single line of text is: --lines reads such pictures\n"
    )
    code, out, err = ppedge("ocr", bundle, crop, "--lines", "--json")
    assert (code, err) == (0, "")
    assert [line["text"] for line in json.loads(out)[0]["lines"]] == ["车b"]


def test_what_to_do_where_nothing_is_found_is_said_once(ppedge, bundle, runs, picture, tmp_path):
    folder = tmp_path / "crops"
    folder.mkdir()
    for name, size in (("a", (20, 60)), ("b", (60, 50)), ("c", (20, 40))):
        draw(folder / f"{name}.png", size=size, bars=())
    code, out, err = ppedge("ocr", bundle, folder, picture)
    assert code == 0 and out.count(": 0 lines") == 3
    wide, other = err.splitlines()
    assert f"{folder}/a.png and 1 more; wide and low" in wide
    assert f"no text in {folder}/b.png; give it the text larger" in other
    _, _, err = ppedge("ocr", "--det", runs[0], "--rec", runs[1], folder / "a.png")
    assert "--rec RUN without --det reads such pictures" in err


def test_lines_and_boxes_are_two_things(ppedge, bundle, runs, picture, tmp_path):
    for arguments in ([bundle, picture, "--draw", tmp_path / "d"], ["--det", runs[0], "--rec", runs[1], picture]):
        code, _, err = ppedge("ocr", "--lines", *arguments)
        assert code == 2 and "--lines: pictures are read without looking for boxes. Leave --det and --draw out." in err
