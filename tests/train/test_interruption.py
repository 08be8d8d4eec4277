"""The real command line, stopped from outside."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from ppedge.models.weights import read_pdparams
from ppedge.storage import sha256
from small import recipe_dict

PPEDGE = [sys.executable, "-m", "ppedge"]


@pytest.fixture(scope="module")
def recipe(det_data, tmp_path_factory):
    """Twelve steps, two workers, evaluated at the end alone: the best weights are the last."""
    train = {**recipe_dict("det", det_data)["train"], "epochs": 4, "eval_every": 9, "workers": 2}
    path = tmp_path_factory.mktemp("recipe") / "tiny.yml"
    path.write_text(yaml.safe_dump(recipe_dict("det", det_data, train=train)))
    return path


def start(recipe, run, *arguments):
    """Start training in a process group of its own."""
    command = [*PPEDGE, "train", str(recipe), "--out", str(run), "--device", "cpu", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_steps(process, run, steps):
    """Wait until the log tells of so many steps."""
    log = run / ".train.partial" / "metrics.jsonl"
    while process.poll() is None:
        if log.is_file() and log.read_text().count("\n") >= steps:
            return
        time.sleep(0.01)
    raise AssertionError(f"ended early: {process.communicate()}")


def wait_for_group_end(process, seconds=20):
    """Workers whose parent was killed must not stay behind."""
    for _ in range(seconds * 10):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError("workers were left behind")


def weights(run):
    state = read_pdparams(run / "train" / "last.ckpt")
    return {name: value.tobytes() for name, value in state.items() if name != "position/metrics_bytes"}


def run_to_end(recipe, run, *arguments):
    process = start(recipe, run, *arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, err


@pytest.mark.slow
def test_three_kills_change_no_byte(recipe, tmp_path):
    run_to_end(recipe, tmp_path / "whole", "--set", "train.workers=0")
    run = tmp_path / "killed"
    for number, steps in enumerate((1, 5, 9)):
        process = start(recipe, run, *(["--resume"] if number else []))
        wait_for_steps(process, run, steps)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        wait_for_group_end(process)
        assert not (run / "train").exists()
    run_to_end(recipe, run, "--resume")
    assert sha256(run / "train/best.pdparams") == sha256(tmp_path / "whole/train/best.pdparams")
    assert weights(run) == weights(tmp_path / "whole")
    steps = [json.loads(line)["step"] for line in (run / "train/metrics.jsonl").read_text().splitlines()]
    assert steps == [*range(1, 13), 12]
    assert not (run / ".train.partial").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_workers_too_and_leaves_a_checkpoint(recipe, tmp_path, number):
    """A terminal sends SIGINT to the whole group, and `timeout` SIGTERM."""
    run = tmp_path / "run"
    process = start(recipe, run)
    wait_for_steps(process, run, 2)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Go on with --resume." in err.splitlines()[-1]
    wait_for_group_end(process)
    assert (run / ".train.partial/last.ckpt").is_file()
    refused = subprocess.run([*PPEDGE, "train", recipe, "--out", run], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "Go on with --resume, or start anew with --force." in refused.stderr


@pytest.mark.slow
def test_two_processes(recipe, tmp_path):
    run = tmp_path / "run"
    run_to_end(recipe, run, "--nproc", "2", "--set", "train.workers=0", "--set", "train.epochs=2")
    manifest = json.loads((run / "train/manifest.json").read_text())
    assert manifest["steps"] == 2  # six pictures, two a step in each of two processes: one step an epoch
    assert {entry["path"] for entry in manifest["outputs"]} >= {"best.pdparams", "last.ckpt", "metrics.jsonl"}
    assert sha256(run / "train/best.pdparams") in {entry["sha256"] for entry in manifest["outputs"]}
    assert {path.name for path in run.iterdir() if path.suffix != ".lock"} <= {"logs", "recipe.yml", "train"}
    # Paddle's launcher writes the environment down, tokens included; a run's folder is for showing around.
    assert sorted(path.name for path in (run / "logs").iterdir()) == ["workerlog.0", "workerlog.1"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_processes_stopped_go_on_later(recipe, tmp_path, number):
    """SIGINT goes to the whole group, SIGTERM to the one process that a person or scheduler knows of."""
    run = tmp_path / "run"
    options = ["--nproc", "2", "--set", "train.workers=0", "--set", "train.epochs=300"]
    process = start(recipe, run, *options)
    wait_for_steps(process, run, 3)
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "ppedge: Interrupted; 2 processes have ended. Go on with --resume."
    assert (run / ".train.partial/last.ckpt").is_file()
    assert not (run / "train").exists()


@pytest.mark.slow
def test_two_processes_with_bad_data_end_in_a_sentence(recipe, tmp_path):
    process = start(recipe, tmp_path / "run", "--nproc", "2", "--set", "data.train=[nothing.txt]")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2, err
    assert "nothing.txt" in err
    assert err.splitlines()[-1].startswith("ppedge: One of 2 processes ended with exit code")
    assert "Traceback" not in err
