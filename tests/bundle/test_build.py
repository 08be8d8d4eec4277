import errno
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from ppedge.bundle import build
from ppedge.bundle.build import build_bundle
from ppedge.bundle.folder import whole_folder
from ppedge.bundle.manifest import is_bundle
from ppedge.bundle.pictures import MAX_SIDE, bounded, coloured, cut_off, golden_pictures, most_lines
from ppedge.bundle.verify import verify_bundle
from ppedge.errors import PpedgeError
from ppedge.recipe.road import Recipe
from ppedge.runs import Run
from ppedge.storage import read_json, sha256
from small import recipe_dict
from tiny_runs import draw, make_run

QUAD = np.float32([[2, 2], [30, 2], [30, 10], [2, 10]])


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_what_is_in_a_bundle(bundle, runs):
    assert verify_bundle(bundle) == []
    value = read_json(bundle / "manifest.json")
    assert list(value["models"]) == ["det", "rec"]
    assert value["charset"]["characters"] == 3 and value["models"]["rec"]["classes"] == 4
    assert (bundle / "charset.txt").read_text(encoding="utf-8") == "车\nb\n \n"
    assert value["pipeline"] == {"upright_ratio": 1.5, "same_line": 10.0}
    det = value["models"]["det"]
    assert det["precision"] == "int8" and det["opt_version"] == "v2.13-rc"
    assert det["preprocess"]["limit_side"] == 32 and det["postprocess"]["grown_side"] == 2
    (link,) = det["chain"]
    assert link["manifest_sha256"] == sha256(runs[0] / "convert" / "manifest.json")
    assert link["recipe_sha256"] == sha256(runs[0] / "recipe.yml")
    assert list(link["metrics"]["files"]) == ["det.int8.nb"]


def test_a_golden_case_says_what_every_step_gave(bundle):
    case = read_json(bundle / "golden/01/golden.json")
    assert (case["height"], case["width"]) == (64, 96)
    assert [line["text"] for line in case["lines"]] == ["车b", "车b"]
    assert case["lines"][0]["quad"][0][1] < case["lines"][1]["quad"][0][1]
    assert case["det"]["output"]["shape"] == [1, 1, 64, 96]
    assert case["lines"][0]["rec"]["output"]["shape"] == [1, 3, 4]
    assert case["lines"][0]["cls"] is None and not case["lines"][0]["turned"]


def test_same_runs_same_bytes(runs, picture, bundle, tmp_path):
    build_bundle(runs, tmp_path / "again", pictures=[picture], onnx=True)
    assert contents(tmp_path / "again") == contents(bundle)


@pytest.mark.parametrize(
    ("det", "rec", "asked", "chosen"),
    [
        (["fp32", "int8"], ["fp32"], None, "fp32"),
        (["fp32", "int8"], ["fp32", "int8"], "fp32", "fp32"),
        (["int8"], ["int8"], None, "int8"),
    ],
)
def test_precision(tmp_path, picture, det, rec, asked, chosen):
    runs = [make_run(tmp_path / "d", "det", det), make_run(tmp_path / "r", "rec", rec)]
    made = build_bundle(runs, tmp_path / "b", precision=asked, pictures=[picture])
    assert made["precision"] == chosen
    assert {model["precision"] for model in made["models"].values()} == {chosen}


@pytest.mark.parametrize(
    ("det", "rec", "asked", "says"),
    [
        (["fp32", "int8"], ["fp32"], "int8", "r: the convert stage has not left rec.int8.nb"),
        (["int8"], ["fp32"], None, "has not left a .nb file of one precision"),
    ],
)
def test_precisions_that_are_not_there(tmp_path, picture, det, rec, asked, says):
    runs = [make_run(tmp_path / "d", "det", det), make_run(tmp_path / "r", "rec", rec)]
    with pytest.raises(PpedgeError, match=says):
        build_bundle(runs, tmp_path / "b", precision=asked, pictures=[picture])
    assert not (tmp_path / "b").exists()


def test_runs_that_do_not_do(runs, tmp_path):
    with pytest.raises(PpedgeError, match="two or three runs, not 1"):
        build_bundle(runs[:1], tmp_path / "b")
    with pytest.raises(PpedgeError, match="rec: this run's task is rec, its place .* is that of a det run"):
        build_bundle(runs[::-1], tmp_path / "b")
    with pytest.raises(PpedgeError, match="not a run"):
        build_bundle([runs[0], tmp_path], tmp_path / "b")
    stale = make_run(tmp_path / "stale", "det")
    with Run(stale).writing("train") as folder:
        Run(stale).write_manifest(folder, "train", outputs=[])
    with pytest.raises(PpedgeError, match="replaced since"):
        build_bundle([stale, runs[1]], tmp_path / "b")
    changed = make_run(tmp_path / "changed", "det")
    with (changed / "convert" / "det.int8.nb").open("ab") as file:
        file.write(b"x")
    with pytest.raises(PpedgeError, match="det.int8.nb: changed since the stage wrote it"):
        build_bundle([changed, runs[1]], tmp_path / "b")
    assert not (tmp_path / "b").exists() and hidden(tmp_path) == []


def test_what_is_there_stays_without_force(runs, picture, bundle, tmp_path):
    before = contents(bundle)
    with pytest.raises(PpedgeError, match="there already.*--force"):
        build_bundle(runs, bundle, pictures=[picture])
    assert contents(bundle) == before
    build_bundle(runs, bundle, precision="fp32", pictures=[picture], force=True)
    assert read_json(bundle / "manifest.json")["models"]["det"]["precision"] == "fp32"
    assert hidden(tmp_path) == []


def test_a_folder_that_is_no_bundle_is_never_replaced(runs, tmp_path, picture):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    with pytest.raises(PpedgeError, match="not a bundle"):
        build_bundle(runs, tmp_path / "precious", pictures=[picture], force=True)
    assert contents(tmp_path / "precious") == {"file": b"x"}


def test_a_full_disk_leaves_the_old_bundle(runs, picture, bundle, tmp_path, monkeypatch):
    before = contents(bundle)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build, "write_golden", full)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=0, f_frsize=4096))
    with pytest.raises(OSError, match="No space") as error:
        build_bundle(runs, bundle, pictures=[picture], force=True)
    assert error.value.filename == str(bundle)
    assert contents(bundle) == before and hidden(tmp_path) == []


def test_remains_of_a_kill_are_cleared_away(tmp_path):
    out = tmp_path / "b"
    (tmp_path / ".b.partial" / "golden").mkdir(parents=True)
    (tmp_path / ".b.partial" / "det.nb").write_text("half")
    (tmp_path / ".b.old").mkdir()  # killed between the two renames
    (tmp_path / ".b.old" / "manifest.json").write_text(json.dumps({"schema": 1, "models": {}, "golden": []}))
    with pytest.raises(ZeroDivisionError), whole_folder(out, replace=is_bundle):
        raise ZeroDivisionError
    assert contents(out).keys() == {"manifest.json"}
    with whole_folder(out, replace=is_bundle) as folder:
        assert list(folder.iterdir()) == []
        (folder / "new").write_text("x")
    assert contents(out) == {"new": b"x"} and hidden(tmp_path) == []


def test_two_at_once(tmp_path):
    with (
        whole_folder(tmp_path / "b", replace=is_bundle),
        pytest.raises(PpedgeError, match="another process"),
        whole_folder(tmp_path / "b", replace=is_bundle),
    ):
        pass
    assert (tmp_path / "b").is_dir()


def test_a_golden_picture_without_a_line_is_refused(runs, tmp_path):
    blank = draw(tmp_path / "blank.png", bars=())
    with pytest.raises(PpedgeError, match=r"blank\.png: the detector finds no line.*Name another --pictures FILE"):
        build_bundle(runs, tmp_path / "b", pictures=[blank])
    assert not (tmp_path / "b").exists()


def test_no_picture_with_a_line_is_refused(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "golden_pictures", lambda *arguments: iter(()))
    with pytest.raises(PpedgeError, match="finds no line in any picture that was looked at"):
        build_bundle(runs, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_evaluation_pictures_are_spread_and_only_those_with_text_taken(tmp_path):
    for number in range(20):
        draw(tmp_path / f"{number}.png", size=(32 + number, 40))
    (tmp_path / "3.png").write_bytes(b"damaged")
    (tmp_path / "val.txt").write_text("".join(f"{number}.png\t[]\n" for number in range(20)))
    recipe = Recipe.model_validate(recipe_dict("det", tmp_path))
    found = list(
        golden_pictures(recipe, [], lambda image: [QUAD] * (len(image) - 32 in (2, 8, 19)), 5, lambda text: None)
    )
    assert [len(picture.image) - 32 for picture in found] == [2, 8, 19]
    assert {picture.source for picture in found} == {"evaluation"}


def test_without_data_pictures_are_drawn(tmp_path):
    recipe, said = Recipe.model_validate(recipe_dict("det", tmp_path / "gone")), []
    found = list(golden_pictures(recipe, [], lambda image: [QUAD], 5, said.append))
    assert [picture.source for picture in found] == ["synthetic"] * 5
    assert "are drawn" in said[0]
    again = list(golden_pictures(recipe, [], lambda image: [QUAD], 5, said.append))
    np.testing.assert_array_equal(found[0].image, again[0].image)


def test_grey_pictures_get_colours():
    """In scanned receipts no exchange of channels would show."""
    grey = np.full((2, 3, 3), 200, np.uint8)
    assert coloured(grey)[1, 2].tolist() == [180, 190, 200]
    grey[0, 0, 1] = 199
    assert coloured(grey) is grey


def test_large_pictures_are_bounded():
    assert bounded(np.zeros((3000, 10, 3), np.uint8)).shape == (MAX_SIDE, 4, 3)
    small = np.zeros((MAX_SIDE, 5, 3), np.uint8)
    assert bounded(small) is small


def test_pictures_with_much_text_are_cut_off_below_the_first_lines():
    image = np.zeros((400, 50, 3), np.uint8)
    quads = [QUAD + np.float32([0, 20 * k]) for k in (3, 0, 2, 1, 4)]
    assert cut_off(image, quads, 5) is image
    assert cut_off(image, quads, 3).shape == (52, 50, 3)  # the third ends at 50, a quarter of a line is left below
    assert [most_lines(classes) for classes in (11, 97, 6625, 50000)] == [16, 16, 3, 1]


def test_no_absolute_path_leaves_the_machine(tmp_path, runs, picture):
    secret = draw(tmp_path / "secret.png")
    det = make_run(tmp_path / "d", "det", inputs=[secret])
    build_bundle([det, runs[1]], tmp_path / "b", pictures=[picture])
    text = (tmp_path / "b" / "manifest.json").read_text()
    assert "secret.png" in text and str(tmp_path) not in text


def evaluated(folder, blank, **sections):
    """A detector's run whose evaluation pictures are 20, all but the blank ones with a line of text."""
    folder.mkdir()
    for number in range(20):
        draw(folder / f"{number}.png", **({"bars": ()} if number in blank else {}))
    (folder / "val.txt").write_text("".join(f"{number}.png\t[]\n" for number in range(20)))
    det = make_run(folder / "det", "det", data=folder)
    (det / "recipe.yml").write_text(json.dumps(recipe_dict("det", folder, **sections)))
    return det


def test_how_many_golden_pictures_are_left_out_is_said(runs, tmp_path):
    det, said = evaluated(tmp_path / "some", [0, 1, 8, 9, 10, 11]), []
    made = build_bundle([det, runs[1]], tmp_path / "b", say=said.append)
    assert (made["golden"], made["golden_sources"]) == (4, ["evaluation"])  # the third stretch of four has none
    assert [text for text in said if "left out" in text] == [
        "golden pictures: 6 of the 10 that were looked at are left out, since the detector finds no text in them"
    ]
    said.clear()
    build_bundle([evaluated(tmp_path / "all", []), runs[1]], tmp_path / "c", say=said.append)
    assert not [text for text in said if "left out" in text]


def test_as_many_golden_pictures_as_are_asked_for(runs, tmp_path):
    det = evaluated(tmp_path / "all", [])
    made = [build_bundle([det, runs[1]], tmp_path / f"b{count}", count=count) for count in (None, 2, 0)]
    assert [one["golden"] for one in made] == [5, 2, 0]
    for one, folder in zip(made, ("bNone", "b2", "b0"), strict=True):
        assert verify_bundle(tmp_path / folder) == []
        files = (tmp_path / folder).glob("golden/*/*")
        assert one["golden_bytes"] == sum(path.stat().st_size for path in files)
    assert made[0]["bytes"] > made[1]["bytes"] > made[2]["bytes"] and made[2]["golden_bytes"] == 0


def test_a_picture_whose_kept_part_has_no_line_is_left_out(tmp_path):
    draw(tmp_path / "a.png", size=(64, 96))
    (tmp_path / "val.txt").write_text("a.png\t[]\n")
    recipe, said = Recipe.model_validate(recipe_dict("det", tmp_path)), []
    quads = [QUAD, QUAD + np.float32([0, 40])]
    found = golden_pictures(recipe, [], lambda image: quads if len(image) == 64 else [], 1, said.append)
    assert list(found) == [] and "1 of the 1 that were looked at" in said[0]


@pytest.mark.parametrize(
    ("data", "says", "not_said"),
    [
        ({}, r"or name pictures with text: --pictures FILE\.", "train it longer"),
        ({"synth": {"kind": "scenes", "train": 6, "eval": 20}}, r"or train it longer\.", "--pictures"),
    ],
)
def test_what_to_do_where_the_detector_finds_nothing(runs, tmp_path, data, says, not_said):
    det = evaluated(tmp_path / "none", range(20), data=data)
    with pytest.raises(PpedgeError, match=r"finds no line in any picture that was looked at.*" + says) as refused:
        build_bundle([det, runs[1]], tmp_path / "b")
    assert not_said not in str(refused.value) and f"`ppedge eval {det}`" in refused.value.hint
