"""What messages are made of."""

from pathlib import Path

import pytest

import ppedge
from ppedge.errors import meant


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
