"""``ppedge inspect``: what a ``.nb`` or ONNX file holds, and what differs between two ``.nb`` files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppedge.errors import PpedgeError
from ppedge.files.nb import NbFile, Operator, difference, read_nb, summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

app = typer.Typer(add_completion=False)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .nb or .onnx file to read.")],
    other: Annotated[Path | None, typer.Argument(metavar="[OTHER.nb]", help="Show what it has otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every operator and parameter too.")] = False,
) -> None:
    """Read a .nb or .onnx file: versions, operators, layers by precision, parameters by type and bytes."""
    if file.suffix == ".onnx":
        _inspect_onnx(file, as_json, alone=other is None and not verbose)
        return
    nb = read_nb(file)
    second = read_nb(other) if other else None
    if as_json:
        typer.echo(json.dumps(_as_json(nb, second, verbose), indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    if second:
        _show_difference(console, nb, second)
        return
    _show(console, summary(nb))
    if verbose:
        _show_all(console, nb)


def _inspect_onnx(file: Path, as_json: bool, *, alone: bool) -> None:
    from ppedge.convert.onnx_file import summary as summary_of_onnx

    if not alone:
        raise PpedgeError(f"{file}: comparing and --verbose are for .nb files.", "Name the ONNX file alone.")
    value = summary_of_onnx(file)
    if as_json:
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    layers = ", ".join(f"{count} {precision}" for precision, count in value["layers"].items()) or "none"
    about = f"{value['bytes']} bytes, opset {value['opset']}, by {value['producer'] or 'unknown'}"
    console.print(f"{value['file']}: {about}", soft_wrap=True, markup=False)
    console.print(f"convolutions and matrix products: {layers}")
    table = _table(f"{sum(value['operators'].values())} operators", "operator", "count")
    for kind, count in value["operators"].items():
        table.add_row(kind, str(count))
    console.print(table)
    table = _table("parameters", "type", "count", "bytes")
    for kind, entry in value["parameters"].items():
        table.add_row(kind, str(entry["count"]), str(entry["bytes"]))
    console.print(table)


def _as_json(nb: NbFile, second: NbFile | None, verbose: bool) -> dict[str, Any]:
    if second:
        return {"files": [summary(nb), summary(second)], "difference": difference(nb, second)}
    value = summary(nb)
    if verbose:
        value["operators"]["list"] = [
            {"type": op.type, "kernel": str(op.kernel or ""), "inputs": op.inputs, "outputs": op.outputs}
            for op in nb.operators
        ]
        value["parameters"]["list"] = [
            {"name": p.name, "dtype": p.dtype, "shape": list(p.shape), "bytes": p.bytes} for p in nb.parameters
        ]
    return value


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="right" if index and column in _NUMBERS else "left")
    return table


_NUMBERS = ("count", "bytes", "first", "second", "change")


def _show(console: Console, value: dict[str, Any]) -> None:
    convolutions = ", ".join(f"{count} {name}" for name, count in value["convolutions"].items()) or "none"
    console.print(f"{value['file']}: {value['bytes']} bytes, opt {value['opt_version']}", soft_wrap=True, markup=False)
    console.print(f"convolutions: {convolutions}; calib operators (borders of int8 or fp16): {value['calib']}")
    table = _table(f"{value['operators']['count']} operators", "operator", "kernel", "count")
    for kind, kernels in value["operators"]["by_type"].items():
        for kernel, count in kernels.items():
            table.add_row(kind, kernel, str(count))
    console.print(table)
    parameters = value["parameters"]
    table = _table(f"{parameters['count']} parameters, {parameters['bytes']} bytes", "type", "count", "bytes")
    for name, entry in parameters["by_type"].items():
        table.add_row(name, str(entry["count"]), str(entry["bytes"]))
    console.print(table)


def _show_all(console: Console, nb: NbFile) -> None:
    table = _table("operators, in order", "operator", "kernel", "reads", "weights", "writes")
    weights = {p.name for p in nb.parameters}
    for op in nb.operators:
        read, own = _split(op, weights)
        written = [name for names in op.outputs.values() for name in names]
        table.add_row(op.type, str(op.kernel or ""), "\n".join(read), "\n".join(own), "\n".join(written))
    console.print(table)
    table = _table("parameters", "name", "type", "shape", "bytes")
    for p in nb.parameters:
        table.add_row(p.name, p.dtype, "x".join(map(str, p.shape)), str(p.bytes))
    console.print(table)


def _split(op: Operator, weights: set[str]) -> tuple[list[str], list[str]]:
    names = [name for names in op.inputs.values() for name in names]
    return [name for name in names if name not in weights], [name for name in names if name in weights]


def _show_difference(console: Console, first: NbFile, second: NbFile) -> None:
    changed = difference(first, second)
    if not changed:
        console.print("No difference in versions, operators, kernels and parameters.")
        return
    table = _table("", "what", "first", "second", "change")
    for key, (old, new) in changed.items():
        numbers = isinstance(old, int) and isinstance(new, int)
        table.add_row(key, str(old), str(new), f"{new - old:+d}" if numbers else "")
    console.print(f"first:  {first.path}\nsecond: {second.path}", soft_wrap=True, markup=False)
    console.print(table)
