"""What messages are made of."""

import os
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

import ppedge
from ppedge.errors import meant, named_if_full
from ppedge.runs import Run
from ppedge.scratch import temporary
from ppedge.storage import atomic_write


@pytest.mark.parametrize(
    ("name", "asked"),
    [("plates_recc", "Did you mean plates_rec?"), ("nothing like it", ""), ("", ""), ("plates_rec" + "x" * 10**6, "")],
)
def test_the_nearest_name_is_asked_for(name, asked):
    assert meant(name, iter(["plates_det", "plates_rec"])) == asked


def test_how_near_is_near_can_be_said():
    assert meant("rate", ["learning_rate"]) == "" and meant("rate", ["learning_rate"], cutoff=0.4) != ""


def test_there_is_one_place_that_asks_what_was_meant():
    files = Path(ppedge.__file__).parent.rglob("*.py")
    assert [path.name for path in files if "get_close_matches" in path.read_text(encoding="utf-8")] == ["errors.py"]


def fill():
    """Write to a device that is always full; Python's error has no name, as of any file whose writing fails."""
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")


def name_of_error(*contexts):
    with pytest.raises(OSError, match="No space") as error, ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        fill()
    return error.value.filename


def test_a_full_disk_has_a_name(tmp_path, monkeypatch):
    run, file = tmp_path / "run", tmp_path / "run/best.pdparams"
    assert name_of_error() is None
    assert name_of_error(named_if_full(run)) == str(run)
    assert name_of_error(atomic_write(file)) == str(file)
    assert name_of_error(named_if_full(run, below=True), named_if_full(file)) == str(file), "the innermost knows best"
    assert name_of_error(named_if_full(run / "new", below=True)) is None, "there is room: another disk must be full"
    assert name_of_error(temporary(tmp_path, "x")) is None
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=3, f_frsize=4096))
    assert name_of_error(named_if_full(run / "new", below=True)) == str(run / "new")
    assert name_of_error(temporary(tmp_path, "x")) == str(tmp_path)
    assert name_of_error(Run(run).writing("convert")) == str(run)


def test_other_errors_and_names_stay_as_they_are():
    with pytest.raises(FileNotFoundError) as error, named_if_full(Path("a")):
        Path("nowhere/at/all").read_bytes()
    assert error.value.filename == "nowhere/at/all"
    with pytest.raises(OSError, match="odd") as error, named_if_full(Path("a")):
        raise OSError("odd")
    assert error.value.filename is None
