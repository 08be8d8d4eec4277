"""``ppedge slim``."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from ppedge.cli.main import emit
from ppedge.cli.options import Device, Force, Json, RunFolder, Set, SkipBad, run_and_recipe

app = typer.Typer(add_completion=False)


class Pruning(str, Enum):
    """Ways to prune."""

    fpgm = "fpgm"
    arm = "arm"
    none = "none"


class Quantization(str, Enum):
    """Ways to quantize."""

    pact = "pact"
    none = "none"


@app.command()
def slim(
    run: RunFolder = None,
    prune: Annotated[Pruning | None, typer.Option(help="Pruning; by default as in the recipe.")] = None,
    quant: Annotated[Quantization | None, typer.Option(help="8-bit training; by default as in the recipe.")] = None,
    target_flops: Annotated[float | None, typer.Option(help="Share of the FLOPs to leave.")] = None,
    max_drop: Annotated[float | None, typer.Option(help="Largest predicted drop of the metric.")] = None,
    device: Device = "auto",
    set_: Set = [],  # noqa: B006
    force: Force = False,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Prune a trained network and make it 8 bit.

    Leaves plan.json (what is kept), sensitivity.json or reduction.json (what that rests on), pruned.pdparams (float)
    and best.pdparams in RUN/slim.
    """
    overrides = list(set_)
    for key, value in (("prune.method", prune), ("quant.method", quant)):
        if value is not None:
            overrides.append(f"slim.{key}={value.value}")
    for key, number in (("prune.target_flops", target_flops), ("prune.max_drop", max_drop)):
        if number is not None:
            overrides.append(f"slim.{key}={number}")
    opened, recipe = run_and_recipe(run, overrides)

    from ppedge.cli.counting import arm_counter
    from ppedge.progress import Reporter
    from ppedge.slim.stage import run_slim
    from ppedge.train.device import set_device

    used, count = set_device(device), arm_counter(recipe)
    metrics = run_slim(recipe, opened, device=used, count=count, force=force, skip_bad=skip_bad, reporter=Reporter())
    if as_json:
        emit({"task": recipe.task, "metrics": metrics, "run": str(opened.path)})
        return
    for step, found in metrics.items():
        shown = ", ".join(f"{k} {v:.4f}" for k, v in found.items()) if isinstance(found, dict) else f"{found:.3f}"
        typer.echo(f"{step:>10}  {shown}")
