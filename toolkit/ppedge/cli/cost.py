"""``ppedge cost``: what each operator costs on an ARM core."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ppedge.cli.options import Json
from ppedge.cli.output import Justify, emit, print_table, say
from ppedge.errors import PpedgeError

app = typer.Typer(add_completion=False)
_BAR = 24  # characters of the worst operator's bar
_LEAST, _MOST = 1, 4096  # pixels of a side


@app.command()
def cost(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run's folder, or a .nb file; left out: the newest run, which is named.",
            show_default=False,
        ),
    ] = None,
    cpu: Annotated[list[str], typer.Option(help="The core; may be repeated. Default: cortex-a53, cortex-a76.")] = [],  # noqa: B006
    precision: Annotated[
        list[str], typer.Option(help="fp32, fp16 or int8; may be repeated. Default: fp32 and int8, as far as there.")
    ] = [],  # noqa: B006
    size: Annotated[str, typer.Option(metavar="HxW", help="The input in pixels. Default: what validate counts.")] = "",
    predict: Annotated[
        bool, typer.Option("--predict", help="By the table that ships with ppedge, no runtime.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Operators to list on the screen.")] = 20,
    allow_older_runtime: Annotated[
        bool, typer.Option("--allow-older-runtime", help="Use a Paddle Lite older than the opt that wrote the .nb.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what each operator costs, worst first, in instructions of Paddle Lite's ARM kernels.

    Counted under the emulator where Paddle Lite's runtime is registered, else predicted from a table.
    """  # fmt: skip
    from ppedge.artifacts import Converted
    from ppedge.cost.dearer import dearer_in_8_bits
    from ppedge.cost.report import cost_of, runtime_there

    files, shape = _files(run, precision, size)
    predicted = predict or not runtime_there()
    reports = [
        cost_of(path, core, shape, layers=layers, predicted=predicted, allow_older_runtime=allow_older_runtime,
                tell=lambda text: say(text, err=True))
        for path, layers in files
        for core in cpu or _cores()
    ]  # fmt: skip
    if as_json:
        emit(reports)
        return
    for report in reports:
        _show(report, limit)
    named = [(report, Converted.parse(Path(report["file"]).name)) for report in reports]
    for sentence in dearer_in_8_bits(
        {(one["cpu"], file.precision): one["instructions"] for one, file in named if file}
    ):
        say(sentence)
    if predicted and not predict:
        say("Paddle Lite's runtime is not registered (`ppedge arm setup --lite DIR`): the cost is predicted.")


def _cores() -> tuple[str, ...]:
    from ppedge.cost.operators import CORES

    return CORES


def _files(
    run: Path | None, precisions: list[str], size: str
) -> tuple[list[tuple[Path, dict[str, str]]], tuple[int, ...]]:
    """Return the files with the names of their layers, and the input's shape."""
    from ppedge.cost.report import files_of, layer_names
    from ppedge.recipe.sizes import COUNT_SIDE, count_size

    if run is not None and run.suffix == ".nb":
        if precisions:
            raise PpedgeError("--precision: a file has its own.", "Leave it out, or name a run.")
        return [(run, {})], _shape(size, COUNT_SIDE, COUNT_SIDE)
    from ppedge.cli.options import run_and_recipe

    opened, recipe = run_and_recipe(run)
    found = [(path, layer_names(opened, path)) for path in files_of(opened, precisions or ["fp32", "int8"])]
    return found, _shape(size, *count_size(recipe))


def _shape(size: str, height: int, width: int) -> tuple[int, ...]:
    if size:
        sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
        if sides is None or not all(_LEAST <= int(side) <= _MOST for side in sides.groups()):
            raise PpedgeError(f"--size {size}: not a height and a width.", f"Write 320x640; at most {_MOST} each.")
        height, width = int(sides[1]), int(sides[2])
    return 1, 3, height, width


def _show(report: dict[str, Any], limit: int) -> None:
    rows = report["operators"]
    shape = "x".join(map(str, report["input_shape"]))
    how = "by" if report["source"] == "counted" else "by the table of"
    least = "at least " if report["lower_bound"] else ""
    say(
        f"{report['file']} on {report['cpu']} at {shape}: {least}{report['instructions'] / 1e6:.2f} M instructions, "
        f"{_per_ideal(report) or 'not known'} per ideal, {report['source']} {how} {report['runtime']}"
    )
    if report["warning"]:
        say(report["warning"])
    worst = max(rows[0]["instructions"] or 0, 1)
    cells = []
    for row in rows[:limit]:
        output = "" if row["output"] is None else "x".join(map(str, row["output"]))
        instructions, share = ("", "") if row["instructions"] is None else (
            f"{row['instructions'] / 1e6:.3f}", f"{row['share']:.1%}")  # fmt: skip
        bar = "█" * round(_BAR * (row["instructions"] or 0) / worst)
        cells.append([instructions, share, bar, _per_ideal(row), row["layer"], row["operator"], row["kernel"], output])
    texts: dict[str, Justify] = dict.fromkeys(("layer", "operator", "kernel", "output"), "left")
    print_table({"M": "right", "share": "right", "": "left", "per ideal": "right", **texts}, cells, lines=False)
    left = rows[limit:]
    if left:
        say(f"and {len(left)} more, together {sum(row['share'] or 0 for row in left):.1%} (--limit {len(rows)})")


def _per_ideal(figures: dict[str, Any]) -> str:
    ratio = figures["per_ideal"]
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
