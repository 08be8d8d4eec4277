"""How training grows with its label file: time to the end of the first step (wall, processor), and memory.

Memory is what is taken over that of a training with few lines. Lines are synthetic and name few pictures again and
again, with ``--names`` by names of their own (hard links). Each size is trained for one step, twice, each time in a
process of its own: the first may make what the second finds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ppedge.data.synth import generate
from ppedge.scratch import scratch

PICTURES = 64
BASE = 200
"""Lines of the training that memory is compared with."""
KINDS = {"rec": ("words", (10_000, 100_000, 1_000_000)), "det": ("scenes", (1_000, 10_000, 100_000))}
RECIPE = {
    "rec": {
        "data": {"charset": "ascii"},
        "model": {
            "backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.35, "small_stride": [1, 2, 2, 2]},
            "neck": {"name": "SequenceEncoder", "hidden_size": 8},
            "head": {"name": "CTCHead"},
        },
    },
    "det": {
        "data": {},
        "model": {
            "backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.35},
            "neck": {"name": "DBFPN", "out_channels": 24},
            "head": {"name": "DBHead"},
        },
    },
}


def peak() -> int:
    """Return the largest memory that this process had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def first_step(recipe_file: Path, folder: Path) -> None:
    """Train until the first step is done, print what that took, and end."""
    began = time.monotonic()
    import paddle  # noqa: F401

    from ppedge.progress import Reporter
    from ppedge.recipe.io import load_recipe
    from ppedge.runs import Run
    from ppedge.train import loop
    from ppedge.train.stage import run_train

    def told(*_: object) -> None:
        used = sum(os.times()[:2])  # of the processes that load there is none to wait for yet
        print(json.dumps({"wall": time.monotonic() - began, "processor": used, "bytes": peak()}), flush=True)
        os._exit(0)

    loop._Fit._log_step = told  # type: ignore[method-assign]
    run_train(load_recipe(recipe_file), Run(folder), device="cpu", force=True, reporter=Reporter())


def measured(recipe: Path, folder: Path) -> dict[str, float]:
    """Return what a training's first step took: seconds of wall and of processor time, bytes of memory."""
    command = [sys.executable, __file__, "--first-step", recipe, folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def prepare(task: str, folder: Path, lines: int, names: bool) -> Path:
    """Write a label file of so many lines and a recipe that trains on it."""
    samples = [line.split("\t") for line in (folder / "train.txt").read_text(encoding="utf-8").splitlines()]
    if names:
        for number in range(lines):
            linked = folder / "links" / str(number // 10_000) / f"{number}.jpg"
            linked.parent.mkdir(parents=True, exist_ok=True)
            if not linked.exists():
                os.link(folder / samples[number % PICTURES][0], linked)
    with (folder / f"{lines}.txt").open("w", encoding="utf-8") as file:
        rng = np.random.default_rng(lines)
        for number in range(lines):
            name, label = samples[number % PICTURES]
            if task == "rec":
                label = "".join(map(chr, rng.integers(33, 127, 8)))
            file.write(f"{f'links/{number // 10_000}/{number}.jpg' if names else name}\t{label}\n")
    own = RECIPE[task]
    data = {"root": str(folder), "train": [f"{lines}.txt"], "eval": ["val.txt"], **own["data"]}
    recipe = {"schema": 2, "name": "growth", "task": task, "data": data, "model": own["model"]}
    if task == "det":
        recipe["det_preprocess"] = {"limit_side": 96, "limit_type": "max"}
    else:  # one width: what a step takes is not to depend on which lines it is given
        recipe["rec_preprocess"] = {"min_width": 64, "max_width": 64}
    recipe["train"] = {"epochs": 1, "batch_size": 16 if task == "rec" else 2, "workers": 2}
    if task == "det":
        recipe["train"]["det_augment"] = {"crop": 64}
    path = folder / f"{lines}.yml"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", choices=sorted(KINDS), nargs="+", default=sorted(KINDS), help="these alone")
    parser.add_argument("--lines", type=int, nargs="+", help="sizes of the label files")
    parser.add_argument("--names", action="store_true", help="a name of its own for each line's picture")
    parser.add_argument("--first-step", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first_step:
        first_step(*options.first_step)
        return
    print(f"{'task':6}{'lines':>10}{'first training':>28}{'second training':>28}")
    for task in options.task:
        kind, sizes = KINDS[task]
        with scratch("growth") as work:
            folder = work / "data"
            generate(kind, folder, PICTURES, 4, 0)
            time.sleep(3)  # pictures that have just been made may yet change unseen
            base = measured(prepare(task, folder, BASE, options.names), folder / "run")["bytes"]
            for lines in options.lines or sizes:
                recipe = prepare(task, folder, lines, options.names)
                found = [measured(recipe, folder / "run") for _ in range(2)]
                shown = [
                    f"{one['wall']:.1f} s ({one['processor']:.1f} s), {(one['bytes'] - base) / (1 << 20):.0f} MiB"
                    for one in found
                ]
                print(f"{task:6}{lines:>10}{shown[0]:>28}{shown[1]:>28}", flush=True)


if __name__ == "__main__":
    main()
