"""``ppedge weights``: what a file of weights holds, and weights out of other files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppedge.cli.groups import Group
from ppedge.cli.options import Force, Json
from ppedge.cli.output import emit, print_table, say
from ppedge.errors import PpedgeError, cut

if TYPE_CHECKING:
    from ppedge.models.from_onnx.read import FromOnnx
    from ppedge.models.weights import State

app = typer.Typer(
    cls=Group,
    add_completion=False,
    help="Show what a file of weights holds, and take weights out of others.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The .pdparams file.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The .pdparams file to write.", show_default=False)]

_LISTED = 5


@app.command()
def show(
    file: File,
    as_json: Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every array too.")] = False,
) -> None:
    """Show the networks in a file of weights, their parts, and which known network they fit."""
    from ppedge.models.weight_summary import summary
    from ppedge.models.weights import read_pdparams

    value = summary(read_pdparams(file))
    if as_json:
        emit({"file": str(file), **value})
        return
    say(f"{file}: {_amount(value)}")
    for network in value["networks"]:
        _show_network(network, verbose=verbose)
    if value["others"]:
        say(f"arrays of none of these networks: {value['others']}")


def _show_network(network: dict[str, Any], *, verbose: bool) -> None:
    if network["name"] is not None:
        say("")
        say(f"{network['name']}: {_amount(network)}")
    for line in _told(network):
        say(f"  {line}")
    rows = [
        (part, str(own["arrays"]), str(own["values"]), ", ".join(own["types"]))
        for part, own in network["parts"].items()
    ]
    print_table({"part": "left", "arrays": "right", "values": "right", "type": "left"}, rows, lines=False)
    if verbose:
        tensors = ((name, str(one["shape"]), one["type"]) for name, one in network["tensors"].items())
        print_table({"array": "left", "shape": "left", "type": "left"}, tensors, lines=False)


def _amount(value: dict[str, Any]) -> str:
    return f"{value['arrays']} arrays, {value['values']} values, {' and '.join(value['types']) or 'no type'}"


def _told(network: dict[str, Any]) -> Iterator[str]:
    """Yield in words what is known of a network."""
    fits = network["fits"]
    if network["parts"] and network["parts"].keys() <= {"backbone", "other"}:
        yield "a backbone alone, such as train.backbone_weights takes"
    elif fits is None:
        yield "names and shapes: of no network that PaddleOCR has published and ppedge knows"
    else:
        yield f"names and shapes: {fits['network']}"
        yield f"fits the recipe's model: {json.dumps(fits['model'])}"
        yield f"recipe to start from: {fits['recipe']}"
    if network["official"]:
        yield f"values: the official {network['official']['name']}"
        settings = (f"{key}={json.dumps(value)}" for key, value in network["official"]["settings"].items())
        yield f"trained with {', '.join(settings)}"
    elif network["layers_of"]:
        yield f"backbone: the layers of {network['layers_of']}, with other values"
    if network["form"]:
        yield f"form: {network['form']}"
    if network["classes"]:
        yield f"classes: {network['classes']}"
    if network["guides"]:
        yield f"guides: {', '.join(network['guides'])}"
    if network["threshold"] is False:
        yield "no threshold head, which training starts fresh"


@app.command()
def extract(
    file: File,
    part: Annotated[
        str, typer.Option(metavar="NAME", help="Student, Student2 or Teacher, as `weights show` has them.")
    ],
    out: Out,
    force: Force = False,
) -> None:
    """Take one network out of a distillation's checkpoint."""
    from ppedge.models.weight_parts import pick
    from ppedge.models.weights import read_pdparams

    state, _ = pick(read_pdparams(file), file, part)
    _write(out, state, f"{part} of {file}", force=force)


@app.command("from-inference")
def from_inference(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of an inference model with its .pdiparams.info file.")
    ],
    out: Out,
    force: Force = False,
) -> None:
    """Make weights of an inference model, under the names of the network that it was exported from."""
    from ppedge.convert.imported import find
    from ppedge.models.inference_weights import read_inference_weights

    files = find(folder)
    state, left_out = read_inference_weights(files)
    _write(out, state, str(files.params), force=force)
    if left_out:
        names = ", ".join(cut(name) for name in left_out[:_LISTED]) + (", ..." if len(left_out) > _LISTED else "")
        say(f"left out, as no part of the network's state: {len(left_out)} constants ({names})")


@app.command("from-onnx")
def from_onnx(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The ONNX file of a network of PP-OCR's.", show_default=False)
    ],
    out: Out,
    force: Force = False,
) -> None:
    """Make weights of an ONNX file, held against what onnxruntime computes of it."""
    from ppedge.figures import held
    from ppedge.models.from_onnx.read import BOUND, weights_from_onnx
    from ppedge.models.weight_summary import summary

    _require_free(out, force=force)
    found = weights_from_onnx(file)
    _write(out, found.state, str(file), force=force)
    [network] = summary(found.state)["networks"]
    for line in _told(network):
        say(f"  {line}")
    if not network["official"] and (charset := _charset_of(found)):
        say(f"  characters: {charset}")
    difference, bound = held(found.difference, BOUND, digits=2)
    say(f"largest difference from onnxruntime: {difference}, of probabilities (bound {bound})")
    if found.lost_norms:
        say(
            f"BatchNorm of {found.lost_norms} layers had been folded into their weights, and its statistics are lost: "
            "fine-tune with train.freeze_bn=true"
        )


def _charset_of(found: FromOnnx) -> str | None:
    """Say by which keys of a recipe the characters of a file are had, if they are a dictionary's of PaddleOCR's."""
    from ppedge.ocr.charset import Charset, dictionaries

    if found.characters is None:
        return None
    spaces = found.classes - 1 - len(found.characters)
    for name in dictionaries():
        if spaces in (0, 1) and list(Charset.from_name_or_file(name).characters) == found.characters:
            return f"data.charset={name}" + (", data.use_space_char=true" if spaces else "")
    return f"{len(found.characters)} of the file's own, of no dictionary that is built in"


def _require_free(out: Path, *, force: bool) -> None:
    """Fail if a file is there already and is not to be replaced.

    Raises:
        PpedgeError: It is.
    """
    if out.exists() and not force:
        raise PpedgeError(f"{out}: there already.", "Name another file with --out, or replace it with --force.")


def _write(out: Path, state: State, source: str, *, force: bool) -> None:
    """Write weights and say so.

    Raises:
        PpedgeError: The file is there already, and is not to be replaced.
    """
    from ppedge.models.weights import write_pdparams

    _require_free(out, force=force)
    write_pdparams(out, state)
    values = sum(array.size for array in state.values())
    say(f"{out}: {len(state)} arrays, {values} values, from {source}")
