"""``ppedge weights``: what a file of weights holds, and weights out of other files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppedge.cli.options import Force
from ppedge.cli.output import say
from ppedge.errors import PpedgeError, cut

if TYPE_CHECKING:
    from ppedge.models.weights import State

app = typer.Typer(
    add_completion=False,
    help="Show what a file of weights holds, and take weights out of others.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The .pdparams file.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The .pdparams file to write.", show_default=False)]

_LISTED = 5


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


def _write(out: Path, state: State, source: str, *, force: bool) -> None:
    """Write weights and say so.

    Raises:
        PpedgeError: The file is there already, and is not to be replaced.
    """
    from ppedge.models.weights import write_pdparams

    if out.exists() and not force:
        raise PpedgeError(f"{out}: there already.", "Name another file with --out, or replace it with --force.")
    write_pdparams(out, state)
    values = sum(array.size for array in state.values())
    say(f"{out}: {len(state)} arrays, {values} values, from {source}")
