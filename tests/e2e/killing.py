"""Stages that are stopped from outside at any moment, and what must be true afterwards."""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ppedge.runs import STAGES, Run
from ppedge.storage import sha256
from small import make_data, recipe_dict

PR_SET_CHILD_SUBREAPER = 36  # of <linux/prctl.h>
SECONDS_TO_END = 60
SHORT = {"epochs": 1, "max_steps": 3, "batch_size": 4, "learning_rate": 1e-3}
SLIM = {
    "prune": {"ratios": [0.5], "samples": 2, "target_flops": 0.7, "max_drop": 1.0, "finetune": SHORT},
    "quant": {"samples": 4, "train": SHORT},
}
CML = {
    "peers": {"twin": {"model": "same"}, "teacher": {"frozen": True, "batch_statistics": True}},
    "losses": [
        {"name": "DB"},
        {"name": "Dilated", "from": "teacher", "to": ["net", "twin"]},
        {"name": "DML", "between": ["net", "twin"], "at": "maps"},
    ],
}
SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT}
COMMANDS = {
    "train": ["train", "rec.yml", "--out", "rec", "--force"],
    "cml": ["train", "cml.yml", "--out", "cml", "--force"],
    "slim": ["slim", "rec", "--force"],
    "convert": ["convert", "rec", "--force"],
    "validate": ["validate", "rec", "--force"],
    "run": ["run", "rec.yml", "--out", "rec", "--force"],
    "synth": ["data", "synth", "scenes", "--out", "made", "--train", "40", "--eval", "5"],
    "bundle": ["bundle", "det", "rec", "--out", "made", "--onnx", "--force"],
    "ocr": ["ocr", "--det", "det", "--rec", "rec", "--engine", "arm-onnxruntime", "--draw", "made", "page.jpg"],
}
TRAINED = {"train": "rec", "cml": "cml"}
"""By command: the run that it trains."""


@dataclass
class Base:
    """Finished runs that are copied for each try.

    Attributes:
        folder: Holds the runs ``rec`` and, if asked for, ``det``, and their recipes.
        seconds: How long each command takes here when it is left alone.
    """

    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, commands: list[str]) -> Base:
        """Take a tiny recogniser, and a detector if the commands need one, as far as the commands need them."""
        base = cls(folder)
        steps = [["train", "rec.yml", "--out", "rec"]]
        steps += [[name, "rec"] for name in STAGES[1:] if {name, "run", "bundle", "ocr"} & set(commands)]
        base._write("rec", "rec")
        if "cml" in commands:
            base._write("cml", "det", **CML)
        if {"bundle", "ocr"} & set(commands):
            base._write("det", "det")
            shutil.copyfile(next((folder / "data/det/det/images").glob("eval*")), folder / "page.jpg")
            steps += [["train", "det.yml", "--out", "det"], ["convert", "det"]]
        steps += [COMMANDS[name] for name in commands if name not in (*STAGES, "run")]
        for step in steps:
            began = time.monotonic()
            done = ppedge(folder, step)
            assert done.returncode == 0, done.stderr
            for name, command in COMMANDS.items():
                if command[:2] == step[:2]:
                    base.seconds[name] = time.monotonic() - began
            if "made" in step:
                shutil.rmtree(folder / "made")
        base.seconds["run"] = sum(base.seconds.get(name, 0.0) for name in STAGES)
        return base

    def _write(self, name: str, task: str, **more: Any) -> None:
        """Write a recipe, with more for its training, and make its data."""
        validate = {"limit": 1, "workers": 1, "gates": {"max_metric_drop": None}}
        train = {"workers": 2, "epochs": 3, **more}
        data = make_data(task, self.folder / "data" / name)
        recipe = recipe_dict(task, data, train=train, slim=SLIM, validate=validate)
        (self.folder / f"{name}.yml").write_text(yaml.safe_dump(recipe))


@dataclass(frozen=True)
class Try:
    """One command, stopped once.

    Attributes:
        command: Of `COMMANDS`.
        how: Of `SIGNALS`.
        moment: Seconds after its start.
        group: Send the signal to the whole process group, as a terminal and ``timeout`` do.
    """

    command: str
    how: str
    moment: float
    group: bool

    @classmethod
    def draw(cls, rng: random.Random, base: Base, commands: list[str]) -> Try:
        """Draw a try at any moment of a command's course."""
        command, how = rng.choice(commands), rng.choice(list(SIGNALS))
        return cls(command, how, rng.uniform(0.0, base.seconds[command]), how != "KILL" and rng.random() < 0.5)


def ppedge(folder: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "ppedge", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False, env=environment(folder)
    )


def environment(folder: Path) -> dict[str, str]:
    """Return this process's environment, with a folder for temporary files that nobody else uses."""
    (folder / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder / "tmp")}


def attempt(base: Base, one: Try, folder: Path) -> list[str]:
    """Stop a command on a copy of the runs, and repeat it; return what is wrong, in sentences.

    Args:
        base: The finished runs.
        one: What is stopped, how and when.
        folder: For the copy; must not exist.
    """
    shutil.copytree(base.folder, folder)
    with adopting_orphans():
        others = children()
        code, words = stopped(one, folder)
        wrong = [*misbehaved(one, code, words), *damaged(base, folder), *orphans(others)]
    done = ppedge(folder, next_command(one, folder, code))
    if done.returncode != 0:
        wrong.append(f"the next command ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    wrong += [*damaged(base, folder), *unlike(base, one, folder), *left_over(folder)]
    shutil.rmtree(folder)
    return wrong


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Let orphans become children of this process for the block, which must reap them; later tests do not."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0)


def stopped(one: Try, folder: Path) -> tuple[int, str]:
    """Start the command, stop it, and return its exit code and what it wrote to stderr."""
    with (folder / "tmp.err").open("w+") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "ppedge", *COMMANDS[one.command]],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
            env=environment(folder),
        )
        try:
            process.wait(one.moment)
        except subprocess.TimeoutExpired:
            (os.killpg if one.group else os.kill)(process.pid, SIGNALS[one.how])
        try:
            code = process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = -1000
        words.seek(0)
        told = words.read()
    (folder / "tmp.err").unlink()
    return code, told


def misbehaved(one: Try, code: int, words: str) -> list[str]:
    """Say what is wrong with the end of a command that was stopped."""
    wrong = []
    if code == -1000:
        return [f"it did not end within {SECONDS_TO_END} s"]
    for bad in ("Traceback", "FatalError", "C++", "Exception ignored"):
        if bad in words:
            wrong.append(f"it printed {bad}: {words.strip()}")
    # 0: it was done before. The signal itself: it came before Python had begun with ppedge.
    young = code == -SIGNALS[one.how] and not words
    if one.how != "KILL" and code not in (0, 130) and not young:
        wrong.append(f"its exit code is {code}: {words.strip()}")
    last = (words.strip().splitlines() or [""])[-1]
    if code == 130 and not last.startswith("ppedge: Interrupted"):
        wrong.append(f"its last words are: {last}")
    return wrong


def damaged(base: Base, folder: Path) -> list[str]:
    """Say what of the stages that were finished before is not as its manifest has it."""
    wrong = []
    for finished in base.folder.glob("*/*/manifest.json"):
        manifest = folder / finished.relative_to(base.folder)
        stage = manifest.parent
        if not manifest.is_file() and not (stage.with_name(f".{stage.name}.old") / manifest.name).is_file():
            wrong.append(f"{stage} is gone")
        elif manifest.is_file():
            wrong += [
                f"{stage / entry['path']} is not as its manifest has it"
                for entry in json.loads(manifest.read_text())["outputs"]
                if sha256(stage / entry["path"]) != entry["sha256"]
            ]
    return wrong


def unlike(base: Base, one: Try, folder: Path) -> list[str]:
    """Say whether a training that was stopped has ended otherwise than one that nobody stopped."""
    if one.command not in TRAINED:
        return []
    weights = Path(TRAINED[one.command], "train", "best.pdparams")
    same = (folder / weights).is_file() and sha256(base.folder / weights) == sha256(folder / weights)
    return [] if same else [f"{weights} is not that of a training that nobody stopped"]


def next_command(one: Try, folder: Path, code: int) -> list[str]:
    """Return what a person would type next."""
    command = COMMANDS[one.command]
    if one.command == "run":
        return [word for word in command if word != "--force"]
    if Run(folder / TRAINED.get(one.command, "rec")).interrupted(command[0]):
        return ["--resume" if word == "--force" else word for word in command]
    if one.command == "synth" and (folder / "made").exists():
        return ["data", "check", "made/train.txt"]
    return command


def children() -> set[int]:
    """Return the numbers of this process's children, orphans that it has been given among them."""
    listed = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    return {int(number) for numbers in listed for number in numbers}


def orphans(others: set[int], seconds: float = 5.0) -> list[str]:
    """Wait for the processes that a command has started to end; say which do not."""
    deadline = time.monotonic() + seconds
    while left := children() - others:
        for number in left:
            os.waitpid(number, os.WNOHANG)
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    told = [f"a child was left: {Path(f'/proc/{number}/cmdline').read_text()[:200]!r}" for number in left]
    for number in left:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
    return told


def left_over(folder: Path) -> list[str]:
    """Say what hidden and temporary files lie about."""
    hidden = [path for path in folder.rglob(".*") if path.suffix != ".lock"]
    return [f"{path.relative_to(folder)} was left" for path in (*hidden, *(folder / "tmp").iterdir())]
