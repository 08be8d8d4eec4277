"""``ppedge eval``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppedge.cli.end_to_end import BundleEngine, TextMetric, measure_bundle
from ppedge.cli.options import Device, Json, RecognizerName, Set, SkipBad, measuring, opened_run
from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    from ppedge.metrics.scores import Metric
    from ppedge.models.network import Network
    from ppedge.recipe.road import Recipe
    from ppedge.runs import Run
    from ppedge.train.task import Task

app = typer.Typer(add_completion=False)


class Stage(str, Enum):
    """Stages that leave a network."""

    train = "train"
    slim = "slim"


class Split(str, Enum):
    """Splits of the data that measure."""

    eval = "eval"
    test = "test"


@app.command(name="eval")
def evaluate(
    what: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN|RECIPE|BUNDLE",
            help="A run's folder, a recipe with --weights, or with --e2e a bundle.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Argument(metavar="[LABELS]", help="With --e2e: detection labels with texts.", show_default=False),
    ] = None,
    e2e: Annotated[bool, typer.Option("--e2e", help="Measure a bundle's whole pipeline on LABELS.")] = False,
    weights: Annotated[Path | None, typer.Option(help="A .pdparams file of the recipe's network.")] = None,
    stage: Annotated[Stage | None, typer.Option(help="The run's stage; by default its newest.")] = None,
    on: Annotated[
        Split | None, typer.Option(help="Of the data; by default test where the recipe has it, else eval.")
    ] = None,
    set_: Set = [],  # noqa: B006
    device: Device = "auto",
    engine: Annotated[
        BundleEngine | None, typer.Option(help="With --e2e; by default what can run the bundle here.")
    ] = None,
    recognizer: RecognizerName = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="With --e2e: of onnxruntime; by default all cores.", show_default=False)
    ] = None,
    metric: Annotated[
        TextMetric | None,
        typer.Option(help="With --e2e, as a recipe's metric: how texts are compared; by default strict."),
    ] = None,
    metric_ignore: Annotated[
        str | None,
        typer.Option(metavar="CHARACTERS", help="With --e2e: leave them out of the texts before they are compared."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --e2e: what pictures are named relative to; by default LABELS' folder."),
    ] = None,
    worst: Annotated[
        int | None, typer.Option(min=0, help="With --e2e: show so many pictures with the most mistakes.")
    ] = None,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Measure a network on the recipe's test data, or where it has none on its evaluation data.

    Of a run that brought in an inference model, that model is measured, one line of text at a time. Where --set names
    other pictures for a run that was slimmed for ARM, the command says if they are unlike those it was slimmed with.

    With --e2e a bundle reads whole pictures, and a line is right if its place and its text are those of a label.
    """
    of_networks = {"--weights": weights, "--stage": stage, "--on": on, "--set": set_ or None,
                   "--device": None if device == "auto" else device}  # fmt: skip
    of_bundles = {"LABELS": labels, "--engine": engine, "--threads": threads, "--recognizer": recognizer,
                  "--metric": metric, "--metric-ignore": metric_ignore, "--root": root, "--worst": worst}  # fmt: skip
    _refuse_what_is_for_others(of_networks if e2e else of_bundles, e2e)
    if e2e:
        measure_bundle(what, labels, root=root, engine=engine, threads=threads, recognizer=recognizer,
                       metric=metric or "strict", ignore=metric_ignore or "", worst=worst or 0, skip_bad=skip_bad,
                       as_json=as_json)  # fmt: skip
    else:
        _measure_network(what, weights, stage, on, set_, device, skip_bad=skip_bad, as_json=as_json)


def _refuse_what_is_for_others(given: dict[str, Any], e2e: bool) -> None:
    """Refuse arguments that mean nothing for what is measured; None is what was not given."""
    for name, value in given.items():
        if value is not None and e2e:
            raise PpedgeError(f"{name}: --e2e measures a bundle as it is, without a recipe.", "Leave it out.")
        if value is not None:
            raise PpedgeError(f"{name}: is for a bundle.", "Add --e2e: `ppedge eval --e2e BUNDLE LABELS`.")


def _measure_network(
    what: Path | None,
    weights: Path | None,
    stage: Stage | None,
    on: Split | None,
    set_: list[str],
    device: str,
    *,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Measure a run's network, or weights of a recipe's, and print the metric."""
    from ppedge.data.kept import kept_recipe
    from ppedge.data.source import read_samples, reporting_split, say_what_chose
    from ppedge.metrics.bootstrap import CONFIDENCE
    from ppedge.metrics.few import few_of, figures_of, told
    from ppedge.progress import Reporter
    from ppedge.recipe.io import load_recipe
    from ppedge.train.device import set_device
    from ppedge.train.task import Task

    if weights is not None and stage is not None:
        raise PpedgeError("--weights and --stage: two networks.", "Name one of them.")
    set_device(device)
    is_recipe = what is not None and what.is_file()
    if is_recipe and weights is None:
        raise PpedgeError(f"{what}: a recipe has no network of its own.", "Add --weights FILE.pdparams, or name a run.")
    run = None if is_recipe else opened_run(what)
    changes = set_ if on is Split.test else measuring(set_)
    recipe = kept_recipe(run, changes) if run else load_recipe(what or Path(), changes)
    if run is not None and weights is None and stage is not Stage.train:
        recipe = _as_slimmed(recipe, run, set_)
    measure: Callable[..., Metric]
    if run is not None and recipe.ships_as_it_came and stage is None and weights is None:
        measure = _imported(recipe, run)
    else:
        task = Task(recipe, exists=True) if run is None else Task.of_run(recipe, run, exists=True)
        measure = partial(task.measure, _network(task, run, stage.value if stage else None, weights))
    split = on.value if on else reporting_split(recipe)
    samples, skipped = read_samples(recipe, split, skip_bad=skip_bad)
    began = time.monotonic()
    with Reporter().task("eval", len(samples)) as bar:
        metric = measure(samples, advance=lambda steps: bar.advance(steps=steps))
    figures, summary = figures_of(metric, samples), metric.summary()
    seconds = round(time.monotonic() - began, 2)
    if run is not None and weights is None:
        say_what_chose(Reporter().say_once, recipe, kept_recipe(run))
    shift = _unlike(run, recipe, samples) if run is not None and stage is not Stage.train else None
    if as_json:
        emit({"task": recipe.task, "split": split, "metrics": summary,
              "intervals": {name: [figure.low, figure.high] for name, figure in figures.items()},
              "confidence": CONFIDENCE, "samples": len(samples), "skipped": skipped, "seconds": seconds,
              "domain": shift})  # fmt: skip
        return
    shown = ", ".join(f"{name} {told(figure)}" for name, figure in figures.items())
    say(f"{split}: {shown} ({len(samples)} samples, {skipped} bad ones left out, {seconds} s{_compared(recipe)})")
    if len(samples) > 1:
        say(f"behind each figure: its {CONFIDENCE:.0%} interval, for which whole pictures are drawn")
    if sentence := few_of(recipe.task, split, metric, samples):
        say(sentence)


def _as_slimmed(recipe: Recipe, run: Run, set_: list[str]) -> Recipe:
    """Return `ppedge.data.source.as_slimmed`, and say what it changed; what is set on the command line stays."""
    from ppedge.data.source import as_slimmed

    if any("box_thresh" in one for one in set_):
        return recipe
    slimmed = as_slimmed(recipe, run)
    if slimmed is not recipe:
        say(f"det_postprocess.box_thresh is {slimmed.det_postprocess.box_thresh:g}: slimming chose it", err=True)
    return slimmed


def _compared(recipe: Recipe) -> str:
    """Return how texts were compared, if not as they are, for the end of a list."""
    parts = []
    if recipe.task == "rec" and recipe.metric != "strict":
        parts.append(f"metric {recipe.metric}")
    if recipe.task == "rec" and recipe.metric_ignore:
        parts.append(f"without {recipe.metric_ignore!r}")
    return "".join(f"; {part}" for part in parts)


def _unlike(run: Run, recipe: Recipe, samples: Sequence[Any]) -> dict[str, Any] | None:
    """Compare other pictures than the run's with those that it was slimmed for ARM with; say so if they differ.

    Returns:
        None where the run is not slimmed so, the pictures are its own, or those it was slimmed with are not here.
    """
    from ppedge.data.kept import kept_recipe
    from ppedge.progress import Reporter

    if not run.done("slim") or run.manifest("slim")["prune"] != "arm":
        return None
    own = kept_recipe(run)
    if recipe.data == own.data:
        return None  # the slim stage has said it

    from ppedge.slim.domain import measure
    from ppedge.slim.network import load_float
    from ppedge.train.task import Task

    task = Task.of_run(own, run)
    try:
        train, _ = task.samples("train", skip_bad=True)
        shift = measure(load_float(run, task, "train"), task, train, samples)
    except PpedgeError:  # what was measured is there all the same
        return None
    if shift is None:
        return None
    if shift.different:
        Reporter().say(shift.warning())
    return shift.entry()


def _imported(recipe: Recipe, run: Run) -> Callable[..., Metric]:
    """Return what measures the inference model that a run brought in, as the run keeps it."""
    from ppedge.artifacts import inference_model
    from ppedge.data.characters import require_same_characters
    from ppedge.data.source import declared_spec
    from ppedge.engines import open_engine
    from ppedge.metrics.accuracy import measure as measured

    run.require_fresh("convert")
    require_same_characters(recipe, run)
    there = {entry["path"] for entry in run.manifest("convert")["outputs"]}
    names = next(names for p in ("fp32", "int8") if (names := inference_model(recipe.task, p))[0] in there)
    files = [run.artifact("convert", name) for name in names]
    engine = open_engine("paddle", files[0])
    spec = declared_spec(recipe)

    def measure(samples: list[Any], **options: Any) -> Metric:
        with engine:
            ignore = recipe.metric_ignore
            return measured(engine, spec, samples, recipe.metric, ignore=ignore, batch_size=1, **options)

    return measure


def _network(task: Task, run: Run | None, stage: str | None, weights: Path | None) -> Network:
    """Return the network that is asked for: explicit weights, or a run's newest, quantized if it is."""
    from ppedge.models.weight_parts import without_guides
    from ppedge.models.weights import load_weights
    from ppedge.progress import Reporter
    from ppedge.slim.network import is_quantized, load_float, load_quantized
    from ppedge.train.origin import check_origin
    from ppedge.train.start import missing_threshold, read_part

    if weights is not None:
        say = Reporter().say
        net, state = task.build(), without_guides(read_part(weights, "--weights", say))
        load_weights(net, state, weights, missing_threshold(net, state))
        check_origin(task.recipe, state, weights, "--weights", charset=task.charset, say=say)
        net.eval()
        return net
    assert run is not None
    stage = stage or run.newest_stage()
    if stage is None:
        raise PpedgeError(f"{run.path}: nothing is trained yet.", "Run `ppedge train` first.")
    run.require_fresh(stage)
    if stage == "slim" and is_quantized(run):
        return load_quantized(run, task)
    return load_float(run, task, stage)
