"""Labels of PPOCRLabel's folders, SROIE, Total-Text and COCO-Text."""

import json
from pathlib import Path

import pytest
from test_convert_labels import QUAD, annotation, picture, texts

from ppedge.data.convert import convert
from ppedge.data.formats import read_labels, write_lines
from ppedge.data.source import read_samples
from ppedge.errors import PpedgeError
from ppedge.progress import Reporter
from ppedge.recipe.io import make_recipe
from ppedge.train.task import Task
from small import tiny_recipe

DETECTOR = {"inference": "models/any"}
POINTS = [[10, 10], [50, 10], [50, 30], [10, 30]]


def regions(*named):
    return json.dumps([{"transcription": text, "points": POINTS, **more} for text, more in named], ensure_ascii=False)


@pytest.fixture
def labelled(tmp_path):
    """As PPOCRLabel leaves a folder: two pictures confirmed, one found by the tool, one untouched."""
    for name in ("a b.jpg", "b.png", "c.jpg", "d.jpg"):
        picture(tmp_path / "pics" / name)
    annotation(
        tmp_path / "pics" / "Label.txt",
        "old name/a b.jpg\t" + regions(("沪A12345", {"difficult": False}), ("blurred", {"difficult": True})),
        "old name/b.png\t" + regions(("TOTAL", {"key_cls": "None"})),
        "old name/c.jpg\t" + regions(("not looked at", {})),
    )
    annotation(tmp_path / "pics" / "fileState.txt", "C:\\work\\pics\\a b.jpg\t1", "/home/u/pics/b.png\t1",
               "/home/u/pics/c.jpg\t0")  # fmt: skip
    annotation(tmp_path / "pics" / "rec_gt.txt", "crop_img/a_crop_0.jpg\tX")
    picture(tmp_path / "pics" / "crop_img" / "a_crop_0.jpg")  # cut out by the tool
    return tmp_path / "pics"


def test_ppocrlabels_folder_as_it_comes(labelled):
    found = convert("ppocrlabel", labelled, labelled)
    assert texts(found, labelled) == {"a b.jpg": ["沪A12345", "###"], "b.png": ["TOTAL"]}
    assert found.problems == [] and found.unlabelled == 2
    (labelled / "fileState.txt").unlink()  # an old release wrote none: all that is labelled counts
    assert set(texts(convert("ppocrlabel", labelled, labelled.parent), labelled.parent)) == {
        "pics/a b.jpg", "pics/b.png", "pics/c.jpg",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x/gone.jpg\t[]", "no such picture: gone.jpg"),
        ("x/b.png\tnothing", "not a list of regions"),
        ('x/b.png\t{"a": 1}', "the JSON is not a list"),
        ('x/b.png\t[{"transcription": "x", "points": [[1, 2]]}]', "at least 4 are needed"),
    ],
)
def test_a_bad_line_of_label_txt_is_a_problem(labelled, line, reason):
    (labelled / "fileState.txt").unlink()
    annotation(labelled / "Label.txt", "", line)
    [problem] = convert("ppocrlabel", labelled, labelled).problems
    assert reason in problem.reason and problem.line == 2


def test_the_command_says_what_is_not_confirmed(labelled, ppedge_here):
    code, out, err = ppedge_here("data", "convert", labelled, "--from", "ppocrlabel", "--out", labelled / "labels.txt")
    assert code == 0 and "2 pictures are left out: no confirmed label is of them" in out + err
    code, _, err = ppedge_here("data", "check", labelled / "labels.txt")
    assert code == 0, err
    code, _, err = ppedge_here("data", "convert", labelled / "crop", "--from", "ppocrlabel", "--out", "x.txt")
    assert code == 2 and "no such folder" in err


@pytest.mark.parametrize("command", ["check", "split", "crops", "recipe"])
def test_where_label_txt_is_read_as_it_is_what_is_not_confirmed_is_told(labelled, ppedge_here, command, tmp_path):
    labelled.rename(labelled.parent / "old name")
    folder = labelled.parent / "old name"
    my = {
        "name": "x",
        "task": "det",
        "data": {"root": str(tmp_path), "train": ["old name/Label.txt"]},
        "model": DETECTOR,
    }
    (tmp_path / "my.yml").write_text(json.dumps(my))
    options = {
        "check": [folder / "Label.txt", "--root", tmp_path],
        "split": [
            folder / "Label.txt",
            "--root",
            tmp_path,
            "--out",
            tmp_path / "parts",
            "--train",
            "0.7",
            "--eval",
            "0.3",
            "--test",
            "0",
        ],
        "crops": [folder / "Label.txt", "--root", tmp_path, "--out", tmp_path / "crops"],
        "recipe": [tmp_path / "my.yml"],
    }[command]
    told = "Label.txt: 1 of 3 pictures are not confirmed in fileState.txt, and are taken too; `ppedge data convert "
    code, out, err = ppedge_here("data", "check" if command == "recipe" else command, *options)
    assert code == 0, err
    assert told in " ".join((out + err).split())
    (folder / "Label.txt").rename(folder / "mine.txt")
    assert "not confirmed" not in "".join(ppedge_here("data", "check", folder / "mine.txt", "--root", tmp_path)[1:])


@pytest.mark.parametrize("named", ["folder", "file", "file from within"])
def test_ppocrlabels_own_labels_are_checked_and_shown_as_they_are(labelled, ppedge_here, named, monkeypatch, tmp_path):
    labelled.rename(labelled.parent / "old name")
    place = {"folder": labelled.parent / "old name", "file": labelled.parent / "old name/Label.txt"}.get(named)
    if place is None:
        monkeypatch.chdir(labelled.parent / "old name")
        place = "Label.txt"
    code, out, err = ppedge_here("data", "check", place)
    assert code == 0 and "3 labels, 3 pictures, 4 boxes" in out + err and "1 of 3 pictures are not" in out + err
    assert ppedge_here("data", "show", place, "--out", tmp_path / "page.html")[0] == 0
    if named != "folder":
        assert ppedge_here("data", "crops", place, "--out", tmp_path / "crops")[0] == 0


def test_of_a_folder_that_was_renamed_what_to_type_is_told(labelled, ppedge_here):
    code, out, err = ppedge_here("data", "check", labelled)
    command = f"ppedge data convert {labelled} --from ppocrlabel --out {labelled / 'labels.txt'}"
    assert code == 2 and f"Or `{command}` makes labels" in " ".join((out + err).split())
    assert ppedge_here(*command.split()[1:])[0] == 0
    assert ppedge_here("data", "check", labelled / "labels.txt")[0] == 0


def test_a_training_says_where_pictures_were_looked_for(labelled):
    data = {"root": str(labelled.parent), "train": ["pics/Label.txt"]}  # whose lines name "old name/"
    recipe = make_recipe({"name": "x", "task": "det", "data": data, "model": DETECTOR}, Path("x.yml"))
    with pytest.raises(PpedgeError) as error:
        read_samples(recipe, "train")
    tried = labelled.parent / "old name/a b.jpg"
    told = f"looked for below {labelled.parent}, such as {tried}: name their folder by --set data.root=DIR."
    assert told in error.value.hint


def test_a_training_says_once_what_is_not_confirmed_of_a_file_that_also_measures(labelled, capsys):
    labelled.rename(labelled.parent / "old name")
    files = {split: ["old name/Label.txt"] for split in ("train", "eval", "test")}
    task, reporter = Task(tiny_recipe("det", labelled.parent, data=files)), Reporter()
    assert [len(task.samples(split, reporter=reporter)[0]) for split in files] == [3, 3, 3]
    told = capsys.readouterr().err
    assert told.count("1 of 3 pictures are not confirmed") == told.count("not confirmed") == 1
    assert all(f"data.{split}: regions that are ignored" in told for split in files)


def test_a_folder_without_states_is_told(labelled, ppedge_here):
    (labelled / "fileState.txt").unlink()
    told = "pics: no fileState.txt in it: pictures that nobody has confirmed are taken too"
    code, out, err = ppedge_here("data", "convert", labelled, "--from", "ppocrlabel", "--out", labelled / "labels.txt")
    assert code == 0 and told in out + err


def test_sroie(tmp_path):
    """Whether texts lie beside the pictures or not; files of entities are no annotations."""
    for name in ("X51(1)", "X52"):
        picture(tmp_path / "img" / f"{name}.jpg")
        annotation(tmp_path / "box" / f"{name}.txt", f"{QUAD},TOTAL: 1,234.50", "")
        annotation(tmp_path / "entities" / f"{name}.txt", "{", '"total": "1,234.50"', "}")
    found = convert("sroie", tmp_path, tmp_path)
    assert texts(found, tmp_path) == {"img/X51(1).jpg": ["TOTAL: 1,234.50"], "img/X52.jpg": ["TOTAL: 1,234.50"]}
    assert not found.problems


def test_total_text(tmp_path):
    picture(tmp_path / "Images" / "Train" / "img11.jpg")
    annotation(
        tmp_path / "Groundtruth" / "Polygon" / "Train" / "poly_gt_img11.txt",
        "x: [[10 30 50 50 30",
        "  10]], y: [[10 8 10 30 28 30]], ornt: [u'c'], transcriptions: [u\"DON'T\"]",
        "x: [[10 50 50 10]], y: [[40 40 55 55]], ornt: [u'#'], transcriptions: [u'#']",
        "x: [[60 80 80 60]], y: [[40 40 55 55]], ornt: [u'm'], transcriptions: [u'two', u'words']",
    )
    found = convert("totaltext", tmp_path, tmp_path)
    assert texts(found, tmp_path) == {"Images/Train/img11.jpg": ["DON'T", "###", "two words"]}
    [sample] = read_labels(tmp_path / "written.txt", tmp_path, "detection").samples
    assert [len(polygon) for polygon in sample.polygons] == [6, 4, 4]
    assert sample.ignore == [False, True, False]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("x: [[1 2 3 4]], y: [[1 2 3]], ornt: [u'c'], transcriptions: [u'a']", "as in Total-Text"),
        ("x: [[1 2 3]], y: [[1 2 3]], ornt: [u'c'], transcriptions: [u'a']", "at least 4"),
        ("x: [[1 2 3 4]], y: [[1 2 3 4]], ornt: [u'c'], transcriptions: [__import__('os')]", "as in Total-Text"),
        ("1,2,3,4,text", "no entry begins with x:"),
    ],
)
def test_a_bad_entry_of_total_text_is_a_problem(tmp_path, entry, reason):
    picture(tmp_path / "a.jpg")
    annotation(tmp_path / "poly_gt_a.txt", "", entry)
    [problem] = convert("totaltext", tmp_path, tmp_path).problems
    assert reason in problem.reason


def coco(tmp_path, outline="mask", **changes):
    names = {"36": "COCO_train2014_36.jpg", "64": "COCO_train2014_64.jpg", "9": "COCO_train2014_9.jpg"}
    picture(tmp_path / "train2014" / names["36"])
    picture(tmp_path / "train2014" / names["64"])
    flat = [float(value) for point in POINTS for value in point]
    one = {"image_id": 36, "id": 1, outline: flat, "bbox": [10, 10, 40, 20], "legibility": "legible"}
    told = {
        "imgs": {key: {"id": int(key), "file_name": name, "set": "train"} for key, name in names.items()},
        "anns": {"1": {**one, "utf8_string": "New"}, "2": {**one, "legibility": "illegible"},
                 "3": {**one, "utf8_string": "far", "image_id": 9}},
        "imgToAnns": {},
    }  # fmt: skip
    (tmp_path / "cocotext.v2.json").write_text(json.dumps({**told, **changes}))


@pytest.mark.parametrize("outline", ["mask", "polygon"])
def test_coco_text(tmp_path, outline):
    coco(tmp_path, outline)
    found = convert("cocotext", tmp_path, tmp_path)
    assert texts(found, tmp_path) == {"train2014/COCO_train2014_36.jpg": ["New", "###"]}
    assert found.unlabelled == 1
    assert [problem.reason for problem in found.problems] == [
        f"1 of its pictures are not below {tmp_path}, first COCO_train2014_9.jpg"
    ]


def test_what_is_not_coco_text_is_a_sentence(tmp_path):
    with pytest.raises(PpedgeError, match="0 JSON files in it"):
        convert("cocotext", tmp_path, tmp_path)
    coco(tmp_path, imgs=[])
    with pytest.raises(PpedgeError, match="not COCO-Text's"):
        convert("cocotext", tmp_path, tmp_path)
    coco(tmp_path, anns={"1": {"image_id": 36, "mask": [1, 2, 3]}})
    [problem] = convert("cocotext", tmp_path, tmp_path).problems
    assert "no outline of pairs" in problem.reason
    write_lines(tmp_path / "other.json", ["{}"])
    with pytest.raises(PpedgeError, match="2 JSON files"):
        convert("cocotext", tmp_path, tmp_path)


@pytest.mark.parametrize(("source", "name"), [("sroie", "a"), ("totaltext", "poly_gt_a"), ("icdar2015", "gt_a")])
def test_a_file_in_another_encoding_is_a_problem(tmp_path, source, name):
    picture(tmp_path / "a.jpg")
    (tmp_path / f"{name}.txt").write_bytes(f"{QUAD},caf".encode() + b"\xe9\n")
    [problem] = convert(source, tmp_path, tmp_path).problems
    assert "not UTF-8 (byte" in problem.reason
