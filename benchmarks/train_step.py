"""A training step on the CPU with the package's depthwise convolutions, beside one with Paddle's own."""

from __future__ import annotations

import argparse
import zlib  # noqa: F401  Before Paddle: ppedge/__init__.py says why.
from functools import partial
from pathlib import Path

import paddle
from timing import take_turns

from ppedge.models import zoo
from ppedge.models.depthwise import accelerate, library
from ppedge.recipe.io import load_recipe

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
# Recipe, input, classes of a recogniser.
CASES = (
    ("ppocr_v1_rec_en.yml", (16, 3, 32, 320), 97),
    ("plates_rec.yml", (32, 3, 32, 128), 70),
    ("ppocr_v1_det.yml", (4, 3, 320, 320), 0),
)


def step(net: paddle.nn.Layer, x: paddle.Tensor) -> None:
    """Forward and backward, as in training."""
    output = net(x)
    sum(value.mean() for value in output.values()).backward()
    net.clear_gradients()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns that each takes (3)")
    options = parser.parse_args()

    paddle.set_device("cpu")
    if library() is None:
        parser.error("there is no C compiler: install gcc")
    for name, shape, classes in CASES:
        recipe = load_recipe(RECIPES / name)
        plain, fast = (zoo.build(recipe.model, recipe.task, classes) for _ in range(2))
        accelerate(fast)
        x = paddle.randn(shape)
        turns = {"Paddle": partial(step, plain, x), "ppedge": partial(step, fast, x)}
        seconds = take_turns(turns, options.rounds)
        mine, theirs = seconds["ppedge"], seconds["Paddle"]
        print(
            f"{name:22}{'x'.join(map(str, shape)):>14}  Paddle {shape[0] / theirs:6.1f} pictures/s  "
            f"ppedge {shape[0] / mine:6.1f}  time ratio {mine / theirs:.2f}"
        )


if __name__ == "__main__":
    main()
