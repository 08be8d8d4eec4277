"""The slim stage: plan, training of what the plan leaves, quantization-aware training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paddle

from ppedge.models.flops import count_flops
from ppedge.models.weights import load_weights, read_pdparams, state_of, write_pdparams
from ppedge.models.zoo import Network
from ppedge.progress import Reporter
from ppedge.recipe import Recipe, Schedule
from ppedge.runs import Run, write_json
from ppedge.slim import domain, pact
from ppedge.slim.arm import ArmSlimming, copy_of
from ppedge.slim.budget import Counter, Price
from ppedge.slim.distill import Distillation
from ppedge.slim.fpgm import flops_left, keep_channels, keep_count
from ppedge.slim.groups import Group, trace
from ppedge.slim.network import PLAN, PRUNED, load_float
from ppedge.slim.plan import Plan, apply_plan
from ppedge.slim.search import Point, frontier
from ppedge.slim.sensitivity import choose, measure, trial_counts
from ppedge.train.loop import BEST, METRICS, Course, fit, freeze_batch_norm
from ppedge.train.stage import stage_inputs
from ppedge.train.task import Task

SENSITIVITY, REDUCTION = "sensitivity.json", "reduction.json"
Metrics = dict[str, float]
BATCH = 4
TRACE_SHAPE = {"det": (1, 3, 64, 64), "rec": (1, 3, 32, 64), "cls": (1, 3, 48, 192)}


@dataclass
class _Stage:
    recipe: Recipe
    run: Run
    task: Task
    folder: Path
    reporter: Reporter
    train: Sequence[Any]
    eval: Sequence[Any]
    device: str
    count: Counter | None = None
    price: Price | None = None


def run_slim(
    recipe: Recipe,
    run: Run,
    *,
    device: str,
    count: Counter | None = None,
    price: Price | None = None,
    force: bool = False,
    skip_bad: bool = False,
    reporter: Reporter,
) -> dict[str, Any]:
    """Slim the network that the run's train stage left, and return the stage's metrics.

    Args:
        recipe: The run's recipe, with what the command line changed in its ``slim`` section.
        run: The run.
        device: For the manifest; the caller has set it.
        count: Counts a network's ARM instructions, for the record of what each step of ``arm`` saves; None where there
            is nothing to count with.
        price: Predicts them, layer by layer; needed where the recipe sets a budget.
        force: Replace an earlier result.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        reporter: Progress.

    Raises:
        PpedgeError: The train stage has not been run, there is a result already, or data is bad.
        GateError: The recipe's budget cannot be met.
    """
    began = time.monotonic()
    task = Task(recipe)
    settings = recipe.slim
    trained = run.manifest("train")["metrics"]
    train, skipped = task.samples("train", skip_bad=skip_bad)
    evaluation, _ = task.samples("eval", skip_bad=skip_bad)
    with run.writing("slim", force=force) as folder:
        stage = _Stage(recipe, run, task, folder, reporter, train, evaluation, device, count, price)
        net = load_float(run, task, "train")
        metrics: dict[str, Any] = {"float": {k: v for k, v in trained.items() if k != "parameters"}}
        outputs = [PLAN, PRUNED, BEST]
        plan, distillation = Plan("none", {}, {}), None
        shift: dict[str, Any] | None = None
        if settings.prune.method == "fpgm":
            plan, metrics["flops_left"], wrote = _prune(stage, net)
            outputs += wrote
            metrics["pruned"], metrics["finetuned"] = _course(stage, "fine-tune", net, settings.prune.finetune)
            outputs.append(_log_name("fine-tune"))
        elif settings.prune.method == "arm":
            teacher, net = net, copy_of(net, task.build)
            plan, metrics["macs_left"], shift = _reduce(stage, teacher, net)
            labels = settings.prune.arm.distill.labels
            distillation = Distillation(teacher, net, recipe.task, labels=labels, task_loss=task.loss)
            course = _course(stage, "distil", net, settings.prune.arm.distill, distillation)
            metrics["reduced"], metrics["distilled"] = course
            outputs += [REDUCTION, _log_name("distil")]
        if settings.quant.method == "pact":
            plan = replace(plan, precision=pact.precisions(net, settings.quant.exclude))
        plan.save(folder / PLAN)
        write_pdparams(folder / PRUNED, state_of(net))
        float_layers: list[str] = []
        if settings.quant.method == "pact":
            float_layers = pact.float_layers(net, settings.quant.exclude)
            reporter.say(f"left in float: {', '.join(float_layers) or 'nothing'}")
            metrics["calibrated"], metrics["quantized"], wrote = _quantize(stage, net, plan, distillation)
            outputs += wrote
        else:
            write_pdparams(folder / BEST, state_of(net))
        run.write_manifest(
            folder,
            "slim",
            outputs=outputs,
            inputs=[run.recipe_path, *stage_inputs(recipe)],
            metrics=metrics,
            parent="train",
            seed=recipe.seed,
            device=device,
            settings=settings.model_dump(mode="json"),
            prune=settings.prune.method,
            quant=settings.quant.method,
            float_layers=float_layers,
            domain=shift,
            skipped=skipped,
            seconds=round(time.monotonic() - began, 1),
        )
    return metrics


def _prune(stage: _Stage, net: Network) -> tuple[Plan, float, list[str]]:
    """Choose a plan, save what it rests on, and prune ``net`` by it."""
    settings, task = stage.recipe.slim.prune, stage.task
    shape = TRACE_SHAPE[stage.recipe.task]
    groups = trace(task.build(), shape, settings.exclude)
    macs = count_flops(net, shape)
    state = state_of(net)
    shapes = {name: value.shape for name, value in state.items()}
    wrote: list[str] = []
    if settings.mode == "flat":
        counts = {group: keep_count(group.channels, settings.ratio, settings.multiple) for group in groups}
    else:
        counts, predicted = _by_sensitivity(stage, net, groups, macs, shapes)
        wrote.append(SENSITIVITY)
        stage.reporter.say(f"predicted drop of {task.main_metric}: {predicted:.4f}")
    kept = {group: keep_channels(group, state, count) for group, count in counts.items()}
    left = flops_left(macs, shapes, counts)
    plan = Plan.from_groups(f"fpgm {settings.mode}", kept, shapes)
    if left > settings.target_flops + 1e-9 and settings.mode == "sensitivity":
        stage.reporter.say(
            f"max_drop {settings.max_drop} stops at {left:.3f} of the FLOPs; "
            f"target_flops {settings.target_flops} was not reached"
        )
    apply_plan(net, plan)
    stage.reporter.say(f"pruned to {left:.3f} of the FLOPs in {sum(g.channels > n for g, n in counts.items())} groups")
    return plan, left, wrote


def _by_sensitivity(
    stage: _Stage, net: Network, groups: list[Group], macs: dict[str, int], shapes: dict[str, Any]
) -> tuple[dict[Group, int], float]:
    settings, task = stage.recipe.slim.prune, stage.task
    lines = stage.train[:: max(len(stage.train) // settings.samples, 1)][: settings.samples]
    samples = task.measurable(lines)
    tries = sum(len(trial_counts(group, settings.ratios, settings.multiple)) for group in groups)
    with stage.reporter.task("sensitivity", tries) as bar:
        found = measure(
            net, groups, settings.ratios, settings.multiple,
            lambda: task.evaluate(net, samples)[task.main_metric], bar.advance,
        )  # fmt: skip
    kept, predicted = choose(
        groups, found, macs, shapes,
        target_flops=settings.target_flops, max_drop=settings.max_drop, multiple=settings.multiple,
    )  # fmt: skip
    record = [
        {"group": g.name, "channels": g.channels, "kept": kept[g],
         "drops": {str(n): drop for n, drop in found[g.name].items()}}
        for g in groups
    ]  # fmt: skip
    value = {"metric": task.main_metric, "samples": len(samples), "predicted_drop": predicted, "groups": record}
    write_json(stage.folder / SENSITIVITY, value)
    return kept, predicted


def _reduce(stage: _Stage, teacher: Network, net: Network) -> tuple[Plan, float, dict[str, Any] | None]:
    """Slim ``net`` for ARM, and write what each step cost.

    Returns:
        The plan, the share of the FLOPs left, and how training and evaluation pictures differ.
    """
    shift = domain.measure(teacher, stage.task, stage.train, stage.eval)
    if shift is not None and shift.different:
        stage.reporter.say(shift.warning())
    record = None if shift is None else shift.entry()
    slimming = _slimming(stage, teacher, net)
    plan = slimming.run()
    found = {"input_shape": slimming.input_shape, "domain": record, "steps": slimming.steps}
    write_json(stage.folder / REDUCTION, found)
    return plan, slimming.steps[-1]["macs"] / slimming.steps[0]["macs"], record


def _slimming(stage: _Stage, teacher: Network, net: Network) -> ArmSlimming:
    settings, task = stage.recipe.slim.prune, stage.task
    shape = TRACE_SHAPE[stage.recipe.task]
    return ArmSlimming(
        teacher, net, trace(task.build(), shape), list(_batches(stage, settings.arm.samples, BATCH)), settings.arm,
        shape, task.build, settings.exclude, settings.multiple, stage.count, stage.price, stage.reporter,
    )  # fmt: skip


def slim_frontier(recipe: Recipe, run: Run, *, price: Price, skip_bad: bool = False, reporter: Reporter) -> list[Point]:
    """Return what budgets can reach, five points from the cheapest to the one of least error; nothing is written.

    Args:
        recipe: The run's recipe.
        run: The run; its train stage must be done.
        price: Predicts ARM instructions, layer by layer.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        reporter: Progress.

    Raises:
        PpedgeError: The train stage has not been run, or data is bad.
    """
    task = Task(recipe)
    run.manifest("train")
    train, _ = task.samples("train", skip_bad=skip_bad)
    stage = _Stage(recipe, run, task, run.path, reporter, train, [], "cpu", price=price)
    net = load_float(run, task, "train")
    return frontier(_slimming(stage, net, copy_of(net, task.build)).problem()[1])


def _course(
    stage: _Stage, title: str, net: Network, schedule: Schedule, loss: Distillation | None = None
) -> tuple[Metrics, Metrics]:
    """Train for a while; only the log stays in the stage's folder. Return the metrics as it came and at its best."""
    course = Course(
        title, net, stage.task, schedule, stage.train, stage.eval, stage.folder / f".{title}",
        workers=stage.recipe.train.workers, amp=stage.recipe.train.amp and stage.device != "cpu",
        evaluate_first=True, loss=loss, reporter=stage.reporter,
        after_stop="Repeat the command: it starts the slim stage anew.",
    )  # fmt: skip
    if title == "QAT":
        course.after_step = pact.keep_clips_above(net, stage.recipe.slim.quant.min_clip)
    result = fit(course)
    (course.folder / METRICS).rename(stage.folder / _log_name(title))
    for left in course.folder.iterdir():
        left.unlink()
    course.folder.rmdir()
    return result.first, result.best


def _log_name(title: str) -> str:
    return f"{title.lower().replace('-', '')}.jsonl"


def _quantize(stage: _Stage, net: Network, plan: Plan, loss: Distillation | None) -> tuple[Metrics, Metrics, list[str]]:
    """Quantize ``net`` in place, train it and write its state.

    Args:
        stage: This stage.
        net: The float network.
        plan: That rebuilds its form.
        loss: Instead of the task's.

    Returns:
        Metrics after calibration alone, metrics of the trained network in the form that will be exported, and the
        files written.
    """
    settings, task = stage.recipe.slim.quant, stage.task
    freeze_batch_norm(net)  # before the first forward pass in training mode
    batches = list(_batches(stage, min(settings.samples, len(stage.train)), settings.train.batch_size))
    clips = pact.measure_clips(net, batches, settings.percentile, settings.min_clip)
    pact.quantize(net, exclude=settings.exclude, clip_l2=settings.clip_l2)
    pact.set_clips(net, clips)
    pact.calibrate(net, batches)
    first = pact.clips_of(net)
    calibrated, _ = _course(stage, "QAT", net, settings.train, loss)
    last = pact.clips_of(net)
    write_json(stage.folder / "clips.json", {name: {"start": first[name], "end": last[name]} for name in first})
    state = state_of(net)
    write_pdparams(stage.folder / BEST, state)
    exported = task.build()
    apply_plan(exported, plan)
    pact.quantize(exported, exclude=settings.exclude)
    load_weights(exported, pact.without_clips(read_pdparams(stage.folder / BEST)), stage.folder / BEST)
    return calibrated, task.evaluate(exported, stage.eval), ["clips.json", _log_name("QAT")]


def _batches(stage: _Stage, samples: int, size: int) -> Iterator[paddle.Tensor]:
    """Yield training pictures as the network sees them in its first epochs, evenly spread over the data."""
    dataset = stage.task.dataset(stage.train, seed=stage.recipe.seed)
    step = max(len(dataset) // samples, 1)
    keys = [(index * step // len(dataset), index * step % len(dataset)) for index in range(samples)]
    for begin in range(0, samples, size):
        items = [dataset[key] for key in keys[begin : begin + size]]
        yield paddle.to_tensor(stage.task.collate(items)["image"])
