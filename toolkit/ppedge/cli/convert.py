"""``ppedge convert``."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ppedge.cli.brought import from_onnx as bring_in_onnx
from ppedge.cli.brought import keys_of, recipe_of, tell_noted
from ppedge.cli.options import (
    Force,
    FromInference,
    FromOnnx,
    ImportedCharset,
    ImportedName,
    ImportedTask,
    Json,
    Out,
    Set,
    run_and_recipe,
    run_of,
)
from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    from ppedge.recipe.road import Recipe
    from ppedge.runs import Run

app = typer.Typer(add_completion=False)


class Precision(str, Enum):
    """What a .nb file's convolutions compute in."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


class Format(str, Enum):
    """Kinds of files."""

    nb = "nb"
    onnx = "onnx"


@app.command()
def convert(
    what: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN|RECIPE]",
            help="A run's folder (left out: the newest), or the recipe of an inference model.",
            show_default=False,
        ),
    ] = None,
    from_inference: FromInference = None,
    from_onnx: FromOnnx = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="PICTURES", help="With --from-onnx: pictures or a label file, to check it on as well."),
    ] = None,
    task: ImportedTask = None,
    name: ImportedName = None,
    charset: ImportedCharset = None,
    set_: Set = [],  # noqa: B006
    out: Out = None,
    target: Annotated[Literal["arm"], typer.Option(help="What the .nb files are for.")] = "arm",
    precision: Annotated[
        list[Precision] | None, typer.Option(help="May be repeated; by default as in the recipe.")
    ] = None,
    format_: Annotated[
        list[Format] | None, typer.Option("--format", help="May be repeated; by default as in the recipe.")
    ] = None,
    rewrite: Annotated[
        Literal["exact", "approximate", "none"] | None,
        typer.Option(help="Rewrite networks before they are converted; by default as in the recipe."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write Paddle Lite .nb and ONNX files of a run's networks, or of a model that is brought in.

    The same network gives the same .nb bytes; int8 that is not really int8 in its convolutions is an error; the ONNX
    file is compared with Paddle on the spot.
    """
    overrides = [f"convert.precisions=[{', '.join(p.value for p in precision)}]"] if precision else []
    overrides += [f"convert.formats=[{', '.join(f.value for f in format_)}]"] if format_ else []
    overrides += [f"convert.rewrite={rewrite}"] if rewrite else []
    keys = keys_of(task, name, charset)
    keep: Recipe | None = None
    if from_onnx is not None:
        if what is not None or from_inference is not None:
            raise PpedgeError(
                f"{what or from_inference}: with --from-onnx the network comes from {from_onnx}.",
                "Name the run's folder with --out.",
            )
        from_inference, keys = bring_in_onnx(from_onnx, data, keys, list(set_), out, force=force)
    elif data is not None:
        raise PpedgeError("--data: pictures to check an ONNX model on.", "It goes with --from-onnx FILE.")
    if from_inference is not None or (what is not None and what.is_file()):
        keep, recipe, opened = _bring_in(what, from_inference, keys, list(set_), overrides, out, from_onnx)
    elif keys or set_ or out is not None:
        raise PpedgeError(
            "--task, --name, --charset, --set and --out: a run that is there has its recipe already.",
            "They go with a recipe, with --from-inference DIR or with --from-onnx FILE.",
        )
    else:
        opened, recipe = run_and_recipe(what, overrides)
        keep = run_and_recipe(opened.path)[1]

    from ppedge.convert.stage import run_convert
    from ppedge.progress import Reporter

    files = run_convert(recipe, opened, keep=keep, force=force, say=Reporter().say)
    if as_json:
        emit({"task": recipe.task, "target": target, "files": files, "run": str(opened.path)})
        return
    for file, about in files.items():
        difference = about.get("difference_to_paddle")
        note = "" if difference is None else f"  largest difference to Paddle {difference:.2g}"
        say(f"{opened.stage('convert') / file}  {about['bytes']:,} bytes{note}")


def _bring_in(
    what: Path | None,
    folder: Path | None,
    keys: list[str],
    set_: list[str],
    overrides: list[str],
    out: Path | None,
    onnx: Path | None,
) -> tuple[Recipe, Recipe, Run]:
    """Return the recipe of an inference model, the same with what holds for this call alone, and its run.

    Args:
        what: A recipe, or a run whose recipe is taken; None: the recipe is made of the options.
        folder: The model's, where the command line names it.
        keys: Changes of the recipe by options of their own.
        set_: Changes of the recipe by ``--set``.
        overrides: Changes for this call alone.
        out: The run's folder, where the command line names it.
        onnx: The ONNX file that the model was made of, where it was.
    """
    from ppedge.recipe.io import load_recipe, make_recipe
    from ppedge.recipe.networks import Imported

    changes = keys + set_
    if what is None:
        assert folder is not None
        tell_noted(folder, onnx, changes)
        where = Path("--from-inference")
        keep = make_recipe(recipe_of(folder, changes), where, changes)
        recipe = make_recipe(recipe_of(folder, changes), where, changes + overrides)
        return keep, recipe, run_of(keep, out)
    path = what
    if what.is_dir():
        opened, _ = run_and_recipe(what)
        path, out = opened.recipe_path, out or what
    if folder is not None:
        if not isinstance(load_recipe(path).model, Imported):
            raise PpedgeError(
                f"{path}: its model names a network's parts, which is trained.",
                "Leave --from-inference out, or give model the key inference.",
            )
        changes = [f"model.inference={json.dumps(str(folder))}", *changes]
    keep = load_recipe(path, changes)
    if not isinstance(keep.model, Imported):
        raise PpedgeError(
            f"{path}: its network is to be trained first.",
            "Use `ppedge run`, or `ppedge train`, and name the run's folder here.",
        )
    return keep, load_recipe(path, changes + overrides), run_of(keep, out)
