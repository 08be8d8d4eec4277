"""Bundles with several recognisers: what is in them, which of them reads, and what is refused."""

import json
import re
import shutil

import pytest
from test_eval_e2e import BARS, label_line
from test_verify import rewrite, set_

import ppedge
from ppedge.bundle import build
from ppedge.bundle.build import build_bundle
from ppedge.bundle.manifest import read_manifest
from ppedge.bundle.on_arm import worst_checks
from ppedge.bundle.verify import listed, verify_bundle
from ppedge.cli.bundle import on_arm_lines
from ppedge.errors import PpedgeError
from ppedge.storage import read_json
from tiny_runs import draw, make_run


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """A recogniser of another height, with other characters and without an int8 file."""
    return make_run(tmp_path_factory.mktemp("other") / "en rec", "rec", ["fp32"], other=True)


@pytest.fixture(scope="session")
def whole_both(runs, other, tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    picture = draw(folder / "one.png", bars=BARS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "golden_engine", lambda: {"name": "onnxruntime", "version": "1"})
        build_bundle(runs, folder / "both", also=[("en", other)], pictures=[picture], onnx=True)
    return folder / "both"


@pytest.fixture
def both(whole_both, tmp_path):
    """A copy of a bundle of two recognisers, "rec" and "en"."""
    return shutil.copytree(whole_both, tmp_path / "both")


def test_each_recogniser_brings_what_is_its_own(both):
    assert verify_bundle(both) == []
    value = read_manifest(both)
    assert value["schema"] == 2 and list(value["models"]) == ["det"] and "charset" not in value
    first, second = value["recognizers"]
    assert (first["name"], first["model"]["file"], first["model"]["precision"]) == ("rec", "rec_rec.nb", "int8")
    assert (second["name"], second["model"]["file"], second["model"]["precision"]) == ("en", "rec_en.nb", "fp32")
    assert [one["model"]["preprocess"]["height"] for one in (first, second)] == [32, 48]
    assert [one["model"]["classes"] for one in (first, second)] == [4, 3]
    assert second["model"]["onnx"]["file"] == "rec_en.onnx"
    assert second["charset"]["file"] == second["model"]["charset"] == "charset_en.txt"
    assert (both / "charset_en.txt").read_text() == "x\ny\n"
    names = {entry["file"] for entry in listed(value)} | {"manifest.json"}
    assert names == {str(path.relative_to(both)) for path in both.rglob("*") if path.is_file()}


def test_golden_cases_have_what_each_made_of_a_line(both):
    line = read_json(both / "golden/01/golden.json")["lines"][0]
    assert {name: one["text"] for name, one in line["readings"].items()} == {"rec": "车b", "en": "yx"}
    assert "text" not in line and "rec" not in line
    assert line["readings"]["en"]["rec"]["input"]["shape"] == [1, 3, 48, 144]
    assert line["readings"]["en"]["rec"]["output"] == {"file": "rec_en_00_output.f32.gz", "shape": [1, 2, 3]}


def test_recognisers_that_are_given_the_same_share_its_file(runs, picture, tmp_path):
    also = [("twin", runs[1])]
    build_bundle(runs, tmp_path / "b", recognizer="first", also=also, pictures=[picture])
    assert verify_bundle(tmp_path / "b") == []
    readings = read_json(tmp_path / "b/golden/01/golden.json")["lines"][0]["readings"]
    assert [one["rec"]["input"]["file"] for one in readings.values()] == ["rec_first_00_input.f32.gz"] * 2
    assert not (tmp_path / "b/golden/01/rec_twin_00_input.f32.gz").exists()


def test_a_single_recogniser_leaves_the_schema_that_older_apps_read(bundle):
    value = read_manifest(bundle)
    assert list(value) == ["schema", "ppedge", "name", "models", "charset", "pipeline", "golden_engine", "golden",
                           "licence", "sha256"]  # fmt: skip
    assert value["schema"] == 1 and list(value["models"]) == ["det", "rec"]
    assert list(read_json(bundle / "golden/01/golden.json")["lines"][0]) == [
        "quad", "box_score", "crop", "turned", "cls", "rec", "text", "score"]  # fmt: skip


def test_the_one_that_is_named_reads(ppedge_here, both, picture):
    texts = {}
    for name in (None, "rec", "en"):
        chosen = ["--recognizer", name] if name else []
        code, out, _ = ppedge_here("ocr", both, picture, "--json", *chosen)
        assert code == 0
        texts[name] = [line["text"] for line in json.loads(out)[0]["lines"]]
        with ppedge.open_bundle(both, recognizer=name) as reader:
            assert [line.text for line in reader.read(picture)] == texts[name]
    assert texts == {None: ["车b"] * 2, "rec": ["车b"] * 2, "en": ["yx"] * 2}


def test_only_the_one_that_reads_needs_to_be_whole(both, picture):
    (both / "rec_en.onnx").write_bytes(b"damaged")
    with ppedge.open_bundle(both) as reader:
        assert len(reader.read(picture)) == 2
    with pytest.raises(PpedgeError, match=r"rec_en\.onnx: missing, or changed"):
        ppedge.open_bundle(both, recognizer="en")


def test_eval_measures_the_one_that_is_named(ppedge_here, both, picture):
    labels = picture.with_name("labels.txt")
    labels.write_text(label_line("one.png", "yx", "yx"))
    code, out, _ = ppedge_here("eval", "--e2e", both, labels, "--json")
    found = json.loads(out)
    assert (code, found["recognizer"], found["metrics"]["recall"]) == (0, "rec", 0.0)
    code, out, _ = ppedge_here("eval", "--e2e", both, labels, "--recognizer", "en", "--json")
    found = json.loads(out)
    assert (found["recognizer"], found["models"], found["metrics"]["recall"]) == (
        "en", {"det": "int8", "rec": "fp32"}, 1.0)  # fmt: skip
    code, out, _ = ppedge_here("eval", "--e2e", both, labels, "--recognizer", "en")
    assert "(det int8, rec fp32; recogniser en; onnxruntime): 2 of 2 regions right" in out


def test_pseudo_labels_of_the_one_that_is_named(ppedge_here, both, picture, tmp_path):
    (tmp_path / "lines").mkdir()
    picture.rename(tmp_path / "lines/one.png")
    arguments = ["data", "pseudo-label", tmp_path / "lines", "--model", both, "--threshold", 0.1]
    assert ppedge_here(*arguments, "--out", tmp_path / "o.txt", "--recognizer", "en")[0] == 0
    assert (tmp_path / "o.txt").read_text() == "one.png\tyx\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ocr", "BOTH", "PICTURE", "--recognizer", "chinese"], "both: has no recogniser 'chinese', only rec, en."),
        (["ocr", "ONE", "PICTURE", "--recognizer", "en"], "has one recogniser, which has no name. Leave"),
        (["ocr", "PICTURE", "--rec", "REC", "--recognizer", "en"], "--recognizer: chooses among those of a bundle."),
        (["eval", "--e2e", "BOTH", "PICTURE", "--recognizer", "EN"], "has no recogniser 'EN', only rec, en"),
        (["eval", "REC", "--recognizer", "en"], "--recognizer: is for a bundle. Add --e2e"),
        (["data", "pseudo-label", ".", "--model", "REC", "--out", "x", "--recognizer", "en"], "REC is no bundle"),
        (["bundle", "verify", "BOTH", "--recognizer", "en"], "--recognizer: is for --pictures"),
        (["bundle", "DET", "REC", "--recognizer", "en"], "--recognizer: a single recogniser has no name."),
        (["bundle", "DET", "REC", "--also", "en"], "--also en: is not of the form NAME=RUN."),
        (["bundle", "DET", "REC", "--also", "=OTHER"], "is not of the form NAME=RUN."),
        (["bundle", "DET", "REC", "--also", "en="], "is not of the form NAME=RUN."),
        (["bundle", "DET", "REC", "--also", "e n=OTHER"], "'e n' is no name for a recogniser. A name is 1 to"),
        (["bundle", "DET", "REC", "--also", f"{'x' * 25}=OTHER"], "is no name for a recogniser."),
        (["bundle", "DET", "REC", "--also", "../x=OTHER"], "'../x' is no name for a recogniser."),
        (["bundle", "DET", "REC", "--also", "车=OTHER"], "is no name for a recogniser."),
        (["bundle", "DET", "REC", "--also", "Rec=OTHER"], "Two recognisers are called 'Rec'. Capitals do not"),
        (["bundle", "DET", "REC", "--also", "a=OTHER", "--also", "a=REC"], "Two recognisers are called 'a'"),
        (["bundle", "DET", "OTHER", "--also", "a=REC"], "its folder's name is none for a recogniser. Name it: --recog"),
        (["bundle", "DET", "REC", "--also", "d=DET"], "its place on the command line is that of a rec run"),
        (["bundle", "DET", "REC", "--also", "a=OTHER", "--precision", "int8"], "has not left rec.int8.nb"),
        (["bundle", "--also", "a=OTHER"], "Name the runs to make a bundle of"),
        (["bundle", "--also", "a=OTHER", "--into", "APP"], "Name the runs to make a bundle of"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_sentence(
    ppedge_here, runs, other, both, whole_sample, picture, tmp_path, monkeypatch, arguments, says
):
    monkeypatch.chdir(tmp_path)
    paths = {"DET": runs[0], "REC": runs[1], "OTHER": other, "BOTH": both, "ONE": whole_sample, "PICTURE": picture}
    words = [re.sub("|".join(paths), lambda found: str(paths[found[0]]), word) for word in arguments]
    told = says.replace("REC", str(runs[1]))
    code, out, err = ppedge_here(*words)
    assert (code, out) == (2, "") and told in err and err.count("\n") == 1, err
    assert not (tmp_path / "x").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_too_many_recognisers(runs, tmp_path):
    with pytest.raises(PpedgeError, match="33 recognisers are more than a bundle may hold, 32"):
        build_bundle(runs, tmp_path / "b", also=[(f"r{number}", runs[1]) for number in range(32)])


def test_the_command_line_tells_of_all(ppedge_here, runs, other, picture, tmp_path):
    arguments = ["bundle", *runs, "--recognizer", "plates", "--also", f"en={other}", "--pictures", picture]
    code, out, err = ppedge_here(*arguments, "--out", tmp_path / "b")
    assert code == 0 and err.count("has not been validated") == 3
    assert [line.split(":")[0].strip() for line in out.splitlines()[1:4]] == ["det.nb", "rec_plates.nb", "rec_en.nb"]
    code, out, _ = ppedge_here(*arguments, "--out", tmp_path / "b", "--force", "--json")
    found = json.loads(out)
    assert (
        found["models"]["rec"] == found["recognizers"]["plates"] and found["recognizers"]["en"]["precision"] == "fp32"
    )


def test_a_damaged_file_of_a_further_recogniser_is_named(both):
    for name in ("rec_en.nb", "rec_en.onnx", "charset_en.txt", "golden/01/rec_en_01_output.f32.gz"):
        path = both / name
        before = path.read_bytes()
        path.write_bytes(before + b"x")
        assert any(problem.startswith(f"{path}: ") for problem in verify_bundle(both)), name
        path.write_bytes(before)
    assert verify_bundle(both) == []


@pytest.mark.parametrize(
    ("keys", "to", "says"),
    [
        (("recognizers", 1, "model", "classes"), 9, r"charset_en\.txt: 2 characters, expected are 8"),
        (("recognizers", 1, "charset", "characters"), 9, r"charset_en\.txt: 2 characters, expected are 9"),
        (("recognizers", 1, "model", "opt_version"), "v2", r"rec_en\.nb: written by opt v2.13-rc, expected is v2"),
        (("recognizers", 1, "model", "preprocess", "height"), 32, r"rec_en_01_input.*\[1, 3, 48, 151\], expected is"),
        (("recognizers", 1, "name"), "de", "a line is not read by the manifest's recognisers"),
        (("recognizers", 1, "name"), "REC", "Two recognisers are called 'REC'"),
        (("recognizers", 1, "name"), "../x", "'../x' is no name for a recogniser"),
        (("recognizers",), [], "There is no recogniser"),
        (("recognizers", 1, "charset", "file"), "../outside", "names '../outside'"),
    ],
)
def test_what_a_sealed_manifest_says_wrongly(both, keys, to, says):
    rewrite(both, lambda value: set_(value, *keys, to=to))
    assert any(re.search(says, problem) for problem in verify_bundle(both)), verify_bundle(both)


@pytest.mark.parametrize(
    ("keys", "to"),
    [
        (("recognizers",), []),
        (("recognizers",), {}),
        (("recognizers", 0), None),
        (("recognizers", 1, "name"), 3),
        (("recognizers", 1, "name"), "rec"),
        (("recognizers", 1, "name"), ""),
        (("recognizers", 1, "charset"), None),
        (("recognizers", 1, "model", "preprocess"), []),
        (("models",), {}),
        (("models", "rec"), {}),
        (("schema",), 1),
        (("schema",), 3),
        (("schema",), True),
    ],
)
def test_a_manifest_that_is_none_is_a_sentence(both, picture, keys, to):
    rewrite(both, lambda value: set_(value, *keys, to=to))
    with pytest.raises(PpedgeError, match=r"manifest\.json: .* Build the bundle again"):
        ppedge.open_bundle(both, recognizer="en")


def test_a_line_that_a_recogniser_did_not_read_is_told(both):
    path = both / "golden/01/golden.json"
    case = read_json(path)
    del case["lines"][1]["readings"]["en"]
    path.write_text(json.dumps(case))
    rewrite(both, lambda value: None)
    assert any("a line is not read by the manifest's recognisers" in problem for problem in verify_bundle(both))


def test_the_worst_check_of_each_recogniser_is_told():
    check = {"stage": "rec_network", "difference": 0.1, "tolerance": 1.0, "unit": "value", "passed": True, "detail": ""}
    checks = [{**check, "stage": "crop"}, {**check, "recognizer": "a"}, {**check, "recognizer": "b", "difference": 0.2},
              {**check, "recognizer": "b", "difference": 0.5}]  # fmt: skip
    assert [one["difference"] for one in worst_checks(checks)] == [0.1, 0.1, 0.5]
    read = {"pictures": 1, "lines": 1, "same": 1, "share": 1.0, "engine": "onnxruntime", "recognizer": "b",
            "corner": 0.0, "score": 0.0, "different": []}  # fmt: skip
    lines = on_arm_lines({"cpu": "c", "app": "1", "runtime": "v2", "checks": checks, "memory": 1e6, "pictures": read})
    assert lines[2].startswith("  rec_network of a: at most 0.1") and lines[3].startswith(
        "  rec_network of b: at most 0.5"
    )
    assert "1 of 1 lines read as by onnxruntime with b (100.00%)" in lines[5]


def test_equal_runs_give_equal_bytes(runs, other, picture, both, tmp_path):
    build_bundle(runs, tmp_path / "again", also=[("en", other)], pictures=[picture], onnx=True)
    for path in both.rglob("*"):
        again = tmp_path / "again" / path.relative_to(both)
        assert path.is_dir() or path.read_bytes() == again.read_bytes()


def test_golden_pictures_stay_small_with_several_recognisers(runs, other, picture, tmp_path, monkeypatch):
    """How many lines of a picture are kept depends on the classes of all recognisers together."""
    asked = []
    monkeypatch.setattr(build, "most_lines", lambda classes: asked.append(classes) or 16)
    build_bundle(runs, tmp_path / "b", also=[("en", other)], pictures=[picture])
    assert asked == [4 + 3]
