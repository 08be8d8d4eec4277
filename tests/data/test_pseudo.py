import os

import cv2
import numpy as np
import pytest

from ppedge.data.formats import read_labels, write_lines
from ppedge.data.pseudo import pseudo_label
from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.ctc import Text

SCORES = {"b/2.png": 0.95, "b/10.png": 0.9, "a.jpg": 0.899, "c.png": 0.99}


class Reader:
    """Reads of each picture its width, with the score that belongs to it."""

    def __init__(self, texts=None):
        self.texts = texts or {}

    def __call__(self, crops):
        [crop] = crops
        name = list(SCORES)[crop.shape[1] - 20]
        return [Text(self.texts.get(name, name.upper()), SCORES[name])]


@pytest.fixture
def lines(tmp_path):
    folder = tmp_path / "set" / "lines"
    (folder / "b").mkdir(parents=True)
    for number, name in enumerate(SCORES):
        cv2.imwrite(str(folder / name), np.zeros((10, 20 + number, 3), np.uint8))
    return folder


def test_what_is_read_surely_enough_becomes_a_label(lines):
    found = pseudo_label(lines, Reader(), 0.9)
    assert found.lines == ["b/10.png\tB/10.PNG", "b/2.png\tB/2.PNG", "c.png\tC.PNG"], "in the order of their paths"
    assert (found.unsure, found.best, found.empty, found.problems) == (1, 0.899, 0, [])


def test_what_is_written_is_read_again(lines):
    write_lines(lines / "labels.txt", pseudo_label(lines, Reader({"c.png": " with  spaces "}), 0.9).lines)
    labels = read_labels(lines / "labels.txt", lines, "recognition")
    assert labels.problems == [] and [sample.text for sample in labels.samples][2] == " with  spaces "


def test_names_are_relative_to_the_root(lines):
    assert pseudo_label(lines, Reader(), 0.96, lines.parent).lines == ["lines/c.png\tC.PNG"]
    with pytest.raises(PpedgeError, match="does not lie below"):
        pseudo_label(lines, Reader(), 0.96, lines / "b")


def test_pictures_without_text_are_counted(lines):
    found = pseudo_label(lines, Reader({"c.png": "", "b/2.png": " "}), 0.0)
    assert found.empty == 2 and len(found.lines) == 2


def test_what_cannot_be_used_is_told_and_left_out(lines):
    (lines / "broken.png").write_bytes(b"\x89PNG")
    for name in (b"tab\there.png", b"line\nbreak.png", b"latin\xe9.png"):
        (lines / os.fsdecode(name)).write_bytes((lines / "c.png").read_bytes())
    found = pseudo_label(lines, Reader(), 0.9)
    assert len(found.lines) == 3
    assert sorted(problem.rpartition("/")[2][:7] for problem in found.problems) == [
        "broken.", "latin\udce9.", "line\nbr", "tab\ther",
    ]  # fmt: skip
    assert all(problem.startswith(str(lines)) for problem in found.problems)


def test_folders_without_pictures(tmp_path):
    with pytest.raises(PpedgeError, match="no such folder"):
        pseudo_label(tmp_path / "none", Reader(), 0.9)
    with pytest.raises(PpedgeError, match="without pictures"):
        pseudo_label(tmp_path, Reader(), 0.9)


@pytest.mark.parametrize("kind", [PpedgeError, MissingError])
def test_a_reader_that_fails_ends_it_with_the_name_of_the_picture(lines, kind):
    def reader(crops):
        raise kind("it failed.", "Mend it.")

    with pytest.raises(kind, match=r"a.jpg: it failed"):
        pseudo_label(lines, reader, 0.9)


def test_progress_counts_all_pictures(lines):
    told = []
    pseudo_label(lines, Reader(), 0.9, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
