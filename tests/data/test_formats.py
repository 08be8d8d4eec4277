import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ppedge.data.formats import detection_line, read_all, read_labels, write_lines
from ppedge.data.labelled import Labels
from ppedge.data.lines import count_unusable, rec_samples_from_detection
from ppedge.errors import PpedgeError

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    cv2.imwrite(str(folder / "a.png"), np.zeros((20, 30, 3), np.uint8))
    return folder


def read(root: Path, data: bytes, kind: str) -> Labels:
    (root / "labels.txt").write_bytes(data)
    return read_labels(Path("labels.txt"), root, kind)


def region(text="x", points=SQUARE):
    return {"transcription": text, "points": points}


def test_good_lines_of_both_kinds(root):
    line = f"a.png\t{json.dumps([region('A b'), region('###'), region('*'), region('')])}"
    [sample] = read(root, line.encode(), "detection").samples
    assert sample.image == root / "a.png"
    assert sample.texts == ["A b", "###", "*", ""]
    assert sample.ignore == [False, True, True, False], "an empty transcription is text that nobody typed"
    assert sample.polygons[0].dtype == np.float32 and sample.polygons[0].tolist() == SQUARE
    assert sample.where == f"{root / 'labels.txt'}:1"

    labels = read(root, "\ufeffa.png\t京A 1\r\n\na.png\tzwei ".encode(), "recognition")
    assert not labels.problems
    assert [s.text for s in labels.samples] == ["京A 1", "zwei "]
    assert labels.samples[1].where.endswith(":3"), "an empty line is passed over, but counted"


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (" no tab", "no tab"),
        ("\t", "not JSON"),
        ("\t[", "not JSON"),
        ("\t" + "[" * 100_000, "not JSON"),  # deeper than the parser's stack
        ("\t{}", "not a list"),
        ("\t[1]", 'not an object with "transcription" and "points"'),
        ('\t[{"points": [[0,0],[1,0],[1,1],[0,1]]}]', "transcription"),
        ('\t[{"transcription": 7, "points": [[0,0],[1,0],[1,1],[0,1]]}]', "not a text"),
        ('\t[{"transcription": "\\ud800", "points": [[0,0],[1,0],[1,1],[0,1]]}]', "not Unicode"),
        ("\t" + json.dumps([region(points=SQUARE[:3])]), "3 points"),
        ("\t" + json.dumps([region(points=[[0, 0, 0]] * 4)]), "pairs of numbers"),
        ("\t" + json.dumps([region(points=[[0, "1"]] * 4)]), "pairs of numbers"),
        ("\t" + json.dumps([region(points=[[0, True]] * 4)]), "pairs of numbers"),
        ("\t" + json.dumps([region(points=5)]), "pairs of numbers"),
        ("\t" + json.dumps([region(points=[*SQUARE[:3], [0, float("nan")]])]), "not finite"),
        ("\t" + json.dumps([region(points=[*SQUARE[:3], [0, 10**400]])]), "not finite"),
        ("\t" + json.dumps([region(points=[*SQUARE[:3], [0, 1e30]])]), "absurdly large"),
        ("\t" + json.dumps([region(), region(points=[])]), "region 2: 0 points"),
    ],
)
def test_bad_detection_line(root, rest, reason):
    good = f"a.png\t{json.dumps([region()])}\n"
    labels = read(root, (good + "a.png" + rest).encode(), "detection")
    assert len(labels.samples) == 1, "the good line before it is kept"
    [problem] = labels.problems
    assert problem.line == 2
    assert reason in problem.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a.png", "no tab"),
        (b"a.png\t", "text is empty"),
        (b"a.png\t  ", "text is empty"),
        (b"a.png\tA\tB", "more than one tab"),
        (b"\tA", "no path"),
        (b"none.png\tA", "no such picture: none.png"),
        (b"x" * 5000 + b"\tA", "no such picture"),  # longer than a file's name may be
        (b"a\0.png\tA", "no such picture"),
        (b"a.png\t\xff", "not UTF-8"),
    ],
)
def test_bad_recognition_line(root, line, reason):
    [problem] = read(root, line, "recognition").problems
    assert reason in problem.reason
    assert str(problem).startswith(f"{root / 'labels.txt'}:1: ")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["detection", "recognition"]), st.booleans())
def test_any_bytes_become_labels(root, data, kind, named):
    labels = read(root, b"a.png\t" + data if named else data, kind)
    lines = [line for line in (b"a.png\t" + data if named else data).split(b"\n") if line.strip(b"\r")]
    assert len(labels.samples) + len(labels.problems) <= len(lines) + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["points", "transcription"]), inner),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_becomes_labels(root, value):
    labels = read(root, f"a.png\t{json.dumps(value)}".encode(), "detection")
    assert len(labels.samples) + len(labels.problems) == 1


def test_missing_file_and_folder_are_named(root, tmp_path):
    with pytest.raises(PpedgeError, match=r"nowhere\.txt: no such label file") as missing:
        read_labels(Path("nowhere.txt"), root, "detection")
    assert str(root.absolute()) in str(missing.value.hint)
    with pytest.raises(PpedgeError, match="gone: no such folder"):
        read_labels(Path("labels.txt"), tmp_path / "gone", "detection")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "tif"])
def test_a_picture_in_the_place_of_labels_is_told(root, suffix):
    Image.new("RGB", (9, 9)).save(root / f"one.{suffix}")
    (problem,) = read_labels(Path(f"one.{suffix}"), root, "detection").problems
    assert problem.reason.startswith("a picture, not a label file")
    (root / "BM.txt").write_text("BMW.png\tx\n")
    assert "no such picture: BMW.png" in read_labels(Path("BM.txt"), root, "recognition").problems[0].reason


def test_a_device_is_no_label_file(root):
    with pytest.raises(PpedgeError, match="/dev/zero: a device, not a label file"):
        read_labels(Path("/dev/zero"), root, "detection")


def test_several_files_are_read_as_one(root):
    (root / "one.txt").write_text("a.png\t1\n")
    (root / "two.txt").write_text("a.png\t2\nbad\n")
    labels = read_all([Path("one.txt"), Path("two.txt")], root, "recognition")
    assert [s.text for s in labels.samples] == ["1", "2"]
    assert [p.file.name for p in labels.problems] == ["two.txt"]


def test_marks_of_the_labelling_tool_are_kept(root):
    marked = [
        region("A") | {"difficult": False},
        region("GUESS") | {"difficult": True},
        region("B") | {"difficult": None, "key_cls": "None"},
        region("C") | {"difficult": 1},
        *(region(text) for text in ("待识别", "TEMPORARY", "###", "", "TEMPORARY ROAD")),
        region("thin", [[0, 0], [0.5, 0], [0.5, 9], [0, 9]]),
    ]
    [sample] = read(root, f"a.png\t{json.dumps(marked)}".encode(), "detection").samples
    assert sample.ignore == [False, True, False, True, True, True, True, False, False, False]
    assert [line.text for line in rec_samples_from_detection([sample])] == ["A", "B", "TEMPORARY ROAD"]
    assert count_unusable([sample]) == {
        "marked difficult": 2,
        "not read yet": 2,
        "marked ### or *": 1,
        "without a text": 1,
        "too thin to be cut out": 1,
    }


@pytest.mark.parametrize("difficult", ["true", 2, [], {}])
def test_a_mark_that_says_nothing_is_a_problem(root, difficult):
    [problem] = read(root, f"a.png\t{json.dumps([region() | {'difficult': difficult}])}".encode(), "detection").problems
    assert 'region 1: "difficult" is neither true nor false' in problem.reason


def test_written_lines_are_read_back(root):
    quad = np.array([[1.26, 2], [30, 2.5], [30, 15], [1, 15]], np.float32)
    write_lines(root / "out.txt", [detection_line("a.png", [quad], ['"é\\'])])
    [sample] = read_labels(Path("out.txt"), root, "detection").samples
    assert sample.texts == ['"é\\']
    np.testing.assert_allclose(sample.polygons[0], quad, atol=0.051)
