"""The slim stage's first step: fewer channels, by FPGM or by what the ARM core executes."""

from __future__ import annotations

import time
from typing import Any

from ppedge.data.source import spread
from ppedge.data.unlabelled import unlabelled
from ppedge.models.flops import count_flops
from ppedge.models.network import Network, copy_of
from ppedge.models.weights import state_of
from ppedge.progress import roughly
from ppedge.recipe.sizes import trace_shape
from ppedge.slim import domain
from ppedge.slim.arm.distill import Distillation
from ppedge.slim.arm.slimming import ArmSlimming
from ppedge.slim.arm.understood import backbone_maps
from ppedge.slim.box_thresh import choose_box_thresh
from ppedge.slim.channels.fpgm import flops_left, keep_channels, keep_count
from ppedge.slim.channels.groups import Group, trace
from ppedge.slim.channels.sensitivity import choose, measure, trial_counts
from ppedge.slim.context import Stage, batches, train_course
from ppedge.slim.interruption import cut_network, keep, kept_plan
from ppedge.slim.plan import Plan, apply_plan
from ppedge.storage import write_json
from ppedge.train.trainees.base import Trainee

SENSITIVITY, REDUCTION = "sensitivity.json", "reduction.json"
BATCH = 4
PICTURES = 80
"""That choose a box score."""
TELLING = 3
"""So many measurements tell how long all of them will take."""


def pruned(stage: Stage, trained: Network) -> tuple[Plan, Network, Distillation | None]:
    """Prune a copy of the network as trained by the recipe's method, if there is one, and train what is left of it.

    What an interrupted attempt has pruned is taken up. Files that say why it was pruned so are written into the stage's
    folder.

    Returns:
        The plan, the slim network, and the loss with which it learns from the network as trained, if it does.
    """
    settings = stage.recipe.slim.prune
    plan = kept_plan(stage)
    if plan is None:
        net, plan = copy_of(trained, stage.task.build_shipped), Plan("none", {}, {})
        if settings.method == "fpgm":
            plan = _prune_by_fpgm(stage, net)
        elif settings.method == "arm":
            plan = _reduce_for_arm(stage, trained, net)
        keep(stage, plan, net)
    net = cut_network(stage, plan)
    if settings.method != "arm":
        # Whoever brings a network in has no labels, so it learns from itself as it came.
        itself = None
        if stage.recipe.brought_in:
            itself = Distillation(trained, stage.recipe.task, kept=_kept(plan, trained), robust=True)
        if settings.method == "fpgm":
            original = None if itself is None else itself.only_teacher
            train_course(stage, "fine-tune", Trainee(net, itself or stage.task.loss), settings.finetune, "pruned",
                         "finetuned", original=original)  # fmt: skip
            _choose_box_thresh(stage, net, "finetuned", original)
        return plan, net, itself
    schedule = settings.arm.distill
    loss = Distillation(trained, stage.recipe.task, labels=schedule.labels, task_loss=stage.task.loss,
                        kept=_kept(plan, trained), robust=stage.recipe.brought_in,
                        maps=backbone_maps(trained))  # fmt: skip
    train_course(stage, "distil", Trainee(net, loss), schedule, "reduced", "distilled", more=_further_pictures(stage),
                 original=loss.only_teacher)  # fmt: skip
    _choose_box_thresh(stage, net, "distilled", loss.only_teacher)
    return plan, net, loss


def _choose_box_thresh(stage: Stage, net: Network, step: str, original: Network | None) -> None:
    """Choose what a detector's boxes must score, and note the metrics of a step anew if it is another score.

    Training pictures help out where the evaluation data are few, and the network has learned from the original alone:
    of pictures whose labels it has learned it is surer than of others.
    """
    stage.found.box_thresh = None  # what an interrupted attempt has found is found again
    samples = spread(stage.eval, PICTURES)
    if original is not None:
        samples += spread(stage.train, PICTURES - len(samples))
    choose_box_thresh(stage, net, samples)
    if stage.found.box_thresh is not None:
        stage.note(step, stage.task.compare(net, original, stage.eval), stage.tested(net))


def _further_pictures(stage: Stage) -> list[Any]:
    """Return the samples without labels that distillation learns from beside the training data."""
    source = stage.recipe.slim.prune.arm.distill.pictures
    if source is None:
        return []
    samples, skipped = unlabelled(stage.recipe, source, "Name pictures by slim.prune.arm.distill.pictures.",
                                  skip_bad=stage.skip_bad)  # fmt: skip
    left_out = f", {skipped} left out" if skipped else ""
    stage.reporter.say(f"learns from {len(samples)} pictures of {source} beside the training data{left_out}")
    return samples


def _kept(plan: Plan, trained: Network) -> list[int] | None:
    """Return the channels that a plan keeps of what a detector's slim network is taught; None if it keeps all."""
    return plan.keep.get(f"{trained.taught_at}.weight", {}).get(0)


def _prune_by_fpgm(stage: Stage, net: Network) -> Plan:
    """Choose a plan, save what it rests on, and prune ``net`` by it."""
    settings, task = stage.recipe.slim.prune, stage.task
    shape = trace_shape(stage.recipe)
    groups = trace(task.build_shipped(), shape, settings.exclude).groups
    macs = count_flops(net, shape)
    state = state_of(net)
    shapes = {name: value.shape for name, value in state.items()}
    if settings.mode == "flat":
        counts = {group: keep_count(group.channels, settings.ratio, settings.multiple) for group in groups}
    else:
        counts, predicted = _by_sensitivity(stage, net, groups, macs, shapes)
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
    stage.found.metrics["flops_left"] = left
    return plan


def _by_sensitivity(
    stage: Stage, net: Network, groups: list[Group], macs: dict[str, int], shapes: dict[str, Any]
) -> tuple[dict[Group, int], float]:
    settings, task = stage.recipe.slim.prune, stage.task
    samples = task.measurable(spread(stage.train, settings.samples))
    tries = sum(len(trial_counts(group, settings.ratios, settings.multiple)) for group in groups)
    began = time.monotonic()
    with stage.reporter.task("sensitivity", tries) as bar:

        def advance() -> None:
            bar.advance()
            if bar.done == min(tries, TELLING):
                # The network as it came was measured too.
                left = (time.monotonic() - began) / (bar.done + 1) * (tries - bar.done)
                stage.reporter.say(
                    f"sensitivity: {len(groups)} groups of channels, {tries} measurements on {len(samples)} pictures: "
                    f"{roughly(left)}; fewer slim.prune.samples or ratios take less, slim.prune.mode=flat takes none"
                )

        found = measure(
            net, groups, settings.ratios, settings.multiple,
            lambda: task.evaluate(net, samples)[task.main_metric], advance,
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
    stage.found.outputs.append(SENSITIVITY)
    return kept, predicted


def _reduce_for_arm(stage: Stage, teacher: Network, net: Network) -> Plan:
    """Slim ``net``, a copy of the teacher, for ARM, and write what each step cost."""
    shift = domain.measure(teacher, stage.task, stage.train, stage.eval)
    if shift is not None:
        stage.found.domain = shift.entry()
        if shift.different:
            stage.reporter.say(shift.warning())
    slimming = arm_slimming(stage, teacher, net)
    plan = slimming.run()
    stage.found.int8 = slimming.int8
    found = {"input_shape": slimming.input_shape, "domain": stage.found.domain, "steps": slimming.steps}
    write_json(stage.folder / REDUCTION, found)
    stage.found.outputs.append(REDUCTION)
    stage.found.metrics["macs_left"] = slimming.steps[-1]["macs"] / slimming.steps[0]["macs"]
    return plan


def arm_slimming(stage: Stage, teacher: Network, net: Network) -> ArmSlimming:
    """Prepare to slim ``net``, a copy of the teacher, by the recipe; nothing is computed."""
    settings, quant, task = stage.recipe.slim.prune, stage.recipe.slim.quant, stage.task
    shape = trace_shape(stage.recipe)
    samples = task.measurable(spread(stage.train, settings.samples))
    return ArmSlimming(
        teacher, net, trace(task.build_shipped(), shape), list(batches(stage, settings.arm.samples, BATCH)),
        settings.arm, shape, task.build_shipped, settings.exclude, settings.multiple, stage.count, stage.price,
        quant if quant.method == "arm" else None, lambda net: task.evaluate(net, samples)[task.main_metric],
        stage.reporter,
    )  # fmt: skip
