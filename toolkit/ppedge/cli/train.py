"""``ppedge train``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ppedge.cli.options import Device, Force, Json, Out, RecipeFile, Set, SkipBad, run_of
from ppedge.cli.output import emit, say
from ppedge.process import die_with_parent

app = typer.Typer(add_completion=False)


@app.command()
def train(
    recipe: RecipeFile,
    device: Device = "auto",
    nproc: Annotated[int, typer.Option(min=1, help="Processes; more than one uses paddle.distributed.launch.")] = 1,
    set_: Set = [],  # noqa: B006
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted training stopped.")] = False,
    out: Out = None,
    force: Force = False,
    skip_bad: SkipBad = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files for TensorBoard into RUN/tensorboard, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe.

    Leaves best.pdparams, last.ckpt and metrics.jsonl in RUN/train. Ctrl-C leaves a checkpoint; --resume goes on from
    it.
    """
    from ppedge.recipe.io import load_recipe

    loaded = load_recipe(recipe, set_)
    run = run_of(loaded, out)

    from ppedge.train.launch import launch, launched

    if nproc > 1 and not launched():
        launch(sys.argv[1:], nproc, run.path / "logs")
        return

    import paddle

    from ppedge.figures import figure
    from ppedge.metrics.bootstrap import Measured
    from ppedge.metrics.few import told
    from ppedge.progress import Reporter
    from ppedge.train.device import set_device
    from ppedge.train.stage import run_train

    used = set_device(device)
    if launched():
        die_with_parent()  # Paddle's launcher does not see to that
        paddle.distributed.init_parallel_env()
    reporter = Reporter(quiet=paddle.distributed.get_rank() > 0)
    metrics = run_train(
        loaded, run, device=used, resume=resume, force=force, skip_bad=skip_bad, tensorboard=tensorboard,
        reporter=reporter,
    )  # fmt: skip
    if paddle.distributed.get_rank() > 0:
        return
    about = run.manifest("train")
    split, chosen_by = about["measured_on"], about.get("chosen_by")
    if as_json:
        emit({"task": loaded.task, "metrics": metrics, "measured_on": split, "chosen_by": chosen_by,
              "run": str(run.path)})  # fmt: skip
        return
    sure = {name: Measured(metrics[name], low, high) for name, (low, high) in about.get("intervals", {}).items()}
    shown = ", ".join(
        f"{name} {told(sure[name]) if name in sure else figure(value, 4)}" for name, value in metrics.items()
    )
    chose = ", ".join(f"{name} {figure(value, 4)}" for name, value in (chosen_by or {}).items())
    say(f"{run.stage('train')}: on {split}: {shown}" + (f" (on eval, which chose: {chose})" if chose else ""))
