"""``ppedge inspect``: what a ``.nb`` or ONNX file holds, and what differs between two ``.nb`` files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ppedge.cli.output import emit, print_table, say
from ppedge.errors import PpedgeError
from ppedge.files.nb import NbFile, Operator, read_nb
from ppedge.files.nb_summary import difference, summary

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
        emit(_as_json(nb, second, verbose))
        return
    if second:
        _show_difference(nb, second)
        return
    _show(summary(nb))
    if verbose:
        _show_all(nb)


def _inspect_onnx(file: Path, as_json: bool, *, alone: bool) -> None:
    from ppedge.convert.onnx_file import summary as summary_of_onnx

    if not alone:
        raise PpedgeError(f"{file}: comparing and --verbose are for .nb files.", "Name the ONNX file alone.")
    value = summary_of_onnx(file)
    if as_json:
        emit(value)
        return
    layers = ", ".join(f"{count} {precision}" for precision, count in value["layers"].items()) or "none"
    about = f"{value['bytes']:,} bytes, opset {value['opset']}, by {value['producer'] or 'unknown'}"
    say(f"{value['file']}: {about}")
    say(f"convolutions and matrix products: {layers}")
    operators = ((kind, str(count)) for kind, count in value["operators"].items())
    _print(f"{sum(value['operators'].values())} operators", ("operator", "count"), operators)
    _print_parameters("parameters", value["parameters"])


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


_NUMBERS = ("count", "bytes", "first", "second", "change")


def _print(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Sequence[str]]]) -> None:
    print_table({name: "right" if name in _NUMBERS else "left" for name in columns}, rows, title=title)


def _show(value: dict[str, Any]) -> None:
    convolutions = ", ".join(f"{count} {name}" for name, count in value["convolutions"].items()) or "none"
    say(f"{value['file']}: {value['bytes']:,} bytes, opt {value['opt_version']}")
    say(f"convolutions: {convolutions}; calib operators (borders of int8 or fp16): {value['calib']}")
    _print(
        f"{value['operators']['count']} operators",
        ("operator", "kernel", "count"),
        (
            (kind, kernel, str(count))
            for kind, kernels in value["operators"]["by_type"].items()
            for kernel, count in kernels.items()
        ),
    )
    parameters = value["parameters"]
    _print_parameters(f"{parameters['count']} parameters, {parameters['bytes']:,} bytes", parameters["by_type"])


def _print_parameters(title: str, by_type: dict[str, dict[str, int]]) -> None:
    rows = ((name, str(entry["count"]), f"{entry['bytes']:,}") for name, entry in by_type.items())
    _print(title, ("type", "count", "bytes"), rows)


def _show_all(nb: NbFile) -> None:
    weights = {p.name for p in nb.parameters}
    rows = []
    for op in nb.operators:
        written = [name for names in op.outputs.values() for name in names]
        rows.append((op.type, str(op.kernel or ""), *_split(op, weights), written))
    _print("operators, in order", ("operator", "kernel", "reads", "weights", "writes"), rows)
    parameters = ((p.name, p.dtype, "x".join(map(str, p.shape)), f"{p.bytes:,}") for p in nb.parameters)
    _print("parameters", ("name", "type", "shape", "bytes"), parameters)


def _split(op: Operator, weights: set[str]) -> tuple[list[str], list[str]]:
    names = [name for names in op.inputs.values() for name in names]
    return [name for name in names if name not in weights], [name for name in names if name in weights]


def _show_difference(first: NbFile, second: NbFile) -> None:
    changed = difference(first, second)
    if not changed:
        say("No difference in versions, operators, kernels and parameters.")
        return
    say(f"first:  {first.path}")
    say(f"second: {second.path}")
    rows = []
    for key, (old, new) in changed.items():
        numbers = isinstance(old, int) and isinstance(new, int)
        rows.append((key, str(old), str(new), f"{new - old:+d}" if numbers else ""))
    _print("", ("what", "first", "second", "change"), rows)
