import numpy as np
import pytest
from PIL import Image

from ppedge.ocr.spec import DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess
from ppedge.runs import Run
from tiny_onnx import save_det, save_rec

REC = ModelSpec("rec", rec_preprocess=RecPreprocess(), characters=("车", "b", " "))
DET = ModelSpec("det", det_preprocess=DetPreprocess(limit_side=32), det_postprocess=DbPostprocess())


def make_run(path, spec, save, name):
    run = Run(path)
    path.mkdir()
    run.recipe_path.write_text(f"task: {spec.task}\n")
    with run.writing("convert") as folder:
        save(folder / name)
        run.write_manifest(folder, "convert", outputs=[name], model=spec.to_dict())


@pytest.fixture
def here(ppedge, tmp_path):
    """A folder with runs and pictures that all read 车b with a score of 0.5; runs a command line there."""
    make_run(tmp_path / "rec", REC, save_rec, "rec.fp32.onnx")
    make_run(tmp_path / "det", DET, save_det, "det.fp32.onnx")
    (tmp_path / "lines").mkdir()
    for name in ("b.png", "a.png"):
        Image.fromarray(np.zeros((20, 60, 3), np.uint8)).save(tmp_path / "lines" / name)

    def run(*arguments):
        return ppedge("data", "pseudo-label", "lines", "--out", "labels.txt", *arguments)

    return run


@pytest.mark.parametrize("model", ["rec", "rec/convert/rec.fp32.onnx"])
def test_a_run_or_its_file_labels_pictures(here, tmp_path, model):
    (tmp_path / "lines" / "c.png").write_bytes(b"")
    code, out, _ = here("--model", model, "--threshold", "0.5")
    assert code == 0
    assert (tmp_path / "labels.txt").read_text() == "a.png\t车b\nb.png\t车b\n"
    assert "lines/c.png: " in out
    assert "labels.txt: 2 of 3 pictures; left out are 0 with a score below 0.5, 0 without text, 1 that cannot" in out


def test_where_nothing_is_sure_nothing_is_written(here, tmp_path):
    code, _, err = here("--model", "rec")
    assert code == 2 and "no picture is read with a score of 0.9 or more, nothing written" in err
    assert "The best has 0.50" in err and not (tmp_path / "labels.txt").exists()


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("det", "--model det: this run's task is det. Name a rec run."),
        ("none", "none"),
        ("lines/a.png", "--model lines/a.png: not an ONNX file that ppedge has converted"),
        ("rec.fp32.onnx", "--model rec.fp32.onnx: not an ONNX file that ppedge has converted"),
    ],
)
def test_what_is_no_recogniser_is_a_sentence(here, tmp_path, model, told):
    save_rec(tmp_path / "rec.fp32.onnx")
    code, _, err = here("--model", model)
    assert code == 2 and told in err


def test_a_bundle_labels_pictures(here, tmp_path, monkeypatch):
    """Of the networks of a bundle the recogniser alone."""
    from ppedge.bundle import reading

    class Pipeline:
        def recognizer(self, crops):
            from ppedge.ocr.ctc import Text

            return [Text("ab", 0.9)]

    opened = []
    monkeypatch.setattr(reading, "open_bundle", lambda stack, path, recognizer: opened.append(path.name) or Pipeline())
    monkeypatch.setattr("ppedge.bundle.manifest.is_bundle", lambda path: path.name == "bundle")
    assert here("--model", "bundle")[0] == 0 and opened == ["bundle"]
    assert (tmp_path / "labels.txt").read_text() == "a.png\tab\nb.png\tab\n"
