import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from ppedge.data.formats import read_labels
from ppedge.data.named import usual_root

MARK = "\ufeff"
REGION = json.dumps([{"transcription": "A", "points": [[0, 0], [9, 0], [9, 9], [0, 9]]}])


@pytest.fixture
def root(tmp_path):
    """A folder with a picture in it and one below it, and one with an accent."""
    for name in ("a.JPG", "img/b.jpg", "café.png"):
        path = tmp_path / "data" / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20)).save(path)
    return tmp_path / "data" / "set"


def read(root, *lines, kind="recognition"):
    (root / "l.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_labels(Path("l.txt"), root, kind)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("a.jpg", "a.JPG"),
        ("IMG/B.jpg", "img/b.jpg"),
        ("img\\b.jpg", "img/b.jpg"),
        (".\\img\\b.jpg", "img/b.jpg"),
        ("/img/b.jpg", "img/b.jpg"),
        (" a.JPG ", "a.JPG"),
        (unicodedata.normalize("NFD", "café.png"), "café.png"),
    ],
)
def test_the_picture_that_was_meant_is_named(root, name, twin):
    [problem] = read(root, f"{name}\tA").problems
    assert problem.reason == f"no such picture: {name}, but there is {twin}"


@pytest.mark.parametrize(("name", "above"), [("set/a.JPG", 1), ("set\\a.jpg", 1), ("data/set/a.JPG", 2)])
def test_names_relative_to_a_folder_above(root, name, above):
    base = root.parents[above - 1]
    [problem] = read(root, f"{name}\tA").problems
    assert f"a.JPG below {base}: name that folder by --root" in problem.reason
    assert not read_labels(root / "l.txt", base, "recognition").problems or "\\" in name


@pytest.mark.parametrize("name", ["nothing.jpg", "img", "../l", "a.JPG/b.jpg", "a\0.jpg", "x" * 5000, "..\\..\\x", "/"])
def test_names_that_are_like_nothing(root, name):
    [problem] = read(root, f"{name}\tA").problems
    assert problem.reason == f"no such picture: {name[:200]}"


def test_byte_order_marks_at_the_beginning_of_lines(root):
    labels = read(root, f"{MARK}{MARK}a.JPG\tA", f"{MARK}img/b.jpg\tB", MARK, f"a.JPG\t{MARK}C")
    assert not labels.problems and [s.text for s in labels.samples] == ["A", "B", f"{MARK}C"]


def test_a_file_in_utf_16_is_one_problem(root):
    (root / "l.txt").write_bytes("a.JPG\tA\r\na.JPG\tB\r\n".encode("utf-16"))
    [problem] = read_labels(Path("l.txt"), root, "recognition").problems
    assert "UTF-16" in problem.reason


def test_recognition_labels_are_not_taken_for_detection_labels(root):
    labels = read(root, "a.JPG\tHello", "img/b.jpg\t12", "no tab", "a.JPG\tA B", kind="detection")
    [problem] = labels.problems
    assert problem.line == 1 and problem.reason.startswith("2 of 4 lines look like recognition labels, not detection")
    assert "--kind" in problem.reason


def test_detection_labels_are_not_taken_for_recognition_labels(root):
    labels = read(root, "img/b.jpg\t[]", f"a.JPG\t{REGION}", f"a.JPG\t{REGION}")
    [problem] = labels.problems
    assert labels.samples == [] and problem.line == 2
    assert problem.reason.startswith("2 of 3 lines look like detection labels, not recognition labels")


def test_a_single_line_of_the_other_kind_is_a_problem_of_that_line(root):
    labels = read(root, "a.JPG\tA", "a.JPG\t[{}]", f"a.JPG\t{REGION}", "a.JPG\tB")
    assert [s.text for s in labels.samples] == ["A", "[{}]", "B"]
    assert [(p.line, "list of regions" in p.reason) for p in labels.problems] == [(3, True)]
    labels = read(root, f"a.JPG\t{REGION}", "a.JPG\tA", kind="detection")
    assert [(p.line, "not JSON" in p.reason) for p in labels.problems] == [(2, True)] and len(labels.samples) == 1


def test_ppocrlabels_file_names_pictures_from_the_folder_above_where_they_are_there(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").touch()
    file = folder / "Label.txt"
    file.write_bytes(b"x" * 5000 + b"\t[]\na\0b\t[]\n\xff\t[]\nphotos/a.jpg\t[]\n")
    assert usual_root(file) == tmp_path
    file.write_text("gone.jpg\t[]\na.jpg\t[]\n")
    assert usual_root(file) == folder
    assert usual_root(folder / "labels.txt") == folder
