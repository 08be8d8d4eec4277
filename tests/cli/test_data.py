import json

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from ppedge.cli.data import app
from ppedge.errors import PpedgeError


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def words(tmp_path):
    assert run("synth", "words", "--out", tmp_path / "w", "--train", 3, "--eval", 1).exit_code == 0
    return tmp_path / "w"


def test_check_of_clean_data(words):
    result = run("check", words / "train.txt", words / "val.txt", "--kind", "recognition", "--charset", "en_number")
    assert result.exit_code == 0
    assert "4 labels, 4 pictures" in result.output and "0 problems" in result.output


def test_check_lists_every_problem_and_ends_with_2(words):
    (words / "images" / "train_000001.jpg").write_bytes(b"")
    with (words / "train.txt").open("a") as file:
        file.write("no tab here\nnone.jpg\tX\n")
    result = run("check", words / "train.txt", "--kind", "recognition")
    assert result.exit_code == 2
    parts = ("train.txt:2: ", "the file is empty", "train.txt:4: no tab", "train.txt:5: no such picture", "3 problems")
    for part in parts:
        assert part in result.output
    report = json.loads(run("check", words / "train.txt", "--kind", "recognition", "--json").output)
    assert [p["line"] for p in report["problems"]] == [2, 4, 5] and report["pictures"] == 2


def test_check_says_where_it_looked_if_no_picture_is_there(words):
    (words / "apart").mkdir()
    file = (words / "train.txt").rename(words / "apart" / "train.txt")
    (words / "images").rename(words / "pictures")
    told = run("check", file, "--kind", "recognition")
    place = f"Pictures were looked for below {file.parent}, such as {file.parent / 'images/train_000000.jpg'}: "
    assert told.exit_code == 2 and f"{place}name their folder by --root DIR." in told.output
    assert "name their folder by data.root." in run("check", recipe_of(words, words, train=["apart/train.txt"])).output
    assert f"below {words}, such as" in run("check", file, "--kind", "recognition", "--root", words).output
    file.write_text("no tab here\n")
    assert "looked for" not in run("check", file, "--kind", "recognition").output


def test_check_of_a_folder_checks_the_label_files_in_it(words):
    (words / "train.txt").write_text("no tab\n")
    result = run("check", words, "--kind", "recognition")
    assert result.exit_code == 2 and "train.txt:1: no tab" in result.output and "1 labels, 1 pictures" in result.output
    (words / "train.txt").unlink()
    (words / "val.txt").rename(words / "labels.txt")
    assert run("check", words, "--kind", "recognition").exit_code == 0
    result = run("check", words / "images")
    assert isinstance(result.exception, PpedgeError)
    assert "images: a folder without train.txt, val.txt, test.txt, Label.txt or labels.txt" in str(result.exception)


def test_scenes_become_crops(tmp_path):
    assert (
        run("synth", "scenes", "--content", "plates", "--out", tmp_path / "s", "--train", 2, "--eval", 0).exit_code == 0
    )
    result = run("crops", tmp_path / "s" / "train.txt", "--out", tmp_path / "c")
    assert result.exit_code == 0, result.output
    result = run("check", tmp_path / "c" / "labels.txt", "--kind", "recognition", "--charset", "plates")
    assert result.exit_code == 0 and "outside" not in result.output


def test_convert_writes_nothing_unless_all_is_well(tmp_path):
    (tmp_path / "odd.jpg").write_bytes(b"x")
    name = "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15.jpg"
    Image.new("RGB", (400, 500)).save(tmp_path / name)
    out = tmp_path / "labels.txt"
    result = run("convert", tmp_path, "--from", "ccpd", "--out", out)
    assert isinstance(result.exception, PpedgeError) and "1 problems" in str(result.exception)
    assert "odd.jpg:1: " in result.output and not out.exists()
    assert run("convert", tmp_path, "--from", "ccpd", "--out", out, "--skip-bad").exit_code == 0
    assert out.read_text().count("\n") == 1


def test_regions_that_are_no_line_are_counted(tmp_path):
    Image.new("RGB", (320, 96)).save(tmp_path / "a.jpg")
    box = [[8, 8], [100, 8], [100, 44], [8, 44]]
    regions = [
        {"transcription": text, "points": box, "difficult": text == "GUESS"} for text in ("AB", "GUESS", "待识别")
    ]
    labels = tmp_path / "Label.txt"
    labels.write_text(f"a.jpg\t{json.dumps(regions)}\n")
    result = run("check", labels)
    assert result.exit_code == 0 and "3 boxes of which 2 ignored" in result.output
    assert "no line: 1 marked difficult, 1 not read yet" in result.output
    result = run("crops", labels, "--out", tmp_path / "crops")
    assert result.exit_code == 0 and "no line: 1 marked difficult, 1 not read yet" in result.output
    assert (tmp_path / "crops" / "labels.txt").read_text() == "images/a_crop_0.png\tAB\n"
    labels.write_text(f"a.jpg\t{json.dumps(regions[1:])}\n")
    result = run("crops", labels, "--out", tmp_path / "none")
    assert isinstance(result.exception, PpedgeError) and "1 marked difficult, 1 not read yet" in str(result.exception)


def recipe_of(words, tmp_path, **data):
    from small import recipe_dict

    path = tmp_path / "r.yml"
    files = {"train": ["train.txt", {"file": "val.txt", "ratio": 0.5}], "eval": ["val.txt"]}
    path.write_text(yaml.safe_dump(recipe_dict("rec", words, data={**files, **data})))
    return path


def test_check_of_a_recipe_checks_what_it_names(words, tmp_path):
    """Each label file once, in its format, against its character set."""
    result = run("check", recipe_of(words, tmp_path))
    assert result.exit_code == 0, result.output
    assert "4 labels, 4 pictures" in result.output and "outside" not in result.output
    name = (words / "val.txt").read_text().partition("\t")[0]
    (words / "val.txt").write_text(f"{name}\t车\nno tab\n")
    result = run("check", recipe_of(words, tmp_path))
    assert result.exit_code == 2 and "val.txt:2: no tab" in result.output and "1 problems" in result.output
    assert "outside the character set: '车' 1" in result.output


def test_a_recipe_is_checked_by_its_own_settings(words, tmp_path):
    path = recipe_of(words, tmp_path)
    for more in (["--kind", "recognition"], ["--root", words], ["--charset", "en_number"], [words / "val.txt"]):
        result = run("check", path, *more)
        assert isinstance(result.exception, PpedgeError) and "a recipe says which" in str(result.exception)


def test_ppocrlabels_labels_of_lines_are_told_by_their_name(words):
    lines = (words / "train.txt").rename(words / "rec_gt.txt")
    result = run("check", lines)
    assert result.exit_code == 0 and "3 labels, 3 pictures" in result.output
    assert run("show", lines, "--out", words / "page.html").exit_code == 0
    asked = run("check", lines, "--kind", "detection")
    assert asked.exit_code == 2 and "look like recognition labels" in asked.output
    beside = run("check", lines, words / "val.txt")
    assert beside.exit_code == 2 and "look like recognition labels" in beside.output
    assert run("check", lines, words / "val.txt", "--kind", "recognition").exit_code == 0


def test_split_says_that_crops_of_one_picture_are_kept_together(tmp_path):
    names = [f"{k}_crop_{n}.jpg" for k in range(10) for n in range(2)]
    for name in names:
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "rec_gt.txt").write_text("".join(f"{name}\tx\n" for name in names))
    told = "crops of one picture, by their names PICTURE_crop_NUMBER, are kept together: 10 groups"
    assert told in run("split", tmp_path / "rec_gt.txt").output
    assert "crops of one" not in run("split", tmp_path / "rec_gt.txt", "--group", ".*", "--force").output
    (tmp_path / "rec_gt.txt").write_text("".join(f"{name}\tx\n" for name in names[::2]))
    assert "together" not in run("split", tmp_path / "rec_gt.txt", "--force").output


def test_split_says_what_each_file_has_and_what_training_lacks(words):
    labels = words / "train.txt"
    labels.write_text("".join(f"images/train_00000{k}.jpg\t{text}\n" for k, text in enumerate("AAÅ")))
    halves = ("split", labels, "--train", 0.5, "--eval", 0.5, "--test", 0)
    assert "has the name of a part" in str(run(*halves, "--force").exception)
    for seed in range(10):
        result = run(*halves, "--out", words / "s", "--root", words, "--force", "--seed", seed)
        assert result.exit_code == 0, result.output
        assert "s/train.txt: 2 pictures, 2 lines" in result.output and not (words / "s" / "test.txt").exists()
        alone = "Å" in (words / "s" / "val.txt").read_text()
        assert alone == ("val.txt has characters that train.txt lacks, which cannot be learnt: 'Å' 1" in result.output)
