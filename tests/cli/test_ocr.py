import json
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from moved_font import moved
from ppedge.cli.main import main
from ppedge.data.annotation import PICTURES
from ppedge.engines import onnxruntime as ort
from ppedge.ocr.image_file import FORMATS
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess
from ppedge.runs import Run
from tiny_onnx import save_answer, save_det, save_rec

DET = ModelSpec(
    "det",
    det_preprocess=DetPreprocess(limit_side=32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    det_postprocess=DbPostprocess(),
)
REC = ModelSpec("rec", rec_preprocess=RecPreprocess(), characters=("车", "b", " "))
CLS = ModelSpec("cls", cls_preprocess=ClsPreprocess(), cls_postprocess=ClsPostprocess())


def save_cls(path):
    """Every line is upside down, with probability 0.95."""
    save_answer(path, np.float32([[0.05, 0.95]]))


def make_run(path, spec, save):
    run = Run(path)
    path.mkdir()
    run.recipe_path.write_text(f"task: {spec.task}\n")
    with run.writing("convert") as folder:
        name = f"{spec.task}.fp32.onnx"
        save(folder / name)
        run.write_manifest(folder, "convert", outputs=[name], model=spec.to_dict())
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return ["--det", str(make_run(root / "det", DET, save_det)), "--rec", str(make_run(root / "rec", REC, save_rec))]


@pytest.fixture
def picture(tmp_path):
    image = np.zeros((64, 96, 3), np.uint8)
    image[20:30, 20:70] = 255
    path = tmp_path / "one.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def ppedge(*arguments):
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main(["ocr", *map(str, arguments)])
    return end.value.code or 0


def test_json_says_text_score_and_box(runs, picture, capsys):
    assert ppedge(picture, *runs, "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["image"] == str(picture)
    (line,) = result["lines"]
    assert line["text"] == "车b"
    assert line["score"] == 0.5
    assert line["box_score"] == 1.0
    assert line["turned"] is False
    d = 49 * 9 * 1.5 / (2 * (49 + 9))
    np.testing.assert_allclose(line["box"][0], [20 - d, 20 - d], atol=0.06)
    np.testing.assert_allclose(line["box"][2], [69 + d, 29 + d], atol=0.06)


def test_a_classifier_turns_lines(runs, picture, tmp_path, capsys):
    run = make_run(tmp_path / "cls", CLS, save_cls)
    assert ppedge(picture, *runs, "--cls", run, "--json") == 0
    ((line,),) = [result["lines"] for result in json.loads(capsys.readouterr().out)]
    assert line["turned"] is True
    assert ppedge(picture, *runs, "--cls", runs[1], "--json") == 2
    assert "this run's task is det. Name a cls run." in capsys.readouterr().err


def test_a_detector_alone_gives_boxes(runs, picture, tmp_path, capsys):
    assert ppedge(picture, *runs[:2], "--json", "--draw", tmp_path / "drawn") == 0
    ((box,),) = [result["lines"] for result in json.loads(capsys.readouterr().out)]
    assert box.keys() == {"box", "box_score"} and box["box_score"] == 1.0
    assert (tmp_path / "drawn" / "one.png").is_file()
    assert ppedge(picture, *runs, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["lines"][0]["box"] == box["box"]
    assert ppedge(picture, *runs[:2]) == 0
    assert capsys.readouterr().out == f"{picture}: 1 lines\n  1.00  14,14 75,14 75,35 14,35\n"


def test_a_font_to_draw_with(runs, picture, tmp_path, capsys, monkeypatch):
    from ppedge.ocr import fonts

    monkeypatch.setattr(fonts, "FOLDERS", ())
    assert ppedge(picture, *runs, "--draw", tmp_path / "drawn") == 0
    assert "note: 1 characters (1 different: 车) are drawn as empty boxes" in capsys.readouterr().err
    path = moved(tmp_path / "other.otf", "辽", "车")
    assert ppedge(picture, *runs, "--draw", tmp_path / "drawn", "--font", path) == 0
    assert "note:" not in capsys.readouterr().err
    assert ppedge(picture, *runs, "--font", path) == 2
    assert "--font: is to draw with. Add --draw DIR." in capsys.readouterr().err
    assert ppedge(picture, *runs, "--draw", tmp_path / "drawn", "--font", picture) == 2
    assert f"{picture}: cannot be read as a font" in capsys.readouterr().err


def test_a_recogniser_alone_takes_a_picture_as_one_line(runs, picture, tmp_path, capsys):
    assert ppedge(picture, *runs[2:], "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["lines"] == [{"text": "车b", "score": 0.5, "turned": False}]
    run = make_run(tmp_path / "cls", CLS, save_cls)
    assert ppedge(picture, *runs[2:], "--cls", run, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["lines"][0]["turned"] is True
    assert ppedge(picture, *runs[2:]) == 0
    assert capsys.readouterr().out == f"{picture}: 1 lines\n  0.50  车b\n"


def test_a_folder_stands_for_the_pictures_in_it(runs, picture, tmp_path, capsys):
    folder = tmp_path / "photos"
    (folder / "sub.png").mkdir(parents=True)
    for name in ("b.png", "a.PNG", "notes.txt"):
        (folder / name).write_bytes(picture.read_bytes())
    assert ppedge(folder, picture, *runs, "--json") == 0
    found = [result["image"] for result in json.loads(capsys.readouterr().out)]
    assert found == [str(folder / "a.PNG"), str(folder / "b.png"), str(picture)]
    (folder / "c.jpg").write_bytes(b"no picture")
    assert ppedge(folder, *runs, "--json") == 2
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 2 and "c.jpg: not a picture" in captured.err
    assert ppedge(folder / "sub.png", *runs) == 2
    assert "sub.png: a folder without pictures" in capsys.readouterr().err


def test_a_folder_stands_for_pictures_of_all_formats_that_are_read(runs, picture, tmp_path, capsys):
    kinds = Image.registered_extensions()
    assert {kinds[suffix] for suffix in PICTURES} == set(FORMATS)
    for number, suffix in enumerate(PICTURES):
        Image.open(picture).convert("1" if suffix == ".pbm" else "RGB").save(tmp_path / f"{number:02}{suffix.upper()}")
    picture.unlink()
    assert ppedge(tmp_path, *runs, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == len(PICTURES)


def test_without_json_the_texts_are_listed(runs, picture, capsys):
    assert ppedge(picture, *runs) == 0
    assert capsys.readouterr().out == f"{picture}: 1 lines\n  0.50  车b\n"


def test_an_unreadable_picture_is_told_and_the_others_are_read(runs, picture, tmp_path, capsys):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    assert ppedge(broken, tmp_path / "none.png", picture, *runs, "--json") == 2
    captured = capsys.readouterr()
    assert [result["image"] for result in json.loads(captured.out)] == [str(picture)]
    assert "broken.png: the file is empty" in captured.err
    assert "none.png: cannot be read" in captured.err


def test_what_is_no_picture_is_named_and_neither_waited_for_nor_unfolded(runs, picture, tmp_path, capsys):
    """A named pipe, a folder, text, and few bytes of PNG that tell of 900 million pixels."""
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "text.jpg").write_text("not a picture at all")
    Image.new("1", (16, 16)).save(tmp_path / "bomb.png")
    data = bytearray((tmp_path / "bomb.png").read_bytes())
    data[16:24] = struct.pack(">II", 30000, 30000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "bomb.png").write_bytes(data)
    bad = [tmp_path / name for name in ("folder.jpg", "pipe.jpg", "text.jpg", "bomb.png")]
    assert ppedge(*bad, picture, *runs) == 2
    captured = capsys.readouterr()
    assert captured.out == f"{picture}: 1 lines\n  0.50  车b\n"
    for line, path, reason in zip(
        captured.err.splitlines(),
        bad,
        ("a folder without pictures", "not a regular", "not a picture", "too large"),
        strict=True,
    ):
        assert line.startswith(f"ppedge: {path}: ") and reason in line


def test_text_on_a_transparent_ground_is_read_as_on_white(runs, tmp_path, capsys):
    """The network of these tests finds what is bright: here, the transparent rectangle."""
    image = np.zeros((64, 96, 4), np.uint8)
    image[..., 3] = 255
    image[20:30, 20:70, 3] = 0
    cv2.imwrite(str(tmp_path / "one.png"), image)
    assert ppedge(tmp_path / "one.png", *runs) == 0
    assert capsys.readouterr().out.endswith(": 1 lines\n  0.50  车b\n")


def test_drawings_of_equal_names_do_not_overwrite_each_other(runs, picture, tmp_path):
    other = tmp_path / "sub" / "one.png"
    other.parent.mkdir()
    other.write_bytes(picture.read_bytes())
    assert ppedge(picture, other, *runs, "--draw", tmp_path / "drawn") == 0
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["one-2.png", "one.png"]
    assert cv2.imread(str(tmp_path / "drawn" / "one.png")).shape == (64, 192, 3)


def test_runs_in_each_others_place_are_named(runs, picture, capsys):
    assert ppedge(picture, "--det", runs[3], "--rec", runs[1]) == 2
    assert "this run's task is rec" in capsys.readouterr().err


def test_a_precision_that_was_not_converted_says_what_to_do(runs, picture, capsys):
    assert ppedge(picture, *runs, "--precision", "int8", "--engine", "paddle") == 2
    error = capsys.readouterr().err
    assert "det.int8.pdmodel: not an artifact" in error
    assert "ppedge convert" in error


def test_int8_on_onnxruntime_asks_for_the_int8_file(runs, picture, capsys):
    assert ppedge(picture, *runs, "--precision", "int8") == 2
    assert "det.int8.onnx: not an artifact" in capsys.readouterr().err


def test_threads_are_the_engines(runs, picture, capsys, monkeypatch):
    asked = []
    opened = ort.OnnxRuntimeEngine.__init__
    monkeypatch.setattr(
        ort.OnnxRuntimeEngine, "__init__", lambda self, path, **o: asked.append(o) or opened(self, path, **o)
    )
    assert ppedge(picture, *runs, "--threads", "1") == 0
    assert ppedge(picture, *runs) == 0
    assert asked == [{"threads": 1}] * 2 + [{}] * 2
    assert ppedge(picture, *runs, "--threads", "2", "--engine", "arm-onnxruntime") == 2
    assert "--threads: arm-onnxruntime emulates one core" in capsys.readouterr().err


def test_a_changed_model_is_refused(picture, tmp_path, runs, capsys):
    changed = make_run(tmp_path / "changed", DET, save_det)
    with (changed / "convert" / "det.fp32.onnx").open("ab") as file:
        file.write(b"x")
    assert ppedge(picture, "--det", changed, *runs[2:]) == 2
    assert "changed since" in capsys.readouterr().err


@pytest.mark.parametrize(
    "model", [None, {"task": "det", "colour": "red"}, {"task": "rec", "rec_preprocess": {"x": 1}}, 7]
)
def test_a_manifest_without_a_usable_specification_is_one_sentence(picture, tmp_path, runs, capsys, model):
    damaged = make_run(tmp_path / "damaged", DET, save_det)
    manifest = damaged / "convert" / "manifest.json"
    value = json.loads(manifest.read_text())
    value["model"] = model
    manifest.write_text(json.dumps(value))
    assert ppedge(picture, "--det", damaged, *runs[2:]) == 2
    assert "manifest.json: the key model is missing or damaged" in capsys.readouterr().err


def test_a_recogniser_with_other_classes_is_told_with_the_picture(runs, picture, tmp_path, capsys):
    other = ModelSpec("rec", rec_preprocess=RecPreprocess(), characters=("车", "b"))
    rec = make_run(tmp_path / "rec", other, save_rec)
    assert ppedge(*runs[:2], "--rec", rec, picture) == 2
    told = capsys.readouterr().err
    assert f"{picture}: The recogniser gives probabilities of shape (3, 4), the character set has 3 classes." in told
