"""Learned rounding as a step of the slim stage, in place of 8-bit training; an interruption loses one unit."""

from __future__ import annotations

import numpy as np

from ppedge.models.network import Network, copy_of
from ppedge.models.weights import read_pdparams, write_pdparams
from ppedge.slim.calibrating import Calibration, form_of
from ppedge.slim.context import Stage
from ppedge.slim.int8 import pact
from ppedge.slim.int8.bias import correct_bias
from ppedge.slim.int8.learned import Learned, learn_rounding
from ppedge.slim.int8.rounding import fake_quantized
from ppedge.slim.int8.units import units_of
from ppedge.slim.plan import Plan
from ppedge.storage import write_json

ROUNDING = "rounding.json"
KEPT = ".rounding"


def learn(stage: Stage, net: Network, plan: Plan, calibration: Calibration) -> dict[str, float]:
    """Quantize ``net`` in place with learned rounding, and return the clips by layer.

    The stage's metrics get those after calibration alone.

    Args:
        stage: This stage.
        net: The float network, calibrated; afterwards it has quantizers, without clips.
        plan: That rebuilds its form, and says which layers are quantized.
        calibration: Of the network.
    """
    settings = stage.recipe.slim.quant
    clips = {name: clip for name, clip in calibration.clips.items() if name not in plan.float_layers}
    with fake_quantized(net, clips):
        stage.note("calibrated", stage.task.evaluate(net, stage.eval), stage.tested(net))
    learned = _learned(stage, net, plan, clips, calibration)
    if settings.correct_bias:
        correct_bias(net, learned.roundings, calibration.batches)
    pact.quantize(net, float_names=plan.float_layers)
    pact.calibrate(net, calibration.batches)
    pact.set_scales(net, {name: one.clip for name, one in learned.roundings.items()})
    net.eval()
    return clips | {name: one.clip for name, one in learned.roundings.items()}


def _learned(stage: Stage, net: Network, plan: Plan, clips: dict[str, float], calibration: Calibration) -> Learned:
    """Learn the rounding of a network's units, write what it gave, and say so."""
    path = stage.folder / KEPT / "learned.pdparams"
    known = Learned.of_state(read_pdparams(path)) if path.is_file() else Learned()
    path.parent.mkdir(exist_ok=True)
    units = units_of(net, clips, calibration.batches[0])
    with stage.reporter.task("rounding, unit by unit", len(units), len(known.errors)) as bar:

        def keep(learned: Learned) -> None:
            write_pdparams(path, learned.state())
            bar.advance()

        learned = learn_rounding(
            net, copy_of(net, lambda: form_of(stage, plan)), units, clips, calibration.batches,
            stage.recipe.slim.quant.learn, stage.recipe.seed, known=known, keep=keep,
        )  # fmt: skip
    errors = {unit.name: learned.errors[unit.name] for unit in units}
    value = [{"unit": name, "nearest": before, "learned": after} for name, (before, after) in errors.items()]
    write_json(stage.folder / ROUNDING, {"units": value})
    stage.found.outputs.append(ROUNDING)
    before, after = np.mean(list(errors.values()), axis=0)
    stage.reporter.say(
        f"rounding learned in {len(units)} units of {len(learned.roundings)} layers: on average their error is "
        f"{after:.1e} of the variance, {before:.1e} with the nearest levels"
    )
    return learned
