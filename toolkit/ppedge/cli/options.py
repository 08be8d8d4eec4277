"""Options that several commands share, so that they are spelt and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ppedge.recipe.road import Recipe
    from ppedge.runs import Run

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe's YAML file.", show_default=False)]
RunFolder = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN]", help="A run's folder; left out: the newest, which is named.", show_default=False),
]
Set = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe; may be repeated.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or gpu:N.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier result.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="RUN", help="The run's folder; by default runs/<recipe>.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave bad labels and pictures out instead of refusing.")]
RecognizerName = Annotated[
    str | None,
    typer.Option(
        "--recognizer", metavar="NAME", help="The one that reads, of a bundle with several; by default its first."
    ),
]
FromInference = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Bring in a Paddle inference model (.pdmodel, .pdiparams).", show_default=False),
]
FromOnnx = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Bring in an ONNX model, checked against onnxruntime.", show_default=False),
]
ImportedTask = Annotated[
    Literal["det", "rec", "cls"] | None,
    typer.Option("--task", help="With --from-inference or --from-onnx; by default as the model's output says."),
]
ImportedName = Annotated[
    str | None, typer.Option("--name", help="With --from-inference: the run's name; by default the folder's.")
]
ImportedCharset = Annotated[
    str | None,
    typer.Option("--charset", metavar="FILE|NAME", help="With these: a recogniser's characters, if its file has none."),
]


def run_of(recipe: Recipe, out: Path | None) -> Run:
    """Return the run of a recipe: ``--out``, or the recipe's own folder under runs/."""
    from ppedge.runs import RUNS, Run

    return Run(out or RUNS / recipe.name)


def measuring(overrides: list[str]) -> list[str]:
    """Return changes of a recipe by which a network is measured: who names evaluation pictures alone means those."""
    named = {override.partition("=")[0] for override in overrides}
    return [*overrides, "data.test=[]"] if "data.eval" in named and "data.test" not in named else list(overrides)


def opened_run(folder: Path | None) -> Run:
    """Open a run; the newest one, which nobody named, is told before anything is done with it.

    Raises:
        PpedgeError: No run lies there.
    """
    from ppedge.cli.output import say
    from ppedge.runs import open_run

    run = open_run(folder)
    if folder is None:
        say(f"no run is named: taking the newest, {run.path}", err=True)
    return run


def run_and_recipe(folder: Path | None, overrides: list[str] | None = None) -> tuple[Run, Recipe]:
    """Open a run and the recipe kept in it.

    Raises:
        PpedgeError: No run lies there, or its recipe is damaged.
    """
    from ppedge.data.kept import kept_recipe

    run = opened_run(folder)
    return run, kept_recipe(run, overrides or [])
