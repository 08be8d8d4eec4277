"""What a network loses by a residual block that goes as a whole, beside the same block with few of its channels.

``slim_blocks.py RUN`` prints, for each residual block whose inner channels slimming for ARM may take out, the error of
the network's output, untrained, as the search of a budget counts it: with an eighth, a quarter and a half of the
channels and what reads them refitted, and without the block, its mean put in its place.
"""

from __future__ import annotations

import argparse
import zlib  # noqa: F401  Before Paddle: ppedge/__init__.py says why.
from pathlib import Path

import paddle

from ppedge.data.source import spread
from ppedge.models.depthwise import accelerate
from ppedge.recipe.io import load_recipe
from ppedge.recipe.sizes import trace_shape
from ppedge.runs import open_run
from ppedge.slim.arm.influence import Spot, influences
from ppedge.slim.arm.reduce import site_errors
from ppedge.slim.arm.sites import Reading, find_sites
from ppedge.slim.channels.groups import trace
from ppedge.slim.network import load_float
from ppedge.slim.watch import watch
from ppedge.train.task import Task

BATCH = 4
PARTS = (8, 4, 2)


def missing(net: paddle.nn.Layer, reading: Reading, pictures: list[paddle.Tensor]) -> float:
    """Return the squared error of a sum without what a layer adds to it but the mean, relative to its variance."""
    lost = whole = 0.0
    for picture in pictures:
        seen = watch(net, [reading.output, str(reading.total)], picture)
        for name in (reading.output, str(reading.total)):
            deviation = seen[name] - seen[name].mean(axis=[0, 2, 3], keepdim=True)
            value = float((deviation**2).mean())
            lost, whole = (lost + value, whole) if name == reading.output else (lost, whole + value)
    return lost / whole


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="a trained run")
    parser.add_argument("--samples", type=int, default=16, help="training pictures; default: 16")
    options = parser.parse_args()
    run = open_run(options.run)
    recipe = load_recipe(run.recipe_path)
    task = Task(recipe)
    net = load_float(run, task, "train")
    accelerate(net)
    samples, _ = task.samples("train")
    dataset = task.dataset(samples, seed=recipe.seed)
    keys = [(0, index) for index in spread(range(len(dataset)), options.samples)]
    items = [[dataset[key] for key in keys[begin : begin + BATCH]] for begin in range(0, len(keys), BATCH)]
    pictures = [paddle.to_tensor(task.collate(batch)["image"]) for batch in items]
    found = find_sites(net, trace(task.build_shipped(), trace_shape(recipe)), pictures[0]).found
    sites = [site for site in found if len(site.readings) == 1 and site.readings[0].total]
    weights = influences(net, [Spot(site.readings[0].output, site.readings[0].total) for site in sites], pictures)
    errors = site_errors(net, sites, pictures)
    print("| block | channels | an eighth | a quarter | a half | none |\n| --- | --- | --- | --- | --- | --- |")
    for site in sites:
        reading, levels = site.readings[0], errors[site.name]
        counts = [min(levels, key=lambda count, part=part: abs(count - site.channels / part)) for part in PARTS]
        weight = weights[Spot(reading.output, reading.total)]
        cells = [f"{weight * levels[count][0]:.4f} ({count})" for count in counts]
        print(
            f"| {site.name} | {site.channels} | {' | '.join(cells)} | {weight * missing(net, reading, pictures):.4f} |"
        )


if __name__ == "__main__":
    main()
