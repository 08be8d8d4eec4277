"""``ppedge data``: check, convert, cut out, split and make data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from click import Choice

from ppedge.cli.data_making import Root, absolute, convert, crops, pseudo_label, synth
from ppedge.cli.groups import Group
from ppedge.cli.labels import list_problems, show_report
from ppedge.cli.options import Force, Json, SkipBad
from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    from ppedge.data.check import Report
    from ppedge.data.formats import Kind

app = typer.Typer(
    cls=Group, add_completion=False, help="Check, show, convert, split and make data.", no_args_is_help=True
)

_BAD_INPUT = 2
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Label files in PPOCR format, or a folder with them, PPOCRLabel's too; or one recipe (.yml), for all it "
        "names.",
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        click_type=Choice(["detection", "recognition"]),
        help="Their format; by default detection, of rec_gt.txt recognition.",
    ),
]


@app.command()
def check(
    files: Files,
    root: Root = None,
    kind: KindOption = None,
    charset: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Count the characters that this character set lacks.")
    ] = None,
    json: Json = False,
) -> None:
    """Read label files, or all that a recipe names, and decode every picture; list all problems.

    Exit code 2 if there is one.
    """
    from ppedge.data import check as checking
    from ppedge.data.ppocrlabel import say_unconfirmed
    from ppedge.data.usable import ROOT_OPTION, looked_elsewhere
    from ppedge.ocr.charset import Charset

    if files[0].suffix in (".yml", ".yaml"):
        _alone(files, root or kind or charset)
        report, named, below = _check_recipe(files[0])
        option = "data.root"
    else:
        named, below, read_as = _label_files(files, root, kind)
        option = ROOT_OPTION
        characters = Charset.from_name_or_file(charset, as_is=True) if charset else None
        report = checking.check(named, below, read_as, characters)
    if json:
        emit(report.to_dict())
    else:
        show_report(report)
        say_unconfirmed(say, named, below)
        if elsewhere := looked_elsewhere(report.samples, report.problems, below, option):
            say(elsewhere)
    if report.problems:
        raise typer.Exit(_BAD_INPUT)


@app.command()
def show(
    files: Files,
    root: Root = None,
    kind: KindOption = None,
    out: Annotated[Path, typer.Option(metavar="PAGE", help="The page to write.")] = Path("data.html"),
    limit: Annotated[int, typer.Option(min=0, help="Most samples to draw of each part.")] = 12,
    force: Force = False,
) -> None:
    """Write a page that shows data: sizes, lengths, characters, samples with their labels.

    Of a recipe it also shows what training is given: the pictures as augmentation changes them, and their targets.
    """
    from ppedge.data.show import page
    from ppedge.data.shown import parts_of_files, parts_of_recipe
    from ppedge.storage import atomic_write

    if out.exists() and not force:
        raise PpedgeError(f"{out}: is there already.", "Name another file with --out, or use --force.")
    if files[0].suffix in (".yml", ".yaml"):
        _alone(files, root or kind)
        title, parts = parts_of_recipe(files[0], say)
    else:
        title, parts = parts_of_files(*_label_files(files, root, kind))
    text = page(title, parts, limit)
    with atomic_write(out) as file:
        file.write(text.encode())
    say(f"{out}: {', '.join(f'{part.name} {part.statistics.samples} labels' for part in parts)}")


for making in (convert, crops, synth):
    app.command()(making)


@app.command()
def split(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="A label file, of detection or recognition.")],
    train: Annotated[float, typer.Option(min=0, max=1, help="Share of the pictures in train.txt.")] = 0.8,
    evaluation: Annotated[float, typer.Option("--eval", min=0, max=1, help="Share of them in val.txt.")] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of them in test.txt.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another split.")] = 0,
    group: Annotated[
        str,
        typer.Option(
            metavar="REGEX",
            help="Keep pictures together in whose paths it finds the same ('.*/'); by default PPOCRLabel's crops.",
        ),
    ] = "",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; by default beside LABELS.")] = None,
    root: Root = None,
    skip_bad: SkipBad = False,
    force: Force = False,
) -> None:
    """Split a label file by its pictures into train.txt, val.txt and test.txt; a share of 0 leaves its file out."""
    from ppedge.data import split as splitting
    from ppedge.data.lookup import SPLITS
    from ppedge.data.ppocrlabel import say_unconfirmed
    from ppedge.data.statistics import counted

    [file] = absolute([labels])
    shares = {"train": train, "eval": evaluation, "test": test}
    found = splitting.split(file, root or labels.parent, shares, seed, group, skip_bad)
    folder = out or labels.parent
    splitting.write(found.parts, folder, file, force)
    list_problems(found.problems)
    say_unconfirmed(say, [file], root or labels.parent)
    for name, part in found.parts.items():
        say(f"{folder / SPLITS[name]}: {part.pictures} pictures, {len(part.lines)} lines")
    if group:
        say(f"{found.groups} groups of pictures are kept together")
    elif found.groups < sum(part.pictures for part in found.parts.values()):
        say(f"crops of one picture, by their names PICTURE_crop_NUMBER, are kept together: {found.groups} groups")
    for name, characters in found.unseen().items():
        what = f"{SPLITS[name]} has characters that train.txt lacks, which cannot be learnt"
        say(f"warning: {what}: {counted(characters)}")


app.command("pseudo-label")(pseudo_label)


def _check_recipe(file: Path) -> tuple[Report, list[Path], Path]:
    """Check all label files that a recipe names, each once; return the report, the files, and where pictures lie."""
    from ppedge.data.check import check as check_files
    from ppedge.data.source import read_charset
    from ppedge.recipe.data import paths
    from ppedge.recipe.io import load_recipe

    recipe = load_recipe(file)
    data = recipe.data
    named = list(dict.fromkeys([*paths(data.train), *data.eval, *data.test]))
    charset = read_charset(recipe) if recipe.task == "rec" else None
    return check_files(named, data.root, recipe.labels, charset), named, data.root


def _alone(files: list[Path], told: object) -> None:
    """Refuse what a recipe says itself.

    Raises:
        PpedgeError: Something of it stands beside the recipe.
    """
    if len(files) > 1 or told:
        raise PpedgeError(
            f"{files[0]}: a recipe says which label files, root, format and character set it has.",
            "Name it alone, or change its keys in the file.",
        )


def _label_files(named: list[Path], root: Path | None, kind: str | None) -> tuple[list[Path], Path, Kind]:
    """Return label files, those in folders that are named too, what pictures are named relative to, and their format.

    Args:
        named: On the command line.
        root: Likewise, if it is.
        kind: Likewise.
    """
    from ppedge.data.named import label_files, usual_kind, usual_root

    files = [file for place in named for file in label_files(place)]
    return absolute(files), root or usual_root(files[0]), cast("Kind", kind or usual_kind(files))
