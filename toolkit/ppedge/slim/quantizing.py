"""The slim stage's second step: which layers compute in 8 bits, and making them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from ppedge.data.source import spread
from ppedge.errors import PpedgeError
from ppedge.figures import held
from ppedge.metrics.scores import Metric
from ppedge.models.network import Network
from ppedge.models.weights import load_weights, read_pdparams, state_of, write_pdparams
from ppedge.slim.arm.distill import Distillation
from ppedge.slim.calibrating import Calibration, form_of
from ppedge.slim.context import Stage, train_course
from ppedge.slim.int8 import pact
from ppedge.slim.int8.bias import correct_bias
from ppedge.slim.int8.precision import CHOSEN, ERROR, EXCLUDED, Choice, LayerChoice, choose_precisions
from ppedge.slim.int8.rounding import nearest_of, output_errors
from ppedge.slim.learning import learn
from ppedge.slim.plan import Plan
from ppedge.storage import write_json
from ppedge.train.course import BEST

QUANTIZATION, CLIPS = "quantization.json", "clips.json"
MAX_ERROR = {"det": None, "rec": 4e-4, "cls": 4e-4}
"""Bound of the error at the output; 98 % of unseen lines are read as in float then, measured on receipts."""
MEASURED = 8  # pictures on which each layer's error in 8 bits is measured


def choose_precision(stage: Stage, net: Network, plan: Plan, calibration: Calibration) -> dict[str, str]:
    """Choose ``fp32`` or ``int8`` by layer, and write why."""
    if stage.recipe.slim.quant.method == "pact":
        return _wherever_borne(stage, net, calibration)
    return _where_it_gains(stage, net, plan, calibration)


def _wherever_borne(stage: Stage, net: Network, calibration: Calibration) -> dict[str, str]:
    """Choose 8 bits for all layers but those that cannot bear them: no training mends a clip that is wrong by half."""
    settings = stage.recipe.slim.quant
    precision = pact.precisions(net, settings.exclude)
    if settings.max_layer_error is None:
        return precision
    clips = {name: calibration.clips[name] for name, kind in precision.items() if kind == "int8"}
    with stage.reporter.task("8 bits, layer by layer", len(clips)) as bar:
        errors = output_errors(net, clips, calibration.batches[: _few(stage)], bar.advance)
    worst = [
        name for name in sorted(errors, key=errors.__getitem__, reverse=True) if errors[name] > settings.max_layer_error
    ]
    reasons = {name: CHOSEN if kind == "int8" else EXCLUDED for name, kind in precision.items()} | dict.fromkeys(
        worst, ERROR
    )
    precision |= dict.fromkeys(worst, "fp32")
    layers = [asdict(LayerChoice(name, kind, reasons[name], {}, errors.get(name))) for name, kind in precision.items()]
    write_json(stage.folder / QUANTIZATION, {"max_layer_error": settings.max_layer_error, "layers": layers})
    stage.found.outputs.append(QUANTIZATION)
    for name in worst:
        error, limit = held(100 * errors[name], 100 * settings.max_layer_error, digits=3)
        stage.reporter.say(
            f"{name} stays in float: in 8 bits it alone moves the output by {error} % of its variance, where "
            f"slim.quant.max_layer_error allows {limit} %"
        )
    return precision


def _where_it_gains(stage: Stage, net: Network, plan: Plan, calibration: Calibration) -> dict[str, str]:
    settings, task = stage.recipe.slim.quant, stage.task
    if stage.price is None:
        raise PpedgeError("Quantizing by arm needs predicted instructions, and nothing here predicts them.")
    # A network that has been trained is not fit for export, and weights change no cost.
    gains = stage.price(form_of(stage, plan)).gain
    samples = task.measurable(spread(stage.train, settings.samples))
    bound = settings.max_error or MAX_ERROR[stage.recipe.task]
    with stage.reporter.task("8 bits, layer by layer", len(gains)) as bar:
        choice = choose_precisions(
            net, gains, calibration.clips, calibration.batches, lambda: task.evaluate(net, samples)[task.main_metric],
            cores=settings.cores, max_drop=settings.max_drop, max_error=bound or math.inf,
            few=_few(stage), exclude=settings.exclude, wanted=stage.found.int8,
            advance=bar.advance,
        )  # fmt: skip
    found = choice.to_dict()
    free = stage.found.int8 is not None  # a budget's layers are held to no limits
    value = {"metric": task.main_metric, "samples": len(samples), "max_drop": None if free else settings.max_drop,
             "max_error": None if free else bound, "cores": settings.cores, **found}  # fmt: skip
    write_json(stage.folder / QUANTIZATION, value)
    stage.found.outputs.append(QUANTIZATION)
    for line in told(choice):
        stage.reporter.say(line)
    stage.reporter.say(
        f"int8 in {choice.taken} of {len(choice.layers)} layers; {task.main_metric} on training pictures: "
        f"{found['before']:.4f} in float, {found['after']:.4f} with them; error of the output {found['error']:.1e}"
    )
    return choice.precision


def _few(stage: Stage) -> int:
    """Return how many batches the errors of single layers are measured on."""
    return -(-MEASURED // stage.recipe.slim.quant.train.batch_size)


def told(choice: Choice) -> Iterator[str]:
    """Yield a line for each layer that gains, what it costs and what it saves, and one for all others together."""
    tried = [each for each in choice.layers if each.error is not None]
    if tried:
        yield "layers in the order taken, given back to float from the last on: error of the output, instructions saved"
    width = max((len(each.layer) for each in tried), default=0)
    for number, each in enumerate(tried, 1):
        saved = "  ".join(f"{core} {gain:,.0f}" for core, gain in each.gain.items())
        left = "" if each.precision == "int8" else f"  in float: {each.reason}"
        yield f"{number:4d}  {each.layer:{width}}  {each.error:.1e}  {saved}{left}"
    others = Counter(each.reason for each in choice.layers[len(tried) :])
    if others:
        yield "in float: " + ", ".join(f"{count} {reason}" for reason, count in others.items())


def quantized(stage: Stage, net: Network, plan: Plan, calibration: Calibration, loss: Distillation | None) -> Metric:
    """Quantize ``net`` in place, train it or learn its rounding, write its state and return its metric as exported.

    The stage's metrics get those after calibration alone, and those of the network in the form that will be exported.

    Args:
        stage: This stage.
        net: The float network.
        plan: That rebuilds its form, and says which layers are quantized.
        calibration: Of the network.
        loss: Instead of the task's, to train with.
    """
    task = stage.task
    if stage.recipe.slim.quant.rounding == "learned":
        last = learn(stage, net, plan, calibration)
        first = {name: calibration.clips[name] for name in last}
    else:
        first, last = _train(stage, net, plan, calibration, loss)
    stage.reporter.say(pact.describe_course(first, last))
    write_json(stage.folder / CLIPS, {name: {"start": first[name], "end": last[name]} for name in first})
    stage.found.outputs.append(CLIPS)
    write_pdparams(stage.folder / BEST, state_of(net))
    exported = form_of(stage, plan)
    pact.quantize(exported, float_names=plan.float_layers)
    load_weights(exported, pact.without_clips(read_pdparams(stage.folder / BEST)), stage.folder / BEST)
    slimmed = stage.report(exported)
    reported = slimmed.summary()
    stage.note("quantized", reported if stage.test is None else task.evaluate(exported, stage.eval), reported)
    return slimmed


def _train(
    stage: Stage, net: Network, plan: Plan, calibration: Calibration, loss: Distillation | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Quantize a network in place and train it; returns the clips by layer, as they start and as they end."""
    settings, task = stage.recipe.slim.quant, stage.task
    if settings.correct_bias:
        clips = {name: clip for name, clip in calibration.clips.items() if name not in plan.float_layers}
        correct_bias(net, nearest_of(net, clips), calibration.batches)
    pact.quantize(net, float_names=plan.float_layers, clip_l2=settings.clip_l2)
    pact.set_clips(net, calibration.clips)
    pact.calibrate(net, calibration.batches)
    first = pact.clips_of(net)
    trainee = pact.Quantized(net, loss or task.loss, settings.min_clip)
    original = None if loss is None else loss.only_teacher
    train_course(stage, "QAT", trainee, settings.train, "calibrated", original=original)
    return first, pact.clips_of(net)
