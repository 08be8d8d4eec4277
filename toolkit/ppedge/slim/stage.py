"""The slim stage: plan, training of what the plan leaves, quantization-aware training."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from ppedge.data.kept import kept_recipe
from ppedge.data.source import reporting_split, say_what_chose
from ppedge.errors import GateError, PpedgeError
from ppedge.figures import held
from ppedge.metrics.drop import drop_between, drop_of
from ppedge.metrics.few import few_of
from ppedge.metrics.scores import Metric
from ppedge.models.network import copy_of
from ppedge.models.weights import state_of, write_pdparams
from ppedge.progress import Reporter
from ppedge.recipe.compare import differences, require_same_network
from ppedge.recipe.road import Recipe
from ppedge.runs import Run
from ppedge.slim.arm.budget import Counter, Price
from ppedge.slim.arm.search import Point
from ppedge.slim.calibrating import calibration_of
from ppedge.slim.context import Stage
from ppedge.slim.int8 import pact
from ppedge.slim.interruption import STATE, clear, slim_inputs
from ppedge.slim.network import PLAN, PRUNED, load_float
from ppedge.slim.plan import Plan
from ppedge.slim.pruning import arm_slimming, pruned
from ppedge.slim.quantizing import choose_precision, quantized
from ppedge.train.course import BEST
from ppedge.train.stage import measured_on, read_test
from ppedge.train.task import Task


def run_slim(
    recipe: Recipe,
    run: Run,
    *,
    device: str,
    count: Counter | None = None,
    price: Price | None = None,
    resume: bool = False,
    force: bool = False,
    skip_bad: bool = False,
    reporter: Reporter,
) -> dict[str, Any]:
    """Slim the network that the run's train stage left, and return the stage's metrics.

    What it lost is held against the recipe's ``slim.max_metric_drop`` by `require_kept`, once the files are in place.

    Args:
        recipe: The run's recipe, with what the command line changed in its ``slim`` section.
        run: The run.
        device: For the manifest; the caller has set it.
        count: Counts a network's ARM instructions, for the record of what each step of ``arm`` saves; None where there
            is nothing to count with.
        price: Predicts them; needed where the recipe sets a budget or a largest drop for ``arm``, or quantizes by it.
        resume: Go on where an interrupted attempt stopped: from the pruned network, and from the last checkpoint of its
            training; with the same bytes in the end. An attempt that was interrupted earlier starts anew. Of a
            finished slimming by the same settings, say so and do nothing.
        force: Replace an earlier result or attempt.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        reporter: Progress.

    Raises:
        PpedgeError: The train stage has not been run, there is a result or an interrupted attempt already, or data is
            bad.
        GateError: The recipe's budget cannot be met, or its largest drop not kept.
    """
    began = time.monotonic()
    if run.interrupted("slim") and not (resume or force):
        raise PpedgeError(
            f"{run.partial('slim') / STATE}: an interrupted slimming lies there.",
            "Go on with --resume, or start anew with --force.",
        )
    changed = _changed_keys(recipe, run)
    settings = recipe.slim.model_dump(mode="json")
    if resume and not force and _slimmed_so(run, settings, changed):
        reporter.say(f"{run.stage('slim')}: the slimming is finished, nothing is left to do")
        return dict(run.manifest("slim")["metrics"])
    task = Task.of_run(recipe, run)
    train, skipped = task.samples("train", skip_bad=skip_bad)
    evaluation, _ = task.samples("eval", skip_bad=skip_bad)
    aside = read_test(task, reporter, skip_bad=skip_bad)
    with run.writing("slim", force=force, resume=resume) as folder:
        stage = Stage(recipe, run, task, folder, reporter, train, evaluation, device, count, price, resume,
                      aside, skip_bad)  # fmt: skip
        if resume and not (folder / STATE).is_file():
            reporter.say(f"{run.path}: no interrupted slimming got as far as the pruned network: it starts anew")
        trained = _note_trained(stage)
        plan, float_layers, slimmed = _steps(stage)
        drop = drop_between(task.main_metric, trained, slimmed, recipe.slim.max_metric_drop, seed=recipe.seed)
        say_what_chose(reporter.say_once, recipe)
        if sentence := few_of(recipe.task, reporting_split(recipe), slimmed, aside or evaluation):
            reporter.say_once(sentence)
        clear(folder)
        run.write_manifest(
            folder,
            "slim",
            outputs=stage.found.outputs,
            inputs=[run.recipe_path, *slim_inputs(recipe)],
            metrics=stage.found.metrics,
            parent="train",
            seed=recipe.seed,
            device=device,
            settings=settings,
            changed=changed,
            prune=recipe.slim.prune.method,
            quant=recipe.slim.quant.method if "int8" in plan.precision.values() else "none",
            float_layers=float_layers,
            domain=stage.found.domain,
            box_thresh=stage.found.box_thresh,
            drop=drop.to_dict(),
            **measured_on(recipe, stage.found.chosen_by),
            skipped=skipped,
            seconds=round(time.monotonic() - began, 1),
        )
    return stage.found.metrics


def require_kept(run: Run) -> None:
    """Raise if a finished slimming lost more of the metric than its recipe allowed.

    Raises:
        GateError: Names the metric before and after, the limit and the interval.
    """
    about = run.manifest("slim")
    drop = drop_of(about)
    if drop is None or drop.passed:
        return
    assert drop.limit is not None
    lost, limit = held(drop.value, drop.limit, digits=4)
    raise GateError(
        f"{run.stage('slim')}: slimming took {drop.metric} on data.{about['measured_on']} from {drop.before:.4f} to "
        f"{drop.after:.4f}, a drop of {lost} where slim.max_metric_drop allows {limit} ({drop.note}); the files are "
        "kept.",
        "Slim less (--target-flops, --budget), train longer, or set slim.max_metric_drop.",
    )


def _note_trained(stage: Stage) -> Metric:
    """Measure the network as trained, and note its metrics beside those that chose it."""
    about = stage.run.manifest("train")
    trained = {name: value for name, value in about["metrics"].items() if name != "parameters"}
    metric = stage.report(load_float(stage.run, stage.task, "train"))
    stage.note("float", about.get("chosen_by", trained), metric.summary())
    return metric


def _steps(stage: Stage) -> tuple[Plan, list[str], Metric]:
    """Prune and quantize.

    Returns:
        The plan, the names of the layers that a quantized network has in float, and the metric of what came out.
    """
    plan, net, distillation = pruned(stage, load_float(stage.run, stage.task, "train"))
    if stage.recipe.slim.quant.method != "none":
        calibration = calibration_of(stage, net, plan)
        plan = replace(plan, precision=choose_precision(stage, net, plan, calibration))
    plan.save(stage.folder / PLAN)
    write_pdparams(stage.folder / PRUNED, state_of(net))
    stage.found.outputs += [PLAN, PRUNED, BEST]
    if "int8" not in plan.precision.values():
        write_pdparams(stage.folder / BEST, state_of(net))
        return plan, [], stage.report(net)
    float_layers = pact.left_in_float(net, plan.precision)
    stage.reporter.say(f"left in float: {', '.join(float_layers) or 'nothing'}")
    return plan, float_layers, quantized(stage, net, plan, calibration, distillation)


def _changed_keys(recipe: Recipe, run: Run) -> dict[str, Any]:
    """Return the keys besides those of slimming that a recipe has otherwise than its run, and their values.

    Raises:
        PpedgeError: The train stage has not been run; or what ships would be another network, or be read otherwise.
    """
    if recipe.ships_as_it_came and not run.done("train"):
        raise PpedgeError(
            f"{run.path}: its network comes as an inference model, and without pictures it cannot be slimmed.",
            "Use `ppedge slim --from-inference DIR --data PICTURES`.",
        )
    run.manifest("train")
    own = kept_recipe(run)
    require_same_network(recipe, own, str(run.path))
    return {one.key: one.here for one in differences(recipe, own, ("slim", "validate"))}


def _slimmed_so(run: Run, settings: dict[str, Any], changed: dict[str, Any]) -> bool:
    """Whether a slimming by these settings is finished, and rests on what is still there."""
    if not run.nothing_left("slim") or run.changed_input("slim") is not None:
        return False
    about = run.manifest("slim")
    return about.get("settings") == settings and about.get("changed", {}) == changed


def slim_frontier(recipe: Recipe, run: Run, *, price: Price, skip_bad: bool = False, reporter: Reporter) -> list[Point]:
    """Return what budgets can reach, five points from the cheapest to the one of least error; nothing is written.

    Args:
        recipe: The run's recipe.
        run: The run; its train stage must be done.
        price: Predicts ARM instructions.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        reporter: Progress.

    Raises:
        PpedgeError: The train stage has not been run, or data is bad.
    """
    _changed_keys(recipe, run)
    task = Task.of_run(recipe, run)
    train, _ = task.samples("train", skip_bad=skip_bad)
    stage = Stage(recipe, run, task, run.path, reporter, train, [], "cpu", price=price)
    net = load_float(run, task, "train")
    return arm_slimming(stage, net, copy_of(net, task.build_shipped)).frontier()
