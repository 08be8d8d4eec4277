"""A training step on the CPU: the package's depthwise convolutions beside Paddle's own, and whole PP-OCRv3 trainings.

With ``--paddleocr DIR``, a checkout of PaddleOCR 2.x, the trainings take turns with PaddleOCR's own networks and losses
on the same batch: forward and backward pass, Adam.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import zlib  # noqa: F401  Before Paddle: ppedge/__init__.py says why.
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import paddle
from timing import take_turns

from ppedge.models import zoo
from ppedge.models.depthwise import SOURCE, accelerate
from ppedge.models.native import library
from ppedge.recipe.io import load_recipe
from ppedge.scratch import scratch
from ppedge.train.optimizer import build_optimizer
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
CHILD = Path(__file__).with_name("paddleocr_step.py")
# Recipe, input, classes of a recogniser.
CASES = (
    ("ppocr_v1_rec_en.yml", (16, 3, 32, 320), 97),
    ("plates_rec_v1.yml", (32, 3, 32, 128), 70),
    ("ppocr_v1_det.yml", (4, 3, 320, 320), 0),
)
# Recipe, PaddleOCR's configuration, input.
TRAININGS = (
    ("ppocrv3_det_student.yml", "configs/det/ch_PP-OCRv3/ch_PP-OCRv3_det_student.yml", (2, 3, 320, 320)),
    ("ppocrv3_rec.yml", "configs/rec/PP-OCRv3/ch_PP-OCRv3_rec.yml", (8, 3, 48, 320)),
    ("ppocrv3_det_cml.yml", "configs/det/ch_PP-OCRv3/ch_PP-OCRv3_det_cml.yml", (2, 3, 320, 320)),
)
FRESH = {"ppocrv3_det_cml.yml": ["train.peers.teacher.weights=null"]}
"""A teacher of random weights takes as long as a trained one."""
Timed = Callable[[], tuple[float, float, float]]
"""Takes a step; gives the loss, and the seconds of wall and processor time."""


def step(net: paddle.nn.Layer, x: paddle.Tensor) -> None:
    """Forward and backward, as in training."""
    output = net(x)
    sum(value.mean() for value in output.values()).backward()
    net.clear_gradients()


def compare_depthwise(rounds: int) -> None:
    """Print pictures a second with and without the package's depthwise convolutions."""
    for name, shape, classes in CASES:
        recipe = load_recipe(RECIPES / name)
        plain, fast = (zoo.build(recipe.model, recipe.task, classes) for _ in range(2))
        accelerate(fast)
        x = paddle.randn(shape)
        turns = {"Paddle": partial(step, plain, x), "ppedge": partial(step, fast, x)}
        seconds = take_turns(turns, rounds)
        mine, theirs = seconds["ppedge"], seconds["Paddle"]
        print(
            f"{name:22}{'x'.join(map(str, shape)):>14}  Paddle {shape[0] / theirs:6.1f} pictures/s  "
            f"ppedge {shape[0] / mine:6.1f}  time ratio {mine / theirs:.2f}"
        )


def make_batch(task: str, shape: tuple[int, ...], classes: int) -> dict[str, np.ndarray]:
    """Return a batch of noise with labels of real sizes, for both sides."""
    rng, count = np.random.default_rng(0), shape[0]
    image = rng.standard_normal(shape).astype(np.float32)
    if task == "det":
        shrink = np.zeros((count, *shape[2:]), np.float32)
        shrink[:, 32:64, 40:200] = 1.0
        threshold = np.where(shrink > 0, 0.7, 0.3).astype(np.float32)
        ones = np.ones_like(shrink)
        return {"image": image, "shrink_map": shrink, "shrink_mask": ones, "threshold_map": threshold,
                "threshold_mask": ones}  # fmt: skip
    longest = 25
    length = rng.integers(5, 20, count)
    label, of_sar = np.zeros((count, longest), np.int64), np.full((count, longest), classes + 1, np.int64)
    for row, size in enumerate(length):
        text = rng.integers(1, classes, size)
        label[row, :size] = text
        of_sar[row, : size + 2] = [classes, *(text - 1), classes]  # begin and end of the text share a class
    filled = rng.uniform(0.5, 1.0, count).astype(np.float32)
    return {"image": image, "label": label, "length": length, "filled": filled, "label_ctc": label,
            "label_sar": of_sar, "classes": np.array(classes)}  # fmt: skip


def our_step(task: Task, arrays: dict[str, np.ndarray]) -> tuple[Timed, int]:
    """Return a step of the recipe's trainee, as `ppedge.train.loop` takes it, and its number of trained weights."""
    trainee = build_trainee(task, task.build())
    trainee.begin()
    trainee.train()
    optimizer = build_optimizer(trainee, task.recipe.train)
    accelerate(trainee)
    batch = {name: paddle.to_tensor(value) for name, value in arrays.items()}

    def once() -> tuple[float, float, float]:
        wall, used = time.perf_counter(), time.process_time()
        loss = trainee.losses(trainee(batch), batch, 0.5)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        trainee.after_step()
        return float(loss), time.perf_counter() - wall, time.process_time() - used

    return once, sum(int(p.size) for p in trainee.parameters() if not p.stop_gradient)


def their_step(stack: ExitStack, checkout: Path, config: str, arrays: dict[str, np.ndarray]) -> tuple[Timed, int]:
    """Start the child process; return a step of PaddleOCR's, and its number of trained weights."""
    data = stack.enter_context(scratch("step")) / "batch.npz"
    np.savez(data, **arrays)  # type: ignore[arg-type]
    command = [sys.executable, CHILD, checkout, checkout / config, data]
    child = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    stack.callback(child.stdin.close)  # type: ignore[union-attr]

    def answer() -> str:
        line = child.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise SystemExit(f"{checkout}: PaddleOCR's process has ended; what it said stands above.")
        return line

    def once() -> tuple[float, float, float]:
        child.stdin.write("\n")  # type: ignore[union-attr]
        child.stdin.flush()  # type: ignore[union-attr]
        loss, wall, used = map(float, answer().split())
        return loss, wall, used

    return once, int(answer())


def time_training(name: str, config: str, shape: tuple[int, ...], rounds: int, checkout: Path | None) -> None:
    """Print the seconds of a training's step, and of PaddleOCR's."""
    task = Task(load_recipe(RECIPES / name, FRESH.get(name, [])))
    arrays = make_batch(task.recipe.task, shape, task.classes)
    with ExitStack() as stack:
        turns = {"ppedge": our_step(task, arrays)}
        if checkout:
            turns["PaddleOCR"] = their_step(stack, checkout, config, arrays)
        times: dict[str, list[tuple[float, float, float]]] = {who: [] for who in turns}
        for number in range(rounds + 1):
            for who, (once, _) in turns.items():
                found = once()
                if number:  # the first round warms up
                    times[who].append(found)
    wall, used = ({who: median(one[k] for one in found) for who, found in times.items()} for k in (1, 2))
    line = f"{name:26}{'x'.join(map(str, shape)):>14}"
    for who, (_, weights) in turns.items():
        line += f"  {who} {wall[who]:6.2f} s ({used[who]:.2f} s of processor time; {weights:,} weights)"
    if checkout:
        line += f"  {wall['PaddleOCR'] / wall['ppedge']:.2f} times as fast ({used['PaddleOCR'] / used['ppedge']:.2f})"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns that each takes (3)")
    parser.add_argument("--paddleocr", type=Path, metavar="DIR", help="a checkout of PaddleOCR 2.x to compare with")
    parser.add_argument("--only", metavar="NAME", help="this recipe's training alone, such as ppocrv3_rec")
    options = parser.parse_args()

    paddle.set_device("cpu")
    if library(SOURCE) is None:
        parser.error("there is no C compiler: install gcc")
    if options.only is None:
        compare_depthwise(options.rounds)
    for name, config, shape in TRAININGS:
        if options.only in (None, name.removesuffix(".yml")):
            time_training(name, config, shape, options.rounds, options.paddleocr)


if __name__ == "__main__":
    main()
