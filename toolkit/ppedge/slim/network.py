"""The networks of a finished run, as any later step rebuilds them: from recipe, plan and weights.

What chose the plan has no part in it.
"""

from __future__ import annotations

from pathlib import Path

from ppedge.errors import PpedgeError
from ppedge.models.folding import fold
from ppedge.models.network import Network
from ppedge.models.weights import load_weights, read_pdparams
from ppedge.runs import Run
from ppedge.slim.int8.pact import quantize, without_clips, without_quantizers
from ppedge.slim.plan import Plan, apply_plan
from ppedge.train.course import BEST
from ppedge.train.task import Task

PLAN, PRUNED = "plan.json", "pruned.pdparams"


def load_float(run: Run, task: Task, stage: str) -> Network:
    """Return a run's float network in eval mode, in the form that ships.

    Args:
        run: The run.
        task: Of its recipe.
        stage: ``train``: as trained; ``slim``: as pruned and fine-tuned.

    Raises:
        PpedgeError: Weights or plan are missing, changed, or do not fit.
    """
    if stage == "slim":
        return rebuilt(task, Plan.load(run.artifact("slim", PLAN)), run.artifact("slim", PRUNED))
    net, path = task.build(), run.artifact(stage, BEST)
    load_weights(net, read_pdparams(path), path)
    net.eval()
    return fold(net)


def rebuilt(task: Task, plan: Plan, weights: Path) -> Network:
    """Return a float network in eval mode, of the form that a plan makes of the recipe's.

    Args:
        task: Of the recipe.
        plan: What is kept of it.
        weights: Its file.

    Raises:
        PpedgeError: Weights or plan do not fit.
    """
    net = task.build_shipped()
    apply_plan(net, plan)
    load_weights(net, read_pdparams(weights), weights)
    net.eval()
    return net


def load_quantized(run: Run, task: Task) -> Network:
    """Return a run's quantized network in the form that is exported, in eval mode.

    Raises:
        PpedgeError: The slim stage quantized nothing, or its artifacts are missing, changed, or do not fit.
    """
    _require_quantized(run)
    net, plan = task.build_shipped(), Plan.load(run.artifact("slim", PLAN))
    apply_plan(net, plan)
    # Plans of schema 1 do not name precisions: then what the recipe excluded holds.
    exclude = [] if plan.precision else run.manifest("slim")["settings"]["quant"]["exclude"]
    quantize(net, exclude=exclude, float_names=plan.float_layers)
    path = run.artifact("slim", BEST)
    load_weights(net, without_clips(read_pdparams(path)), path)
    net.eval()
    return net


def load_unquantized(run: Run, task: Task) -> tuple[Network, dict[str, float]]:
    """Return the float network that carries a quantized one's weights, in eval mode, and its layers' input scales.

    Raises:
        PpedgeError: The slim stage quantized nothing, or its artifacts are missing, changed, or do not fit.
    """
    _require_quantized(run)
    net = task.build_shipped()
    apply_plan(net, Plan.load(run.artifact("slim", PLAN)))
    path = run.artifact("slim", BEST)
    weights, scales = without_quantizers(read_pdparams(path))
    load_weights(net, weights, path)
    net.eval()
    return net, scales


def _require_quantized(run: Run) -> None:
    if not is_quantized(run):
        raise PpedgeError(f"{run.path}: has no quantized network.", "Run `ppedge slim --quant pact`.")


def is_quantized(run: Run) -> bool:
    """Whether the run's slim stage quantized its network."""
    return run.done("slim") and run.manifest("slim")["quant"] != "none"
