import json

import cv2
import numpy as np
import pytest

from ppedge.data.convert import convert, parse_ccpd_name, write_crops
from ppedge.data.formats import read_labels, write_lines
from ppedge.data.split import split
from ppedge.errors import PpedgeError

CCPD = "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15"


def picture(path, width=90, height=60):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))


def annotation(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


QUAD = "10,10,50,10,50,30,10,30"


def texts(found, root):
    write_lines(root / "written.txt", found.lines)
    labels = read_labels(root / "written.txt", root, "detection")
    assert not labels.problems
    return {s.image.relative_to(root).as_posix(): s.texts for s in labels.samples}


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
    assert found.unlabelled == 0
    assert sample.polygons[0].tolist() == [[10, 10], [50, 10], [50, 30], [10, 30]]
    assert found.lines[0].startswith("images/img_1.jpg\t")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3,text", "eight coordinates"),
        ("1,2,3,4,5,6,7,x,text", "eight coordinates"),
        ("1,1,1,1,1,1,1,1,text", "one point"),
        ("1,1,nan,1,1,9,1,1,text", "not finite"),
    ],
)
def test_bad_icdar2015_line_is_a_problem_with_its_place(tmp_path, line, reason):
    picture(tmp_path / "img_1.jpg")
    (tmp_path / "gt_img_1.txt").write_text(f"0,0,9,0,9,9,0,9,good\n{line}\n")
    (tmp_path / "gt_img_2.txt").write_text("0,0,9,0,9,9,0,9,no picture\n")
    found = convert("icdar2015", tmp_path, tmp_path)
    assert [(p.file.name, p.line) for p in found.problems] == [("gt_img_1.txt", 2), ("gt_img_2.txt", 1)]
    assert reason in found.problems[0].reason
    assert (found.lines, found.left_out) == ([], 1), "the text of the bad line would be learnt as background"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("10,10,50,10,50,30,10,30", "no text after"),
        ("10,10,50,30,50,10,10,30,crossed", "edges cross"),
        ("10,10,10,10,50,10,50,30,doubled", "3 of its 4 corners"),
        ("-9,-9,50,50,-9,50,50,-9,crossed and outside", "edges cross"),
    ],
)
def test_a_bad_region_whose_place_is_known_is_ignored(tmp_path, line, reason):
    picture(tmp_path / "img_1.jpg")
    annotation(tmp_path / "gt_img_1.txt", f"{QUAD},good", line)
    found = convert("icdar2015", tmp_path, tmp_path)
    [problem] = found.problems
    assert problem.line == 2 and reason in problem.reason
    assert texts(found, tmp_path) == {"img_1.jpg": ["good", "###"]} and (found.ignored, found.left_out) == (1, 0)


@pytest.mark.parametrize(
    "line", ["200,10,250,10,250,30,200,30,outside", "9,9,9,9,9,9,9,9,point", "1,1,x,1,1,9,1,1,odd"]
)
def test_a_picture_is_left_out_where_the_place_of_a_bad_region_is_not_known(tmp_path, line):
    picture(tmp_path / "img_1.jpg")
    picture(tmp_path / "img_2.jpg")
    annotation(tmp_path / "gt_img_1.txt", f"{QUAD},good", line)
    annotation(tmp_path / "gt_img_2.txt", f"{QUAD},other")
    found = convert("icdar2015", tmp_path, tmp_path)
    assert texts(found, tmp_path) == {"img_2.jpg": ["other"]} and (found.left_out, len(found.problems)) == (1, 1)


def test_pictures_that_cannot_be_used_are_problems(tmp_path):
    (tmp_path / "img_1.jpg").write_text("no picture")
    picture(tmp_path / "img_2.jpg")
    picture(tmp_path / "img_3.jpg")
    annotation(tmp_path / "gt_img_1.txt", f"{QUAD},good")
    (tmp_path / "gt_img_2.txt").write_bytes(b"\xff\xfe1,2")
    found = convert("icdar2015", tmp_path, tmp_path)
    assert [(p.file.name, found.lines) for p in found.problems] == [("gt_img_1.txt", []), ("gt_img_2.txt", [])]
    assert (found.left_out, found.unlabelled) == (2, 1)


def test_quads_are_turned_round_and_cut_off(tmp_path):
    picture(tmp_path / "img_1.jpg")
    annotation(tmp_path / "gt_img_1.txt", "10,10,10,30,50,30,50,10,back", "60,10,99,10,99,30,60,30,edge")
    found = convert("icdar2015", tmp_path, tmp_path)
    assert (found.reversed, found.clipped, found.problems) == (1, 1, [])
    assert "[[10.0, 10.0], [50.0, 10.0], [50.0, 30.0], [10.0, 30.0]]" in found.lines[0] and "90.0" in found.lines[0]


@pytest.mark.parametrize(
    ("train", "train_gt", "test", "test_gt"),
    [
        ("train", "train", "test", "test"),
        ("train/img", "train/gt", "test/img", "test/gt"),
        ("a/img", "a/gt", "b", "b/gt"),
        ("ch4_training_images", "ch4_training_transcription_gt", "ch4_test_images", "Challenge4_Test_Task1_GT"),
    ],
)
def test_equal_names_are_paired_within_their_part(tmp_path, train, train_gt, test, test_gt):
    for folder, gt, text in ((train, train_gt, "one"), (test, test_gt, "two")):
        picture(tmp_path / folder / "img_1.jpg")
        annotation(tmp_path / gt / "gt_img_1.txt", f"{QUAD},{text}")
    picture(tmp_path / train / "img_2.jpg")
    annotation(tmp_path / train_gt / "gt_img_2.txt", f"{QUAD},three")
    found = convert("icdar2015", tmp_path, tmp_path)
    wanted = {f"{train}/img_1.jpg": ["one"], f"{train}/img_2.jpg": ["three"], f"{test}/img_1.jpg": ["two"]}
    assert not found.problems and texts(found, tmp_path) == wanted


@pytest.mark.parametrize(
    ("pictures", "annotations", "reason"),
    [
        (["img_1.jpg", "img_1.png"], ["gt_img_1.txt"], "two pictures named img_1"),
        (["a/img_1.jpg", "b/img_1.jpg"], ["gt/gt_img_1.txt"], "two pictures named img_1"),
        (["a/img_1.jpg", "b/img_1.jpg"], ["gt_a/gt_img_1.txt", "gt_b/gt_img_1.txt"], "two pictures named img_1"),
        (["img/img_1.jpg"], ["gt_a/gt_img_1.txt", "gt_b/gt_img_1.txt"], "is the picture of 2 annotation files"),
        (["test/img_1.jpg", "test/img_2.jpg"], ["test/gt_img_1.txt", "train/gt_img_1.txt"], "no picture named img_1"),
        (["test/img_1.jpg"], ["train/gt_img_1.txt"], "no picture named img_1"),
        (["a/img_1.jpg"], ["a/gt_img_1.txt", "b/gt_img_1.txt"], "no picture named img_1"),
        (["a/img/img_1.jpg", "b/img_2.jpg"], ["a/gt/gt_img_1.txt", "a/gt/gt_img_2.txt"], "no picture named img_2"),
        (["IMG_1.JPG"], ["gt_img_1.txt"], "folder that belongs to it, but IMG_1.JPG"),
    ],
)
def test_a_name_that_does_not_tell_the_picture_is_a_problem(tmp_path, pictures, annotations, reason):
    for name in pictures:
        picture(tmp_path / name)
    for name in annotations:
        annotation(tmp_path / name, f"{QUAD},text")
    found = convert("icdar2015", tmp_path, tmp_path)
    assert found.problems and all(reason in problem.reason for problem in found.problems)
    assert len(found.lines) == len(annotations) - len(found.problems)


def test_names_that_a_label_file_cannot_hold_are_problems(tmp_path):
    for number, name in enumerate(("a\tb", "a\nb", "a\udcffb"), start=1):
        picture(tmp_path / str(number) / "odd.jpg")
        (tmp_path / str(number) / "odd.jpg").rename(tmp_path / str(number) / f"{name}.jpg")
        annotation(tmp_path / str(number) / f"gt_{name}.txt", f"{QUAD},x")
    found = convert("icdar2015", tmp_path, tmp_path)
    assert found.lines == [] and found.left_out == 3
    assert [("line break" in p.reason, "UTF-8" in p.reason) for p in found.problems] == [(True, False)] * 2 + [
        (False, True)
    ]


def test_pictures_may_be_links_and_annotations_may_be_unreadable(tmp_path):
    picture(tmp_path / "elsewhere" / "p.jpg")
    (tmp_path / "set").mkdir()
    for number in (1, 2):
        (tmp_path / "set" / f"img_{number}.jpg").symlink_to(tmp_path / "elsewhere" / "p.jpg")
    annotation(tmp_path / "set" / "gt_img_1.txt", f"{QUAD},x")
    (tmp_path / "set" / "gt_img_2.txt").mkdir()
    found = convert("icdar2015", tmp_path / "set", tmp_path)
    assert texts(found, tmp_path) == {"set/img_1.jpg": ["x"]}
    assert [(p.file.name, "cannot be read" in p.reason) for p in found.problems] == [("gt_img_2.txt", True)]


def test_mlt(tmp_path):
    picture(tmp_path / "img_1.jpg")
    annotation(tmp_path / "gt_img_1.txt", f"{QUAD},Latin,HELLO, you", f"{QUAD},None,###", f"{QUAD},Klingon,x")
    found = convert("mlt", tmp_path, tmp_path)
    assert texts(found, tmp_path) == {"img_1.jpg": ["HELLO, you", "###", "###"]}
    assert [(p.line, "'Klingon' is not one of MLT's scripts" in p.reason) for p in found.problems] == [(3, True)]


def test_mlt_2019_names_its_annotations_like_its_pictures(tmp_path):
    picture(tmp_path / "tr_img_1.jpg")
    annotation(tmp_path / "tr_img_1.txt", f"{QUAD},Symbols,+")
    assert texts(convert("mlt", tmp_path, tmp_path), tmp_path) == {"tr_img_1.jpg": ["+"]}


def test_scripts_are_not_taken_for_text(tmp_path):
    picture(tmp_path / "img_1.jpg")
    annotation(tmp_path / "gt_img_1.txt", f"{QUAD},Latin,HELLO", f"{QUAD},Latin,###", "1,2,3")
    with pytest.raises(PpedgeError, match=r"gt_img_1\.txt: a script.*Latin,HELLO.*--from mlt"):
        convert("icdar2015", tmp_path, tmp_path)
    annotation(tmp_path / "gt_img_1.txt", f"{QUAD},Latin,HELLO", f"{QUAD},LATIN")
    assert texts(convert("icdar2015", tmp_path, tmp_path), tmp_path) == {"img_1.jpg": ["Latin,HELLO", "LATIN"]}


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
    picture(tmp_path / "base" / f"{CCPD}.jpg", 400, 500)
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


def test_texts_that_a_label_file_cannot_hold_are_left_out(tmp_path):
    picture(tmp_path / "p.png")
    box = [[10, 10], [50, 10], [50, 30], [10, 30]]
    regions = [{"transcription": text, "points": box} for text in ("one", "a\nb", "a\tb", "a\rb")]
    (tmp_path / "l.txt").write_text(f"p.png\t{json.dumps(regions)}\n")
    assert write_crops(read_labels(tmp_path / "l.txt", tmp_path, "detection").samples, tmp_path / "out") == 1
    assert (tmp_path / "out" / "labels.txt").read_text() == "images/p_crop_0.png\tone\n"


def test_crops_are_named_after_their_pictures_and_stay_together_in_a_split(tmp_path):
    box = "[[10,10],[50,10],[50,30],[10,30]]"
    regions = ", ".join(f'{{"transcription": "{text}", "points": {box}}}' for text in "AB")
    long = "é" * 120  # 240 bytes
    names = ["a.png", "b/a.png", "a_1.png", f"{long}.png"]
    (tmp_path / "b").mkdir()
    for name in names:
        picture(tmp_path / name)
    (tmp_path / "l.txt").write_text("".join(f"{name}\t[{regions}]\n" for name in names))
    assert write_crops(read_labels(tmp_path / "l.txt", tmp_path, "detection").samples, tmp_path / "out") == 8
    lines = (tmp_path / "out" / "labels.txt").read_text().splitlines()
    expected = [f"{stem}_crop_{k}.png" for stem in ("a", "a_1", "a_1_1", "é" * 100) for k in (0, 1)]
    assert [line.split("\t")[0] for line in lines] == [f"images/{name}" for name in expected]
    parts = split(tmp_path / "out" / "labels.txt", tmp_path / "out", {"train": 0.5, "eval": 0.5, "test": 0}).parts
    for part in parts.values():
        stems = [line.split(b"_crop_")[0] for line in part.lines]
        assert len(stems) == 4 and stems[0] == stems[1] != stems[2] == stems[3]


def test_crops_of_nothing_leave_nothing(tmp_path):
    with pytest.raises(PpedgeError, match="no region"):
        write_crops([], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_real_ccpd_pictures(shared_data):
    found = convert("ccpd", shared_data / "data" / "ccpd", shared_data / "data" / "ccpd")
    assert len(found.lines) == 16 and not found.problems
