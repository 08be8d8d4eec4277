import cv2
import numpy as np
import pytest

from ppedge.data.convert import convert, parse_ccpd_name, write_crops
from ppedge.data.formats import read_labels, write_lines
from ppedge.errors import PpedgeError

CCPD = "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15"


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8))


def test_icdar2015(tmp_path):
    picture(tmp_path / "images" / "img_1.jpg")
    (tmp_path / "gt").mkdir()
    text = "\ufeff10,10,50,10,50,30,10,30,Hello, world\r\n1,2,30,2,30,20,1,20,###\r\n\r\n"
    (tmp_path / "gt" / "gt_img_1.txt").write_bytes(text.encode())
    found = convert("icdar2015", tmp_path, tmp_path)
    assert found.problems == []
    write_lines(tmp_path / "labels.txt", found.lines)
    [sample] = read_labels(tmp_path / "labels.txt", tmp_path, "detection").samples
    assert (sample.texts, sample.ignore) == (["Hello, world", "###"], [False, True])
    assert sample.polygons[0].tolist() == [[10, 10], [50, 10], [50, 30], [10, 30]]
    assert found.lines[0].startswith("images/img_1.jpg\t")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3,text", "eight coordinates"),
        ("1,2,3,4,5,6,7,x,text", "not a number"),
        ("1,1,1,1,1,1,1,1,text", "no area"),
        ("1,1,nan,1,1,9,1,1,text", "no area"),
    ],
)
def test_bad_icdar2015_line_is_a_problem_with_its_place(tmp_path, line, reason):
    picture(tmp_path / "img_1.jpg")
    (tmp_path / "gt_img_1.txt").write_text(f"0,0,9,0,9,9,0,9,good\n{line}\n")
    (tmp_path / "gt_img_2.txt").write_text("0,0,9,0,9,9,0,9,no picture\n")
    found = convert("icdar2015", tmp_path, tmp_path)
    assert [(p.file.name, p.line) for p in found.problems] == [("gt_img_1.txt", 2), ("gt_img_2.txt", 1)]
    assert reason in found.problems[0].reason and "good" in found.lines[0]


def test_ccpd_names():
    quad, text = parse_ccpd_name(CCPD)
    assert text == "皖AY339S"
    assert quad.tolist() == [[154, 383], [363, 402], [386, 473], [177, 454]], "top-left first, clockwise"
    green = CCPD.replace("0_0_22_27_27_33_16", "0_0_3_27_27_33_16_24")
    assert parse_ccpd_name(green)[1] == "皖AD339S0"


@pytest.mark.parametrize(
    "name",
    [
        "holiday",
        CCPD.replace("0_0_22_27_27_33_16", "34_0_22_27_27_33_16"),  # the "none" mark of the provinces
        CCPD.replace("0_0_22_27_27_33_16", "0_0_22_27_27_33_99"),
        CCPD.replace("0_0_22_27_27_33_16", "0_0_22"),
        CCPD.replace("386&473_177&454", "386&473_177"),
        CCPD.replace("386&473_177&454_154&383_363&402", "1&1_1&1_1&1_1&1"),
    ],
)
def test_other_names_are_not_ccpd(name):
    assert parse_ccpd_name(name) is None


def test_ccpd_folder(tmp_path):
    picture(tmp_path / "base" / f"{CCPD}.jpg")
    picture(tmp_path / "base" / "holiday.jpg")
    found = convert("ccpd", tmp_path / "base", tmp_path)
    assert found.lines[0].startswith(f"base/{CCPD}.jpg\t") and "皖AY339S" in found.lines[0]
    assert [p.file.name for p in found.problems] == ["holiday.jpg"]


def test_folders_that_cannot_be_converted(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PpedgeError, match="no such folder"):
        convert("ccpd", tmp_path / "none", tmp_path)
    with pytest.raises(PpedgeError, match=r"no gt_\*\.txt"):
        convert("icdar2015", tmp_path / "empty", tmp_path)
    with pytest.raises(PpedgeError, match="not below the root"):
        convert("ccpd", tmp_path, tmp_path / "empty")


def test_crops(tmp_path):
    picture(tmp_path / "p.png")
    box = "[[10,10],[50,10],[50,30],[10,30]]"
    regions = ", ".join(f'{{"transcription": "{t}", "points": {box}}}' for t in ("one", "###", "", "two"))
    (tmp_path / "l.txt").write_text(f"p.png\t[{regions}]\n")
    samples = read_labels(tmp_path / "l.txt", tmp_path, "detection").samples
    assert write_crops(samples, tmp_path / "out") == 2
    labels = read_labels(tmp_path / "out" / "labels.txt", tmp_path / "out", "recognition")
    assert [s.text for s in labels.samples] == ["one", "two"] and not labels.problems
    crop, whole = cv2.imread(str(labels.samples[0].image)), cv2.imread(str(tmp_path / "p.png"))
    assert np.array_equal(crop, whole[10:30, 10:50])
    with pytest.raises(PpedgeError, match="there already"):
        write_crops(samples, tmp_path / "out")


def test_crops_of_nothing_leave_nothing(tmp_path):
    with pytest.raises(PpedgeError, match="no region"):
        write_crops([], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_real_ccpd_pictures(shared_data):
    found = convert("ccpd", shared_data / "data" / "ccpd", shared_data / "data" / "ccpd")
    assert len(found.lines) == 16 and not found.problems
