import json

import pytest
from typer.testing import CliRunner

from ppedge.cli.data import app
from ppedge.errors import PpedgeError


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def words(tmp_path):
    assert run("synth", "words", "--out", tmp_path / "w", "--train", 3, "--eval", 1).exit_code == 0
    return tmp_path / "w"


def test_check_of_clean_data(words):
    result = run("check", words / "train.txt", words / "val.txt", "--kind", "recognition", "--charset", "en_number")
    assert result.exit_code == 0
    assert "4 labels, 4 pictures" in result.output and "0 problems" in result.output


def test_check_lists_every_problem_and_ends_with_2(words):
    (words / "images" / "train_000001.jpg").write_bytes(b"")
    with (words / "train.txt").open("a") as file:
        file.write("no tab here\nnone.jpg\tX\n")
    result = run("check", words / "train.txt", "--kind", "recognition")
    assert result.exit_code == 2
    parts = ("train.txt:2: ", "the file is empty", "train.txt:4: no tab", "train.txt:5: no such picture", "3 problems")
    for part in parts:
        assert part in result.output
    report = json.loads(run("check", words / "train.txt", "--kind", "recognition", "--json").output)
    assert [p["line"] for p in report["problems"]] == [2, 4, 5] and report["pictures"] == 2


def test_scenes_become_crops(tmp_path):
    assert (
        run("synth", "scenes", "--content", "plates", "--out", tmp_path / "s", "--train", 2, "--eval", 0).exit_code == 0
    )
    result = run("crops", tmp_path / "s" / "train.txt", "--out", tmp_path / "c")
    assert result.exit_code == 0, result.output
    result = run("check", tmp_path / "c" / "labels.txt", "--kind", "recognition", "--charset", "plates")
    assert result.exit_code == 0 and "outside" not in result.output


def test_convert_writes_nothing_unless_all_is_well(tmp_path):
    (tmp_path / "odd.jpg").write_bytes(b"x")
    name = "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15.jpg"
    (tmp_path / name).write_bytes(b"x")
    out = tmp_path / "labels.txt"
    result = run("convert", tmp_path, "--from", "ccpd", "--out", out)
    assert isinstance(result.exception, PpedgeError) and "1 problems" in str(result.exception)
    assert "odd.jpg:1: " in result.output and not out.exists()
    assert run("convert", tmp_path, "--from", "ccpd", "--out", out, "--skip-bad").exit_code == 0
    assert out.read_text().count("\n") == 1
