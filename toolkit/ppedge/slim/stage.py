"""The slim stage: plan, training of what the plan leaves, quantization-aware training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paddle

from ppedge.errors import PpedgeError
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
from ppedge.slim.precision import Gains, choose_precisions
from ppedge.slim.search import Point, frontier
from ppedge.slim.sensitivity import choose, measure, trial_counts
from ppedge.train.loop import BEST, METRICS, Course, fit, freeze_batch_norm
from ppedge.train.stage import stage_inputs
from ppedge.train.task import Task

SENSITIVITY, REDUCTION, QUANTIZATION = "sensitivity.json", "reduction.json", "quantization.json"
Metrics = dict[str, float]
BATCH = 4
MEASURED = 8  # pictures on which each layer's error in 8 bits is measured
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
    gains: Gains | None = None


@dataclass(frozen=True)
class _Calibration:
    """Pictures to quantize by, and the magnitude that each layer's input is clipped to."""

    batches: list[paddle.Tensor]
    clips: dict[str, float]


def run_slim(
    recipe: Recipe,
    run: Run,
    *,
    device: str,
    count: Counter | None = None,
    price: Price | None = None,
    gains: Gains | None = None,
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
        gains: Predicts what layers save in int8; needed where the recipe quantizes by ``arm``.
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
        stage = _Stage(recipe, run, task, folder, reporter, train, evaluation, device, count, price, gains)
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
        quant = settings.quant.method
        if quant != "none":
            calibration = _calibration(stage, net)
            precision, wrote = _precisions(stage, net, plan, calibration)
            plan = replace(plan, precision=precision)
            outputs += wrote
            quant = quant if "int8" in precision.values() else "none"
        plan.save(folder / PLAN)
        write_pdparams(folder / PRUNED, state_of(net))
        float_layers: list[str] = []
        if quant != "none":
            float_layers = pact.left_in_float(net, plan.precision)
            reporter.say(f"left in float: {', '.join(float_layers) or 'nothing'}")
            metrics["calibrated"], metrics["quantized"], wrote = _quantize(stage, net, plan, calibration, distillation)
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
            quant=quant,
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
    samples = task.measurable(_spread(stage.train, settings.samples))
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
        course.log_also = lambda: {"clips": pact.clips_of(net)}
    result = fit(course)
    (course.folder / METRICS).rename(stage.folder / _log_name(title))
    for left in course.folder.iterdir():
        left.unlink()
    course.folder.rmdir()
    return result.first, result.best


def _log_name(title: str) -> str:
    return f"{title.lower().replace('-', '')}.jsonl"


def _calibration(stage: _Stage, net: Network) -> _Calibration:
    """Return calibration batches and each layer's clip; ``net``'s BatchNorm is frozen from here on."""
    settings = stage.recipe.slim.quant
    freeze_batch_norm(net)  # before the first forward pass in training mode
    batches = list(_batches(stage, min(settings.samples, len(stage.train)), settings.train.batch_size))
    return _Calibration(batches, pact.measure_clips(net, batches, settings.percentile, settings.min_clip))


def _precisions(stage: _Stage, net: Network, plan: Plan, calibration: _Calibration) -> tuple[dict[str, str], list[str]]:
    """Choose ``fp32`` or ``int8`` by layer; return that, and the files written about it."""
    settings, task = stage.recipe.slim.quant, stage.task
    if settings.method == "pact":
        return pact.precisions(net, settings.exclude), []
    if stage.gains is None:
        raise PpedgeError("Quantizing by arm needs predicted instructions, and nothing here predicts them.")
    form = task.build()  # a network that has been trained is not fit for export, and weights change no cost
    apply_plan(form, plan)
    gains = stage.gains(form)
    samples = task.measurable(_spread(stage.train, settings.samples))
    net.eval()
    with stage.reporter.task("8 bits, layer by layer", len(gains)) as bar:
        choice = choose_precisions(
            net, gains, calibration.clips, calibration.batches[: -(-MEASURED // settings.train.batch_size)],
            lambda: task.evaluate(net, samples)[task.main_metric],
            cores=settings.cores, max_drop=settings.max_drop, exclude=settings.exclude, advance=bar.advance,
        )  # fmt: skip
    found = choice.to_dict()
    value = {"metric": task.main_metric, "samples": len(samples), "max_drop": settings.max_drop,
             "cores": settings.cores, **found}  # fmt: skip
    write_json(stage.folder / QUANTIZATION, value)
    stage.reporter.say(
        f"int8 in {choice.taken} of {len(choice.layers)} layers; {task.main_metric} on training pictures: "
        f"{found['before']:.4f} in float, {found['after']:.4f} with them"
    )
    return choice.precision, [QUANTIZATION]


def _quantize(
    stage: _Stage, net: Network, plan: Plan, calibration: _Calibration, loss: Distillation | None
) -> tuple[Metrics, Metrics, list[str]]:
    """Quantize ``net`` in place, train it and write its state.

    Args:
        stage: This stage.
        net: The float network.
        plan: That rebuilds its form, and says which layers are quantized.
        calibration: Of the network.
        loss: Instead of the task's.

    Returns:
        Metrics after calibration alone, metrics of the trained network in the form that will be exported, and the
        files written.
    """
    settings, task = stage.recipe.slim.quant, stage.task
    pact.quantize(net, float_names=plan.float_layers, clip_l2=settings.clip_l2)
    pact.set_clips(net, calibration.clips)
    pact.calibrate(net, calibration.batches)
    first = pact.clips_of(net)
    calibrated, _ = _course(stage, "QAT", net, settings.train, loss)
    last = pact.clips_of(net)
    stage.reporter.say(pact.describe_course(first, last))
    write_json(stage.folder / "clips.json", {name: {"start": first[name], "end": last[name]} for name in first})
    state = state_of(net)
    write_pdparams(stage.folder / BEST, state)
    exported = task.build()
    apply_plan(exported, plan)
    pact.quantize(exported, float_names=plan.float_layers)
    load_weights(exported, pact.without_clips(read_pdparams(stage.folder / BEST)), stage.folder / BEST)
    return calibrated, task.evaluate(exported, stage.eval), ["clips.json", _log_name("QAT")]


def _spread(samples: Sequence[Any], count: int) -> Sequence[Any]:
    """Return so many of the samples, evenly spread."""
    return samples[:: max(len(samples) // count, 1)][:count]


def _batches(stage: _Stage, samples: int, size: int) -> Iterator[paddle.Tensor]:
    """Yield training pictures as the network sees them in its first epochs, evenly spread over the data."""
    dataset = stage.task.dataset(stage.train, seed=stage.recipe.seed)
    step = max(len(dataset) // samples, 1)
    keys = [(index * step // len(dataset), index * step % len(dataset)) for index in range(samples)]
    for begin in range(0, samples, size):
        items = [dataset[key] for key in keys[begin : begin + size]]
        yield paddle.to_tensor(stage.task.collate(items)["image"])
