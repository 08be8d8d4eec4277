"""``ppedge init``: a new folder with recipes for pictures of one's own, and the commands that lead to an app."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from ppedge.cli.options import Json, SkipBad
from ppedge.cli.output import emit, say

app = typer.Typer(add_completion=False)


@app.command()
def init(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="The folder to make; runs are named by it.")],
    task: Annotated[Literal["plates", "receipts", "words"], typer.Option(help="What is to be read.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS|DIR",
            help="Labels: a file in PPOCR format, PPOCRLabel's folder, one with train.txt and val.txt, or one of "
            "CCPD's pictures. By default synthetic pictures.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --data: pictures are named relative to this folder.")
    ] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Weights of a published detector or recogniser to start from; may be repeated.",
            show_default=False,
        ),
    ] = None,
    charset: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="The recogniser's character set; by default that of its weights."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split; another one gives another.")] = 0,
    group: Annotated[
        str,
        typer.Option(metavar="REGEX", help="Keep pictures in one part in whose paths it finds the same: '.*/'"),
    ] = "",
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Write a folder with recipes for pictures of your own, and say what to type next, up to an app.

    Labels are checked against their pictures and split into train.txt, val.txt and test.txt. The network is that of
    the weights. Nothing that is there is replaced.
    """
    from ppedge.project.create import create

    made = create(
        name,
        task,
        data=data,
        root=root,
        weights=weights or (),
        charset=charset,
        seed=seed,
        group=group,
        skip_bad=skip_bad,
    )
    if as_json:
        emit({**asdict(made), "folder": str(made.folder)})
        return
    for line in made.told:
        say(line)
    if made.missing:
        say("to be seen to:")
        for line in made.missing:
            say(f"  {line}")
    say("next:")
    for line in made.next:
        say(f"  {line}")
    for placeholder, meaning in _PLACEHOLDERS.items():
        if any(placeholder in line.split() for line in made.next):
            say(f"{placeholder}: {meaning}")
    say(_ON_A_PC)


_PLACEHOLDERS = {
    "DET_RUN": "a detector's run; of a published one by `ppedge convert --from-inference DIR`",
    "REC_RUN": "a recogniser's run; of a published one by `ppedge convert --from-inference DIR --charset NAME`",
    "APP": "the folder android_demo of ppedge's sources",
}
"""Words in command lines that a user replaces."""
_ON_A_PC = (
    "a bundle for a PC: `ppedge bundle` with --onnx, and another --out, puts ONNX files in too, which "
    "`ppedge ocr BUNDLE PICTURE`, `ppedge eval --e2e` and Python programs run without emulation; a phone needs none"
)
