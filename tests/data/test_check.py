import json
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ppedge.data.check import check, readable
from ppedge.data.formats import read_labels
from ppedge.data.usable import usable
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import Charset


@pytest.fixture
def root(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for name in ("good.jpg", "short.jpg", "good.png", "short.png"):
        cv2.imwrite(str(tmp_path / name), noise)
    for name in ("short.jpg", "short.png"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
    (tmp_path / "nearly.png").write_bytes((tmp_path / "good.png").read_bytes()[:-1])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture at all")
    return tmp_path


def write(root: Path, *lines: str) -> Path:
    (root / "l.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Path("l.txt")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty.jpg", "empty.jpg: the file is empty"),
        ("short.jpg", "short.jpg: the picture is damaged"),  # OpenCV would fill it up with grey and say nothing
        ("short.png", "short.png: the picture is damaged"),
        ("nearly.png", "nearly.png: the picture is damaged"),  # Pillow's decoder does not look at the end
        ("text.jpg", "text.jpg: not a picture"),
    ],
)
def test_bad_pictures_are_found_by_decoding(root, name, reason):
    report = check([write(root, "good.jpg\tA", f"{name}\tB", "good.png\tC", f"{name}\tD")], root, "recognition")
    assert [(p.line, reason in p.reason) for p in report.problems] == [(2, True), (4, True)]
    assert (report.pictures, report.samples) == (2, 2)


def test_problems_of_lines_and_pictures_come_in_the_files_order(root):
    file = write(root, "empty.jpg\tA", "no tab", "good.jpg\tB", "text.jpg\tC")
    labels = readable(read_labels(file, root, "recognition"))
    assert [p.line for p in labels.problems] == [1, 2, 4]
    assert [s.text for s in labels.samples] == ["B"]


def test_counts(root):
    points = "[[0,0],[9,0],[9,9],[0,9]]"
    regions = ", ".join(f'{{"transcription": "{t}", "points": {points}}}' for t in ("aé", "é1", "###", ""))
    report = check([write(root, f"good.jpg\t[{regions}]")], root, "detection", Charset("a1"))
    assert (report.boxes, report.ignored) == (4, 1)
    assert report.outside_charset == {"é": 2}, "an ignored region's text is none"
    assert report.to_dict()["problems"] == []


def test_an_entry_of_several_characters_covers_those_that_stand_together(root):
    file = write(root, "good.jpg\tฤๅ", "good.png\taๅ")
    assert check([file], root, "recognition", Charset(("a", "ฤๅ"))).outside_charset == {"ๅ": 1}


def test_training_refuses_bad_data_unless_told_to_skip_it(root):
    labels = read_labels(write(root, "good.jpg\tA", "no tab", "empty.jpg\tB"), root, "recognition")
    with pytest.raises(PpedgeError) as error:
        usable(labels, skip_bad=False)
    assert "l.txt:2: no tab" in error.value.message and "1 more" in error.value.message
    assert "ppedge data check" in error.value.hint and "--skip-bad" in error.value.hint
    samples, skipped = usable(labels, skip_bad=True)
    assert ([s.text for s in samples], skipped) == (["A"], 2)


@pytest.mark.parametrize(
    ("lines", "skip_bad", "elsewhere"),
    [
        (["gone/1.jpg\tA", "gone/2.jpg\tA"], False, True),
        (["gone/1.jpg\tA", "gone/2.jpg\tA"], True, True),
        ([*(f"gone/{k}.jpg\tA" for k in range(1, 10)), "good.jpg\tA"], False, True),
        ([*(f"gone/{k}.jpg\tA" for k in range(1, 10)), "good.jpg\tA"], True, False),
        (["gone/1.jpg\tA", "good.jpg\tA"], False, False),
    ],
)
def test_where_next_to_no_picture_is_there_the_root_is_told(root, lines, skip_bad, elsewhere):
    labels = read_labels(write(root, *lines), root, "recognition")
    hint = ""
    try:
        usable(labels, skip_bad, root, "--set data.root=DIR")
    except PpedgeError as error:
        hint = error.hint
    looked = (
        f"Pictures were looked for below {root}, such as {root / 'gone/1.jpg'}: name their folder by --set data.root"
    )
    assert (looked in hint) == elsewhere


def regions(*points):
    return json.dumps([{"transcription": "A", "points": corners} for corners in points])


BOX = [[0, 0], [9, 0], [9, 9], [0, 9]]


def test_regions_are_held_against_their_picture(root):
    beyond, crossed = [[70, 0], [90, 0], [90, 9], [70, 9]], [[0, 0], [9, 9], [9, 0], [0, 9]]
    lines = [regions(BOX), regions(BOX, beyond), regions(crossed, BOX), regions(BOX[::-1], [[-5, 3], *BOX[1:]]), "[]"]
    labels = readable(read_labels(write(root, *(f"good.png\t{line}" for line in lines)), root, "detection"))
    assert [p.line for p in labels.problems] == [2, 3]
    assert "region 2: it lies outside" in labels.problems[0].reason
    assert "good.png has 64 x 64 pixels" in labels.problems[0].reason and "EXIF" not in labels.problems[0].reason
    assert "region 1: its edges cross" in labels.problems[1].reason
    assert (labels.reversed, labels.clipped) == (1, 1)
    assert labels.samples[1].polygons[0].tolist() == BOX
    report = check([write(root, f"good.png\t{lines[3]}")], root, "detection").to_dict()
    assert (report["reversed"], report["clipped"], report["boxes"]) == (1, 1, 2)


@pytest.mark.parametrize(("orientation", "corner"), [(6, 20), (6, 50), (8, 20)])
def test_labels_drawn_on_the_stored_pixels_of_a_turned_photo(root, orientation, corner):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (100, 40)).save(root / "turned.jpg", exif=exif)
    points = [[corner, 10], [90, 10], [90, 30], [corner, 30]]
    [problem] = readable(read_labels(write(root, f"turned.jpg\t{regions(points)}"), root, "detection")).problems
    for part in (
        "region 1: ",
        f"40 x 100 pixels after its EXIF turn (orientation {orientation})",
        "the 100 x 40 pixels",
    ):
        assert part in problem.reason
    upright = [[10, 20], [30, 20], [30, 90], [10, 90]]
    assert not readable(read_labels(write(root, f"turned.jpg\t{regions(upright)}"), root, "detection")).problems


def test_several_files_are_one_report_and_one_of_another_kind_adds_nothing(root):
    (root / "one.txt").write_text(f"good.jpg\t{regions(BOX)}\nempty.jpg\t[]\nno tab\n", encoding="utf-8")
    (root / "two.txt").write_text("good.png\tA\ngood.png\tB\n", encoding="utf-8")
    (root / "three.txt").write_text(f"good.jpg\t{regions(BOX, BOX)}\ngood.png\t[]\n", encoding="utf-8")
    report = check([Path(f"{name}.txt") for name in ("one", "two", "three")], root, "detection", Charset("b"))
    assert (report.pictures, report.samples, report.boxes, report.outside_charset) == (2, 3, 3, {"A": 3})
    assert [(p.file.name, p.line) for p in report.problems] == [("one.txt", 2), ("one.txt", 3), ("two.txt", 1)]
    assert "2 of 2 lines look like recognition labels" in report.problems[2].reason
    alone = check([Path("one.txt"), Path("two.txt")], root, "detection")
    assert alone.pictures == 1, "a picture that only a file of another kind names is none of the data"


def test_a_file_that_is_not_there_is_told_before_any_picture_is_decoded(root, monkeypatch):
    monkeypatch.setattr("ppedge.data.check.read_image", lambda path: pytest.fail("decoded"))
    with pytest.raises(PpedgeError, match="nowhere.txt: no such label file"):
        check([write(root, "good.jpg\tA"), Path("nowhere.txt")], root, "recognition")


def test_a_line_that_has_been_checked_is_not_held(root, monkeypatch):
    """A line's objects take some 800 bytes; what stays of one is a number for its picture."""
    monkeypatch.setattr("ppedge.data.check.read_image", lambda path: None)
    peaks = []
    for count in (300, 300, 1300):  # the first warms up
        for number in range(count):
            if not (root / f"{number}.jpg").exists():
                (root / f"{number}.jpg").hardlink_to(root / "good.jpg")
        file = write(root, *(f"{number}.jpg\tword {number}" for number in range(count)))
        tracemalloc.start()
        assert check([file], root, "recognition").samples == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[2] - peaks[1]) / 1000 < 250


def test_nothing_left_is_an_error(root):
    labels = read_labels(write(root, "no tab"), root, "recognition")
    with pytest.raises(PpedgeError, match="no usable line.*no tab"):
        usable(labels, skip_bad=True)


def test_real_receipts_are_clean(shared_data):
    report = check([Path("val.txt")], shared_data / "data" / "receipts", "detection")
    assert (report.problems, report.pictures, report.boxes) == ([], 20, 1092)
