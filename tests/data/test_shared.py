"""Pictures that teach and measure are told, under whatever name."""

import shutil

import pytest

from ppedge.data import shared
from ppedge.data.labelled import RecSample
from ppedge.data.shared import say_shared


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(bytes([number]) * (100 + number // 2))
    return tmp_path


@pytest.fixture
def told(folder):
    """Say what pictures of the folder share, by their names."""

    def told(measured, learned):
        lines = []
        samples = [RecSample(folder / name, "a", f"test.txt:{line}") for line, name in enumerate(measured, 1)]
        say_shared(lines.append, "test", samples, [str(folder / name) for name in learned])
        return lines

    return told


def test_pictures_of_their_own_are_not_told(told):
    assert told(["0.jpg", "2.jpg"], ["1.jpg", "3.jpg", "4.jpg", "not-there.jpg"]) == []
    assert told([], ["0.jpg"]) == []


def test_the_same_path_written_otherwise(told, folder):
    [line] = told(["0.jpg", "1.jpg", "2.jpg"], [f"../{folder.name}/1.jpg", "2.jpg", "2.jpg"])
    assert line.startswith("note: 2 of 3 pictures of data.test are among those that the network learns from: ")


def test_the_same_bytes_under_another_name(told, folder):
    shutil.copyfile(folder / "0.jpg", folder / "copy.jpg")
    shutil.copyfile(folder / "0.jpg", folder / "again.jpg")
    (folder / "link.jpg").symlink_to(folder / "2.jpg")
    [line] = told(["0.jpg", "2.jpg", "4.jpg", "1.jpg"], ["copy.jpg", "again.jpg", "link.jpg", "4.jpg", "3.jpg"])
    assert line.startswith("note: 3 of 4 pictures of data.test are among those that the network learns from (2 under ")


@pytest.mark.parametrize(("limit", "value"), [("MOST_PICTURES", 2), ("MOST_BYTES", 150)])
def test_where_the_search_for_copies_ends_is_told(told, folder, monkeypatch, limit, value):
    monkeypatch.setattr(shared, limit, value)
    shutil.copyfile(folder / "0.jpg", folder / "copy.jpg")
    found, end = told(["0.jpg"], ["copy.jpg", "2.jpg", "1.jpg", "0.jpg"])
    assert found.startswith("note: 1 of 1 pictures")
    assert end.endswith(f"was asked of {2 if limit == 'MOST_PICTURES' else 1} of these alone")


def test_only_pictures_of_one_size_are_read(told, folder, monkeypatch):
    read = []
    monkeypatch.setattr(shared, "sha256", lambda path: read.append(path.name) or path.name)
    assert told(["0.jpg", "2.jpg"], ["1.jpg", "4.jpg", "5.jpg"]) == []
    assert sorted(read) == ["0.jpg", "1.jpg"]


def test_a_picture_that_cannot_be_read_is_no_copy(told, folder):
    (folder / "0.jpg").unlink()
    (folder / "0.jpg").mkdir()
    (folder / "other").mkdir()
    assert told(["0.jpg"], ["other"]) == []
