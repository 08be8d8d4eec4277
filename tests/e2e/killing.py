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
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ppedge.runs import RESUMED_FROM, STAGES, sha256
from small import make_data, recipe_dict

PR_SET_CHILD_SUBREAPER = 36  # of <linux/prctl.h>: orphans become children of this process
SECONDS_TO_END = 60
SHORT = {"epochs": 1, "max_steps": 3, "batch_size": 4, "learning_rate": 1e-3}
SLIM = {
    "prune": {"ratios": [0.5], "samples": 2, "target_flops": 0.7, "max_drop": 1.0, "finetune": SHORT},
    "quant": {"samples": 4, "train": SHORT},
}
SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT}
COMMANDS = {
    "train": ["train", "rec.yml", "--out", "rec", "--force"],
    "slim": ["slim", "rec", "--force"],
    "convert": ["convert", "rec", "--force"],
    "validate": ["validate", "rec", "--force"],
    "run": ["run", "rec.yml", "--out", "rec", "--force"],
    "synth": ["data", "synth", "scenes", "--out", "made", "--train", "40", "--eval", "5"],
    "bundle": ["bundle", "det", "rec", "--out", "made", "--onnx", "--force"],
    "ocr": ["ocr", "--det", "det", "--rec", "rec", "--engine", "arm-onnxruntime", "--draw", "made", "page.jpg"],
}


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
        """Take a tiny recogniser through all stages, and a detector as far as the commands need it."""
        base = cls(folder)
        validate = {"limit": 1, "workers": 1, "gates": {"max_metric_drop": None}}
        train = {"workers": 2, "epochs": 3}
        for task in ("rec", "det") if {"bundle", "ocr"} & set(commands) else ("rec",):
            recipe = recipe_dict(task, make_data(task, folder / "data"), train=train, slim=SLIM, validate=validate)
            (folder / f"{task}.yml").write_text(yaml.safe_dump(recipe))
        steps = [["train", "rec.yml", "--out", "rec"], ["slim", "rec"], ["convert", "rec"], ["validate", "rec"]]
        if (folder / "det.yml").is_file():
            shutil.copyfile(next((folder / "data/det/images").glob("eval*")), folder / "page.jpg")
            steps += [["train", "det.yml", "--out", "det"], ["convert", "det"]]
        for step in [*steps, *(COMMANDS[name] for name in commands if name not in (*STAGES, "run"))]:
            began = time.monotonic()
            done = ppedge(folder, step)
            assert done.returncode == 0, done.stderr
            name = next((name for name, command in COMMANDS.items() if command[0] == step[0]), "synth")
            base.seconds.setdefault(name, time.monotonic() - began)
            if "made" in step:
                shutil.rmtree(folder / "made")
        base.seconds["run"] = sum(base.seconds[name] for name in STAGES)
        return base


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
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    others, shared = children(), set(os.listdir("/dev/shm"))
    code, words = stopped(one, folder)
    wrong = [*misbehaved(one, code, words), *damaged(folder), *orphans(others)]
    done = ppedge(folder, next_command(one, folder, code))
    if done.returncode != 0:
        wrong.append(f"the next command ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    wrong += [*damaged(folder), *left_over(folder)]
    wrong += [f"/dev/shm/{name} was left" for name in sorted(set(os.listdir("/dev/shm")) - shared)]
    shutil.rmtree(folder)
    return wrong


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
            wrong.append(f"it printed {bad}: {words.strip()[-600:]}")
    # 0: it was done before. The signal itself: it came before Python had begun with ppedge.
    young = code == -SIGNALS[one.how] and not words
    if one.how != "KILL" and code not in (0, 130) and not young:
        wrong.append(f"its exit code is {code}: {words.strip()[-600:]}")
    last = (words.strip().splitlines() or [""])[-1]
    if code == 130 and not last.startswith("ppedge: Interrupted"):
        wrong.append(f"its last words are: {last}")
    return wrong


def damaged(folder: Path) -> list[str]:
    """Say what of the finished stages is not as its manifest has it."""
    wrong = []
    for run in ("rec", "det"):
        for stage in STAGES if run == "rec" else ():
            manifest = folder / run / stage / "manifest.json"
            if not manifest.is_file() and not (folder / run / f".{stage}.old/manifest.json").is_file():
                wrong.append(f"{run}/{stage} is gone")
            elif manifest.is_file():
                wrong += [
                    f"{run}/{stage}/{entry['path']} is not as its manifest has it"
                    for entry in json.loads(manifest.read_text())["outputs"]
                    if sha256(manifest.parent / entry["path"]) != entry["sha256"]
                ]
    return wrong


def next_command(one: Try, folder: Path, code: int) -> list[str]:
    """Return what a person would type next."""
    command = COMMANDS[one.command]
    if one.command == "run":
        return [word for word in command if word != "--force"]
    kept = RESUMED_FROM.get(one.command)
    if kept and (folder / "rec" / f".{one.command}.partial" / kept).is_file():
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
