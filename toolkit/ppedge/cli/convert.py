"""``ppedge convert``."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

import typer

from ppedge.cli.main import emit
from ppedge.cli.options import Force, Json, RunFolder, run_and_recipe

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
    run: RunFolder = None,
    target: Annotated[Literal["arm"], typer.Option(help="What the .nb files are for.")] = "arm",
    precision: Annotated[
        list[Precision] | None, typer.Option(help="May be repeated; by default as in the recipe.")
    ] = None,
    format_: Annotated[
        list[Format] | None, typer.Option("--format", help="May be repeated; by default as in the recipe.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write Paddle Lite .nb and ONNX files of a run's networks.

    The same network gives the same .nb bytes; int8 that is not really int8 in its convolutions is an error; the ONNX
    file is compared with Paddle on the spot.
    """
    overrides = [f"convert.precisions=[{', '.join(p.value for p in precision)}]"] if precision else []
    overrides += [f"convert.formats=[{', '.join(f.value for f in format_)}]"] if format_ else []
    opened, recipe = run_and_recipe(run, overrides)

    from ppedge.convert.stage import run_convert
    from ppedge.progress import Reporter

    files = run_convert(recipe, opened, force=force, say=Reporter().say)
    if as_json:
        emit({"task": recipe.task, "target": target, "files": files, "run": str(opened.path)})
        return
    for name, about in files.items():
        difference = about.get("difference_to_paddle")
        note = "" if difference is None else f"  largest difference to Paddle {difference:.2g}"
        typer.echo(f"{opened.stage('convert') / name}  {about['bytes']:,} bytes{note}")
