"""The real command line of slimming for ARM: killed in the middle, and asked for budgets."""

import json
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from courses import BoomError
from ppedge.cli.slim import app
from ppedge.errors import PpedgeError
from ppedge.models.flops import count_flops
from ppedge.progress import Reporter
from ppedge.recipe.io import as_written, load_recipe
from ppedge.runs import Run
from ppedge.slim import interruption
from ppedge.slim.arm.prices import Prices
from ppedge.slim.stage import run_slim
from ppedge.storage import write_json
from ppedge.train.loop import fit
from ppedge.train.stage import run_train

SHORT = {"epochs": 6, "batch_size": 2, "eval_every": 6, "checkpoint_every": 1}
ARM = {"samples": 4, "tolerance": 0.1, "neck_width": 8, "head_width": 8,
       "distill": SHORT}  # fmt: skip
ELSEWHERE = "--budget and --frontier are for pruning by arm. Add --prune arm."
SLIM = {"prune": {"method": "arm", "multiple": 4, "arm": ARM, "finetune": SHORT},
        "quant": {"method": "none", "samples": 2, "train": SHORT}}  # fmt: skip


@pytest.fixture(scope="module")
def trained(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("arm")
    value = {**as_written(examples["det"].recipe), "slim": SLIM}
    (folder / "recipe.yml").write_text(yaml.safe_dump(value))
    run = Run(folder / "run")
    run_train(load_recipe(folder / "recipe.yml"), run, device="cpu", reporter=Reporter(quiet=True))
    return run.path


def command(run, *options):
    return [sys.executable, "-m", "ppedge", "slim", str(run), "--device", "cpu", *options]


def outputs(run):
    """Bytes by name, but for logs, which tell times."""
    return {p.name: p.read_bytes() for p in (run / "slim").iterdir() if p.suffix not in (".jsonl", "") and
            p.name != "manifest.json"}  # fmt: skip


def kill_at(file, *command):
    """Run a command until a file is there, and kill it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not file.is_file():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_a_slim_stage_that_was_killed_twice_goes_on_to_the_same_bytes(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no runtime: nothing is counted
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for run in (whole, killed):
        shutil.copytree(trained, run)
    options = ("--quant", "pact")
    subprocess.run(command(whole, *options), check=True, capture_output=True)
    partial = killed / ".slim.partial"
    kill_at(partial / ".distil" / "last.ckpt", *command(killed, *options))
    refused = subprocess.run(command(killed, *options), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "an interrupted slimming lies there. Go on with --resume, or start anew with --force." in refused.stderr
    other = subprocess.run(
        command(killed, *options, "--resume", "--set", "slim.prune.multiple=8"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode == 2
    assert "findings.json: was written with other settings: slim.prune.multiple was 4 and is 8." in other.stderr
    kill_at(partial / ".QAT" / "last.ckpt", *command(killed, *options, "--resume"))
    assert not (killed / "slim").exists()
    done = subprocess.run(command(killed, *options, "--resume"), check=True, capture_output=True, text=True)
    assert "going on with the network that the interrupted slimming had ready" in done.stderr
    assert "QAT: going on after step" in done.stderr
    found = outputs(whole)
    names = "plan.json reduction.json quantization.json clips.json pruned.pdparams best.pdparams"
    assert set(names.split()) == set(found)
    assert outputs(killed) == found
    assert sorted(path.name for path in (killed / "slim").iterdir()) == sorted(
        p.name for p in (whole / "slim").iterdir()
    )
    metrics = [json.loads((run / "slim" / "manifest.json").read_text())["metrics"] for run in (whole, killed)]
    assert metrics[0] == metrics[1]
    assert not partial.exists()


@pytest.mark.parametrize(
    ("course", "changes"),
    [
        ("fine-tune", ["slim.prune.method=fpgm", "slim.prune.mode=flat"]),
        ("QAT", ["slim.prune.method=none", "slim.quant.method=pact"]),
    ],
)
def test_without_arm_it_goes_on_too_and_force_starts_anew(trained, tmp_path, monkeypatch, course, changes):
    runs = {}
    for name in ("whole", "resumed", "anew"):
        shutil.copytree(trained, tmp_path / name)
        runs[name] = Run(tmp_path / name)
    recipe = load_recipe(runs["whole"].recipe_path, changes)

    def slim(name, **options):
        said = []
        reporter = Reporter(quiet=True)
        reporter.say = said.append
        run_slim(recipe, runs[name], device="cpu", reporter=reporter, **options)
        return [line for line in said if "going on" in line or "starts anew" in line]

    def dying(whole_course):
        keep, steps = whole_course.trainee.after_step, []

        def after_step():
            keep()
            steps.append(0)
            if len(steps) == 4:
                raise BoomError

        whole_course.trainee.after_step = after_step
        return fit(whole_course)

    (line,) = slim("whole", resume=True)
    assert line.endswith("no interrupted slimming got as far as the pruned network: it starts anew")
    for name in ("resumed", "anew"):
        with monkeypatch.context() as patch, pytest.raises(BoomError):
            patch.setattr("ppedge.slim.context.fit", dying)
            slim(name)
        (runs[name].partial("slim") / "stray").touch()
    with pytest.raises(PpedgeError, match="an interrupted slimming lies there"):
        slim("resumed")
    other = recipe.model_copy(update={"seed": 8})
    with pytest.raises(
        PpedgeError, match=r"findings\.json: was written with other settings: seed was 7 and is 8\. Go on"
    ):
        run_slim(other, runs["resumed"], device="cpu", resume=True, reporter=Reporter(quiet=True))
    assert slim("resumed", resume=True)[1].startswith(f"{course}: going on after step 3 of ")
    assert slim("anew", force=True) == []
    for name in ("resumed", "anew"):
        assert outputs(runs[name].path) == outputs(runs["whole"].path)
        assert runs[name].manifest("slim")["metrics"] == runs["whole"].manifest("slim")["metrics"]
    assert not (runs["anew"].stage("slim") / "stray").exists()


@pytest.mark.slow
def test_a_budget_that_cannot_be_met_on_the_command_line(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    answer = subprocess.run(command(run, "--budget", "a53=0.01"), capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "The budget a53=0.010 cannot be met: the nearest point is a53=0." in answer.stderr
    assert "Traceback" not in answer.stderr and not (run / "slim").exists()


def test_five_budgets_that_can_be_met(trained, examples, monkeypatch):
    def price(net):
        macs = count_flops(net, examples["det"].shape)
        return Prices({"a53": {name: float(count) for name, count in macs.items()}}, {})

    monkeypatch.setattr("ppedge.cost.network.arm_pricer", lambda recipe: price)
    before = sorted(trained.rglob("*"))
    asked = [str(trained), "--device", "cpu", "--frontier"]
    points = json.loads(CliRunner().invoke(app, [*asked, "--json"], catch_exceptions=False).stdout)["frontier"]
    assert len(points) == 5
    assert [p["error"] for p in points] == sorted((p["error"] for p in points), reverse=True)
    lines = CliRunner().invoke(app, asked, catch_exceptions=False).stdout.splitlines()
    assert len(lines) == 5 and all(line.startswith('--budget "a53=0.') for line in lines)
    assert sorted(trained.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "a53"), "--budget a53: not a core and a share. Write --budget a53=0.35."),
        (("--budget", "a55=0.5"), "a55"),
        (("--budget", "a53=2"), "a53"),
        (
            ("--prune", "fpgm", "--budget", "a53=0.5"),
            ELSEWHERE,
        ),
        (("--prune", "none", "--frontier"), ELSEWHERE),
        (("--max-drop", "0.01", "--budget", "nb=0.5"), "budget, max_drop: set one of the two"),
    ],
)
def test_bad_budgets_are_sentences(trained, options, said):
    with pytest.raises(PpedgeError) as caught:
        CliRunner().invoke(app, [str(trained), *options], catch_exceptions=False)
    assert said in str(caught.value)


def test_what_was_kept_without_its_recipe_is_of_other_settings_all_the_same(tmp_path, monkeypatch):
    """Earlier versions kept no recipe beside it, so which key differs cannot be told."""
    monkeypatch.setattr(interruption, "_fingerprint", lambda *_: "now")
    path = tmp_path / interruption.STATE
    path.parent.mkdir(parents=True)
    write_json(path, {"of": "then", "metrics": {}, "outputs": [], "chosen_by": {}, "int8": None, "domain": None})
    stage = SimpleNamespace(folder=tmp_path, recipe=None, run=None)
    with pytest.raises(PpedgeError, match="findings.json: was written for another training.*start anew with --force"):
        interruption.kept_plan(stage)
