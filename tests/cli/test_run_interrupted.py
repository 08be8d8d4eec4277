"""Runs that are stopped, each by itself or in a suite, which waits for them; and what they repeat or need not begin."""

import signal
import subprocess
import sys

import pytest

SUITE = """
import sys
from ppedge.cli import main, run
from ppedge.signals import interrupt_on_signals
sys.executable = sys.argv[1]
interrupt_on_signals()
try:
    run._side_by_side(["one", "two"], [["a"], ["b"]])
except Exception as error:
    print(*main.explain(error))
"""
CHILD = """#!/bin/sh
trap 'echo kept what it had >&2; exit 130' TERM
echo begun >&2
while true; do sleep 0.1; done
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_suite_that_is_stopped_stops_its_runs_and_says_so(tmp_path, number):
    child = tmp_path / "child"
    child.write_text(CHILD)
    child.chmod(0o755)
    begin = f"import signal\nsignal.signal({int(signal.SIGINT)}, signal.default_int_handler)\n"
    suite = subprocess.Popen(
        [sys.executable, "-c", begin + SUITE, child], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = [suite.stderr.readline() for _ in range(2)]
    suite.send_signal(number)
    out, err = suite.communicate(timeout=60)
    assert sorted(lines) == ["one: begun\n", "two: begun\n"]
    assert sorted(err.splitlines()) == ["one: kept what it had", "two: kept what it had"]
    assert out == "Interrupted; the 2 runs have ended. Repeat the command. 130\n"


def test_what_a_run_says_of_an_interruption_names_no_option_that_it_lacks(tmp_path, monkeypatch):
    from ppedge import stages
    from ppedge.errors import Interrupted
    from ppedge.progress import Reporter
    from ppedge.runs import Run
    from small import tiny_recipe

    def stopped(*_, **__):
        raise Interrupted("Interrupted at step 1 of 2; last.ckpt is written.", "Go on with --resume.")

    monkeypatch.setattr(stages, "perform", stopped)
    given = {"device": "cpu", "skip_bad": False, "reporter": Reporter(quiet=True)}
    for force, hint in ((False, "Repeat the command: it goes on from there."), (True, "Repeat the command.")):
        with pytest.raises(Interrupted) as caught:
            stages.go_on(tiny_recipe("rec", tmp_path), Run(tmp_path / "run"), force=force, **given)
        assert str(caught.value) == f"Interrupted at step 1 of 2; last.ckpt is written. {hint}"


def test_a_run_that_could_not_write_its_nb_files_ends_before_it_trains(tmp_path, monkeypatch):
    from ppedge import stages
    from ppedge.convert import lite
    from ppedge.errors import MissingError
    from ppedge.progress import Reporter
    from ppedge.runs import Run
    from small import tiny_recipe

    def no_opt():
        raise MissingError("There is no opt here.")

    reached = []
    monkeypatch.setattr(lite, "opt_python", no_opt)
    monkeypatch.setattr(stages, "perform", lambda stage, *_, **__: reached.append(stage))
    given = {"device": "cpu", "skip_bad": False, "force": False, "reporter": Reporter(quiet=True)}
    with pytest.raises(MissingError, match="no opt here"):
        stages.go_on(tiny_recipe("rec", tmp_path), Run(tmp_path / "run"), **given)
    assert reached == []
    stages.go_on(tiny_recipe("rec", tmp_path, convert={"formats": ["onnx"]}), Run(tmp_path / "run"), **given)
    assert reached == ["train", "slim", "convert", "validate"]


def test_a_stage_is_repeated_whose_files_hold_something_else_now(tmp_path, monkeypatch, capsys):
    from ppedge import stages
    from ppedge.progress import Reporter
    from ppedge.recipe.io import save
    from ppedge.runs import RECIPE, Run
    from small import tiny_recipe

    labels, other = tmp_path / "train.txt", tmp_path / "val.txt"
    done = []

    def perform(stage, recipe, run, *, force, **_):
        done.append(stage)
        with run.writing(stage, force=force) as folder:
            save(recipe, folder / RECIPE)
            before = {"slim": "train", "convert": "slim", "validate": "convert"}.get(stage)
            inputs = {"train": [labels, other], "validate": [other]}.get(stage, [])
            run.write_manifest(folder, stage, outputs=[RECIPE], inputs=inputs, parent=before)

    monkeypatch.setattr(stages, "perform", perform)
    recipe, run = tiny_recipe("rec", tmp_path, convert={"formats": ["onnx"]}), Run(tmp_path / "run")
    given = {"device": "cpu", "force": False, "skip_bad": False}
    for path in (labels, other):
        path.write_text("a.png\tone\n")
    told = []
    for change in (lambda: None, lambda: labels.write_text("a.png\tone\n"), lambda: labels.write_text("a.png\ttwo\n"),
                   labels.unlink):  # fmt: skip
        change()
        done.clear()
        stages.go_on(recipe, run, reporter=Reporter(), **given)
        told.append((list(done), f"{labels}: has changed since the stage train read it" in capsys.readouterr().err))
    every = list(recipe.stages)
    assert told == [(every, False), ([], False), (every, True), ([], False)]
