"""A quantization-aware training step on the CPU beside a float step, with ppedge's and with Paddle's quantizers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import paddle
from timing import take_turns

from ppedge.models import zoo
from ppedge.models.depthwise import accelerate
from ppedge.models.freezing import freeze_batch_norm
from ppedge.recipe.io import load_recipe
from ppedge.recipe.losses import NET
from ppedge.recipe.road import Recipe
from ppedge.slim.int8 import fake_quant, pact
from ppedge.train.losses.table import build_loss
from ppedge.train.optimizer import build_optimizer

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
# Recipe, input, classes of a recogniser, whether the layers that the recipe excludes stay in float.
CASES = (
    ("receipts_det.yml", (4, 3, 320, 320), 0, False),
    ("receipts_rec.yml", (16, 3, 32, 320), 97, False),
    ("receipts_rec.yml", (16, 3, 32, 320), 97, True),
)


def build(recipe: Recipe, x: paddle.Tensor, classes: int, excluding: bool, quantized: bool) -> Callable[[], None]:
    """Return a training step of a network of fresh weights: forward, backward, optimizer, bounds of clips."""
    paddle.seed(1)
    settings = recipe.slim.quant
    net = zoo.build(recipe.model, recipe.task, classes)
    freeze_batch_norm(net)
    if quantized:
        clips = pact.measure_clips(net, [x], settings.percentile, settings.min_clip)
        pact.quantize(net, exclude=settings.exclude if excluding else [], clip_l2=settings.clip_l2)
        pact.set_clips(net, clips)
        pact.calibrate(net, [x])
    accelerate(net)
    trainee = pact.Quantized(net, build_loss([], recipe.task, None, [NET], [NET]), settings.min_clip)
    return partial(step, net.train() or net, x, build_optimizer(net, settings.train), trainee.after_step)


def step(net: paddle.nn.Layer, x: paddle.Tensor, optimizer: paddle.optimizer.Adam, bound: Callable[[], None]) -> None:
    """One step of training, but for the loss: a mean stands for it."""
    sum(value.square().mean() for value in net(x).values()).backward()
    optimizer.step()
    optimizer.clear_grad()
    bound()


def main() -> None:
    """Time the steps, and print them with their ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns that each takes (5)")
    options = parser.parse_args()

    paddle.set_device("cpu")
    if fake_quant.library(fake_quant.SOURCE, *fake_quant.OPTIONS) is None:
        parser.error("there is no C compiler: install gcc")
    for name, shape, classes, excluding in CASES:
        recipe = load_recipe(RECIPES / name)
        x = paddle.randn(shape)
        made = partial(build, recipe, x, classes, excluding)
        turns = {"float": made(False), "ppedge": made(True)}
        with mock.patch.object(fake_quant, "library", lambda *_: None):
            turns["Paddle"] = made(True)
        seconds = take_turns(turns, options.rounds, time.process_time)
        ratios = {way: value / seconds["float"] for way, value in seconds.items()}
        print(
            f"{name:17}{'recipe' if excluding else 'all':>7} layers in 8 bits{'x'.join(map(str, shape)):>13}  "
            f"float {seconds['float']:.3f} s  ppedge {seconds['ppedge']:.3f} s, {ratios['ppedge']:.2f} of it  "
            f"Paddle {seconds['Paddle']:.3f} s, {ratios['Paddle']:.2f}"
        )


if __name__ == "__main__":
    main()
