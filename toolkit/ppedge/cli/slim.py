"""``ppedge slim``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppedge.cli.brought import Brought, bring_in, keys_of, tell_noted
from ppedge.cli.brought import from_onnx as bring_in_onnx
from ppedge.cli.options import (
    Device,
    Force,
    FromInference,
    FromOnnx,
    ImportedCharset,
    ImportedName,
    ImportedTask,
    Json,
    Out,
    RunFolder,
    Set,
    SkipBad,
    run_and_recipe,
)
from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError
from ppedge.signals import import_paddle

if TYPE_CHECKING:
    from ppedge.recipe.road import Recipe
    from ppedge.recipe.slim import Prune
    from ppedge.runs import Run
    from ppedge.slim.arm.search import Point

app = typer.Typer(add_completion=False)


class Pruning(str, Enum):
    """Ways to prune."""

    fpgm = "fpgm"
    arm = "arm"
    none = "none"


class Quantization(str, Enum):
    """Ways to quantize."""

    pact = "pact"
    arm = "arm"
    none = "none"


class Rounding(str, Enum):
    """Ways to find the level that a weight in 8 bits takes."""

    nearest = "nearest"
    learned = "learned"


@app.command()
def slim(
    run: RunFolder = None,
    prune: Annotated[Pruning | None, typer.Option(help="Pruning; by default as in the recipe.")] = None,
    quant: Annotated[Quantization | None, typer.Option(help="Layers in 8 bits; by default as in the recipe.")] = None,
    rounding: Annotated[
        Rounding | None,
        typer.Option(help="Of weights in 8 bits: nearest, by training; learned: instead of training, without labels."),
    ] = None,
    target_flops: Annotated[float | None, typer.Option(help="For FPGM: share of the FLOPs to leave.")] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(help="Largest drop of the metric: FPGM's predicted one; of arm the untrained network's."),
    ] = None,
    budget: Annotated[
        list[str],
        typer.Option(
            metavar="CORE=SHARE", help="For arm: instructions to leave, as a53=0.35, and bytes, as nb=0.25; may repeat."
        ),
    ] = [],  # noqa: B006
    frontier: Annotated[
        bool, typer.Option("--frontier", help="For arm: print five budgets that can be met, by prediction, and end.")
    ] = False,
    from_inference: FromInference = None,
    from_onnx: FromOnnx = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURES",
            help="For a network brought in: what it learns from, a folder of pictures or a label file.",
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Likewise: labels to report its metric on.")
    ] = None,
    task: ImportedTask = None,
    name: ImportedName = None,
    charset: ImportedCharset = None,
    out: Out = None,
    device: Device = "auto",
    set_: Set = [],  # noqa: B006
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted slimming stopped.")] = False,
    force: Force = False,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Prune a trained network, or one that is brought in, and make it 8 bit.

    Leaves plan.json (what is kept), sensitivity.json, reduction.json or quantization.json (what that rests on),
    pruned.pdparams (float) and best.pdparams in RUN/slim. Once the network is pruned, an interruption loses nothing:
    --resume goes on from there. A metric that falls by more than the recipe's slim.max_metric_drop ends in exit code 1;
    the files are kept.

    A network that is brought in needs pictures and no labels: it learns from itself as it came, and its metric is how
    far it agrees with that on pictures that are kept apart. By default it is slimmed by --prune arm --quant arm.
    """
    keys = keys_of(task, name, charset)
    brought = None
    if from_onnx is not None:
        if from_inference is not None:
            raise PpedgeError("--from-inference and --from-onnx: two networks.", "Name one of them.")
        _require_new(run, data, "--from-onnx")
        from_inference, keys = bring_in_onnx(from_onnx, data, keys, list(set_), out, force=force)
    if from_inference is not None:
        _require_new(run, data, "--from-inference")
        assert data is not None
        tell_noted(from_inference, from_onnx, [*keys, *set_])
        brought = Brought(from_inference, data, labels, [*keys, *set_], out)
    elif keys or data or labels or out:
        raise PpedgeError(
            "--data, --labels, --task, --name, --charset and --out: a run that is there has its recipe already.",
            "They go with --from-inference DIR or --from-onnx FILE.",
        )

    def opened_with(changes: list[str]) -> tuple[Run, Recipe]:
        return run_and_recipe(run, changes) if brought is None else brought.recipe(changes)

    overrides = [] if brought else list(set_)
    for key, value in (("prune.method", prune), ("quant.method", quant), ("quant.rounding", rounding)):
        if value is not None:
            overrides.append(f"slim.{key}={value.value}")
    if target_flops is not None:
        overrides.append(f"slim.prune.target_flops={target_flops}")
    overrides += _budgets(budget)
    opened, recipe = opened_with(overrides)
    run = opened.path  # the newest, where none was named, is told once
    if max_drop is not None:
        key = "prune.arm.max_drop" if recipe.slim.prune.method == "arm" else "prune.max_drop"
        opened, recipe = opened_with([*overrides, f"slim.{key}={max_drop}"])
    if rounding is not None and recipe.slim.quant.method == "none":
        raise PpedgeError(
            "--rounding is for 8 bits, and slim.quant.method is none.", "Add --quant pact or --quant arm."
        )
    _check_fitting(recipe.slim.prune, target_flops, max_drop, for_arm=bool(budget or frontier))
    if frontier and max_drop is not None:
        raise PpedgeError("--frontier and --max-drop: the frontier shows what every budget gives.", "Leave one out.")

    import_paddle()  # first of all: the modules below import it, in an order of their own

    from ppedge.cost.network import arm_counter, arm_pricer
    from ppedge.data.source import reporting_split
    from ppedge.progress import Reporter
    from ppedge.slim.stage import require_kept, run_slim, slim_frontier
    from ppedge.train.device import set_device

    used, price = set_device(device), arm_pricer(recipe)
    if brought is not None:
        bring_in(recipe, opened, device=used, resume=resume, force=force, skip_bad=skip_bad)
    if frontier:
        _show_frontier(slim_frontier(recipe, opened, price=price, skip_bad=skip_bad, reporter=Reporter()), as_json)
        return
    metrics = run_slim(
        recipe, opened, device=used, count=arm_counter(recipe), price=price, resume=resume, force=force,
        skip_bad=skip_bad, reporter=Reporter(),
    )  # fmt: skip
    if as_json:
        emit({"task": recipe.task, "metrics": metrics, "measured_on": reporting_split(recipe),
              "drop": opened.manifest("slim")["drop"], "run": str(opened.path)})  # fmt: skip
    else:
        say(f"metrics on {reporting_split(recipe)}:")
        for step, found in metrics.items():
            shown = ", ".join(f"{k} {v:.4f}" for k, v in found.items()) if isinstance(found, dict) else f"{found:.3f}"
            say(f"{step:>10}  {shown}")
    require_kept(opened)


def _require_new(run: Path | None, data: Path | None, option: str) -> None:
    """Check that a network which is brought in has no run yet, and something to learn from."""
    if run is not None:
        raise PpedgeError(
            f"{run}: a run's folder and {option} are two networks.", "Name the new run's folder with --out."
        )
    if data is None:
        raise PpedgeError(
            f"{option}: there is nothing to learn from.", "Name a folder of pictures with --data; no labels are needed."
        )


def _check_fitting(prune: Prune, target_flops: float | None, max_drop: float | None, *, for_arm: bool) -> None:
    """Refuse options that the way of pruning would not look at."""
    method = prune.method
    if for_arm and method != "arm":
        raise PpedgeError("--budget and --frontier are for pruning by arm.", "Add --prune arm.")
    if target_flops is not None and method != "fpgm":
        raise PpedgeError("--target-flops is for pruning by FPGM.", "Add --prune fpgm; of arm ask for a --budget.")
    if max_drop is not None and method == "none":
        raise PpedgeError(
            "--max-drop is for pruning.", f"For 8 bits by arm write --set slim.quant.max_drop={max_drop}."
        )
    if method == "fpgm" and prune.mode == "flat":
        for option, value in (("--target-flops", target_flops), ("--max-drop", max_drop)):
            if value is not None:
                raise PpedgeError(
                    f"{option}: slim.prune.mode flat takes the share slim.prune.ratio of all layers' channels.",
                    "Leave it out, or add --set slim.prune.mode=sensitivity.",
                )


def _budgets(given: list[str]) -> list[str]:
    """Return budgets as changes of the recipe; one option may hold several, with spaces between."""
    overrides = []
    for item in " ".join(given).split():
        core, equals, share = item.partition("=")
        if not (core and equals and share):
            raise PpedgeError(f"--budget {item}: not a core and a share.", "Write --budget a53=0.35.")
        overrides.append(f"slim.prune.arm.budget.{core}={share}")
    return overrides


def _show_frontier(points: list[Point], as_json: bool) -> None:
    from dataclasses import asdict

    from ppedge.slim.arm.meeting import told

    if as_json:
        emit({"frontier": [asdict(point) for point in points]})
        return
    for point in points:
        say(f'--budget "{told(point.shares)}"  {point.quality}')
