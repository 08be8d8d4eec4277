"""The worst samples on a run's page: which they are, and what is said of them."""

import json

import pytest

from ppedge.recipe.io import load_recipe
from ppedge.report.worst import worst
from ppedge.runs import Run
from test_report import text_of
from tiny_runs import draw, make_run

BAR = [[14, 14], [76, 14], [76, 36], [14, 36]]  # the first that `draw` draws, as wide as DB's boxes are offset
ELSEWHERE = [[14, 44], [76, 44], [76, 63], [14, 63]]


def run_of(tmp_path, task, lines, **options):
    data = tmp_path / "data"
    data.mkdir()
    draw(data / "a.png")
    draw(data / "b.png", bars=((20, 30, 20, 70), (50, 60, 20, 70)))
    (data / "val.txt").write_text("".join(f"{line}\n" for line in lines))
    return Run(make_run(tmp_path / "run", task, data=data, **options))


def section(run):
    return worst(load_recipe(run.recipe_path), run)


def read_as(marked):
    return f'<span class="read">{marked}</span>'


def regions(*quads, ignored=()):
    return json.dumps([{"transcription": "###" if q in ignored else "x", "points": q} for q in quads])


def test_regions_missed_and_boxes_that_are_none(tmp_path):
    lines = [f"a.png\t{regions(BAR)}", f"b.png\t{regions(BAR)}", f"a.png\t{regions(BAR, ELSEWHERE)}",
             f"b.png\t{regions(BAR, ELSEWHERE, ignored=[ELSEWHERE])}"]  # fmt: skip
    page = section(run_of(tmp_path, "det", lines))
    told = text_of(page)
    assert "Of 4 pictures, evenly spread over data.eval, by det.int8.onnx on this computer." in told
    assert "In 2 of them" in told and page.count("<img") == 2
    assert "val.txt:2: 1 found, 0 missed, 1 boxes that are none" in told
    assert "val.txt:3: 1 found, 1 missed, 0 boxes that are none" in told


def test_lines_furthest_from_their_labels_and_the_characters_taken_for_others(tmp_path):
    """The network reads 车b whatever the line is."""
    page = section(
        run_of(tmp_path, "rec", ["a.png\t车b", "a.png\t车", "b.png\ttotal", "a.png\t车 b"], precisions=("fp32",))
    )
    told = text_of(page)
    assert "by rec.fp32.onnx" in told and "3 are read wrong" in told
    assert told.index("val.txt:3") < told.index("val.txt:2") < told.index("val.txt:4")
    assert f"labelled {read_as('车<mark> </mark>b')}, read {read_as('车b')}" in page
    assert f"labelled {read_as('车')}, read {read_as('车<mark>b</mark>')}" in page
    assert "space nothing 1" in told and "nothing b 1" in told


def test_nothing_is_wrong(tmp_path):
    assert "All of them are read right." in text_of(section(run_of(tmp_path, "rec", ["a.png\t车b"])))
    (tmp_path / "two").mkdir()
    assert "All regions are found" in text_of(section(run_of(tmp_path / "two", "det", [f"a.png\t{regions(BAR)}"])))


def test_samples_that_cannot_be_read_are_a_sentence(tmp_path):
    run = run_of(tmp_path, "rec", ["a.png\t车b"])
    (tmp_path / "data" / "val.txt").unlink()
    told = text_of(section(run))
    assert "They cannot be shown:" in told and "val.txt: no such label file" in told


@pytest.mark.parametrize("task", ["det", "rec"])
def test_a_run_that_is_not_converted_has_none(tmp_path, task):
    run = Run(make_run(tmp_path / "run", task))
    (run.stage("convert") / "manifest.json").unlink()
    assert section(run) is None
