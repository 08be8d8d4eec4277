"""Compares ways to 8 bits for one recogniser with published weights, in one table: strings, and error of the output.

``int8_compare.py RECIPE --weights FILE --data ROOT LABELS [--layers all dense gaining]`` calibrates, learns and trains
on the first pictures of the label file and measures on its last, which take no part in the rest. Nobody looks at labels
but to measure: PACT's training learns from the float network.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle

from ppedge.cost.network import arm_pricer
from ppedge.metrics.drop import drop_between
from ppedge.metrics.scores import Metric
from ppedge.models.depthwise import accelerate
from ppedge.models.network import Network, copy_of
from ppedge.models.weights import load_weights, read_pdparams
from ppedge.recipe.io import load_recipe
from ppedge.recipe.losses import NET
from ppedge.recipe.sizes import trace_shape
from ppedge.recipe.slim import LearnedRounding, Quant
from ppedge.slim.arm.distill import Distillation
from ppedge.slim.int8 import pact
from ppedge.slim.int8.bias import correct_bias
from ppedge.slim.int8.equalize import equalize, places
from ppedge.slim.int8.learned import learn_rounding
from ppedge.slim.int8.precision import gaining
from ppedge.slim.int8.rounding import Rounding, nearest_of, rounded
from ppedge.slim.int8.units import units_of
from ppedge.train.task import Task

SETS = ("all", "dense", "gaining")
WAYS = ("calibration", "equalization", "correction", "learned", "pact")


@dataclass
class Case:
    """A recogniser, and the pictures that it is quantized by and measured on."""

    task: Task
    float: Network
    batches: list[paddle.Tensor]
    held_back: list[object]
    options: argparse.Namespace

    def copy(self) -> Network:
        """Return the network once more."""
        return copy_of(self.float, self.task.build_shipped)

    def clips(self, net: Network, names: Sequence[str]) -> dict[str, float]:
        """Return the clips of some layers, as `ppedge slim` measures them."""
        settings = Quant()
        found = pact.measure_clips(net, self.batches, settings.percentile, settings.min_clip)
        return {name: found[name] for name in names}

    def row(self, name: str, net: Network, reference: Metric | None, began: float) -> Metric:
        """Measure a network on the pictures held back, and print its row of the table."""
        seconds = time.monotonic() - began
        metric = self.task.measure(net, self.held_back)
        wanted, found = (self._outputs(one) for one in (self.float, net))
        error = np.mean([((y - x) ** 2).mean() for x, y in zip(wanted, found, strict=True)]) / np.var(wanted)
        figures = metric.summary()
        drop = "" if reference is None else _interval(reference, metric, self.options.seed)
        cells = [name, f"{100 * figures['exact']:.1f}", drop, f"{100 * figures['ned']:.2f}", f"{error:.1e}"]
        print(f"| {' | '.join([*cells, f'{seconds:.0f}'])} |", flush=True)
        return metric

    def _outputs(self, net: Network) -> list[np.ndarray]:
        with paddle.no_grad():
            return [net(x).numpy() for x in self.unseen]

    @property
    def unseen(self) -> list[paddle.Tensor]:
        """Some of the pictures held back, as the network sees them."""
        return _batches(self.task, self.held_back[: len(self.batches[0])], self.options)


def _interval(reference: Metric, metric: Metric, seed: int) -> str:
    drop = drop_between("exact", reference, metric, None, seed=seed)
    return f"{100 * drop.value:.1f} ({100 * (drop.low or 0):.1f} to {100 * (drop.high or 0):.1f})"


def _batches(task: Task, samples: Sequence[object], options: argparse.Namespace) -> list[paddle.Tensor]:
    dataset = task.dataset(samples, augment=False, seed=options.seed)
    items = [dataset[(0, index)] for index in range(len(samples))]
    size = options.batch_size
    return [paddle.to_tensor(task.collate(items[k : k + size])["image"]) for k in range(0, len(items), size)]


def chosen(case: Case, which: str) -> list[str]:
    """Return the names of the layers that are quantized."""
    layers = {name: layer for name, layer in case.float.named_sublayers() if isinstance(layer, pact.QUANTIZED)}
    if which == "all":
        return list(layers)
    if which == "dense":
        return [name for name, layer in layers.items() if getattr(layer, "_groups", 1) == 1]
    return gaining(arm_pricer(case.task.recipe)(case.task.build_shipped()).gain, Quant().cores)


@contextmanager
def computing(net: Network, roundings: Mapping[str, Rounding]) -> Iterator[Network]:
    """Yield a network that computes in 8 bits for a while."""
    with rounded(net, roundings):
        yield net


def compare(case: Case, names: Sequence[str], label: str, reference: Metric) -> None:
    """Print the rows of one choice of layers."""

    def nearest(title: str, *, even: bool = False, corrected: bool = False) -> None:
        net, began = case.copy(), time.monotonic()
        if even:
            equalize(net, places(case.task.build_shipped(), trace_shape(case.task.recipe)), case.batches)
        roundings = nearest_of(net, case.clips(net, names))
        if corrected:
            correct_bias(net, roundings, case.batches)
        with computing(net, roundings):
            case.row(f"{label}: {title}", net, reference, began)

    def learned() -> None:
        net, began = case.copy(), time.monotonic()
        equalize(net, places(case.task.build_shipped(), trace_shape(case.task.recipe)), case.batches)
        clips, teacher = case.clips(net, names), copy_of(net, case.task.build_shipped)
        accelerate(teacher)
        units = units_of(net, clips, case.batches[0])
        settings = LearnedRounding(iterations=case.options.iterations)
        found = learn_rounding(net, teacher, units, clips, case.batches, settings, case.options.seed)
        with computing(net, found.roundings):
            case.row(f"{label}: learned rounding", net, reference, began)
        correct_bias(net, found.roundings, case.batches)
        with computing(net, found.roundings):
            case.row(f"{label}: the same, bias correction", net, reference, began)

    rows = {
        "calibration": lambda: nearest("calibration"),
        "equalization": lambda: nearest("equalization", even=True),
        "correction": lambda: nearest("equalization, bias correction", even=True, corrected=True),
        "learned": learned,
        "pact": lambda: _pact(case, names, label, reference),
    }
    for way in case.options.ways:
        rows[way]()


def _pact(case: Case, names: Sequence[str], label: str, reference: Metric) -> None:
    net, settings, began = case.copy(), Quant(), time.monotonic()
    clips, others = case.clips(net, names), {n for n, one in net.named_sublayers() if isinstance(one, pact.QUANTIZED)}
    pact.quantize(net, float_names=others - set(names), clip_l2=settings.clip_l2)
    pact.set_clips(net, clips)
    pact.calibrate(net, case.batches)
    accelerate(net)
    loss = Distillation(case.float, "rec")
    trainee = pact.Quantized(net, loss, settings.min_clip)
    rate = paddle.optimizer.lr.CosineAnnealingDecay(case.options.learning_rate, case.options.steps)
    optimizer = paddle.optimizer.Adam(rate, parameters=net.parameters())
    rng = np.random.default_rng(case.options.seed)
    net.train()
    for _ in range(case.options.steps):
        x = case.batches[int(rng.integers(len(case.batches)))]
        loss({NET: net(x)}, {"image": x})["loss"].backward()
        optimizer.step()
        optimizer.clear_grad()
        trainee.after_step()
        rate.step()
    net.eval()
    case.row(f"{label}: PACT, {case.options.steps} steps", net, reference, began)


def prepared(options: argparse.Namespace) -> Case:
    """Read weights and pictures."""
    root, labels = (Path(one).resolve() for one in options.data)
    recipe = load_recipe(
        options.recipe,
        [f"data.root={root}", f"data.train=[{labels}]", f"data.eval=[{labels}]", "data.test=[]", "data.synth=null",
         "train.amp=false", *options.set],
    )  # fmt: skip
    task = Task(recipe)
    net = task.build_shipped()
    load_weights(net, read_pdparams(options.weights), options.weights)
    net.eval()
    samples, _ = task.samples("train", skip_bad=True)
    used = samples[: options.pictures]
    held_back = samples[-options.measured :]
    if len(samples) < len(used) + len(held_back):
        raise SystemExit(f"int8_compare: {labels}: {len(samples)} pictures, which is too few.")
    return Case(task, net, _batches(task, used, options), held_back, options)


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", nargs=2, required=True, metavar=("ROOT", "LABELS"))
    parser.add_argument("--layers", nargs="+", choices=SETS, default=["all", "dense"], help="default: all dense")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="default: all of them")
    parser.add_argument("--pictures", type=int, default=64, help="to calibrate, learn and train with (64)")
    parser.add_argument("--measured", type=int, default=100, help="pictures held back (100)")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=60, help="of learned rounding, for each unit (60)")
    parser.add_argument("--steps", type=int, default=100, help="of PACT's training (100)")
    parser.add_argument("--learning-rate", type=float, default=5e-5, help="of PACT's training (5e-5, as in recipes)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    case = prepared(options)
    paddle.seed(options.seed)
    print(
        f"Seed {options.seed}; {options.pictures} pictures to quantize with, {len(case.held_back)} others measured.\n"
    )
    print("| network | exact, % | drop, points (95 %) | ned, % | error of the output | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    reference = case.row("float", case.float, None, time.monotonic())
    for which in options.layers:
        names = chosen(case, which)
        compare(case, names, f"{which}, {len(names)} layers", reference)


if __name__ == "__main__":
    main()
