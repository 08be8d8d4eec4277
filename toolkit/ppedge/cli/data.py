"""``ppedge data``: check, convert, cut out, split and make data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from click import Choice

from ppedge.cli.labels import list_problems, say_changes, say_left_out, show_report
from ppedge.cli.options import Force, Json, RecognizerName, SkipBad
from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    from ppedge.data.check import Report

app = typer.Typer(add_completion=False, help="Check, show, convert, split and make data.", no_args_is_help=True)

_BAD_INPUT = 2
SOURCES = ["icdar2015", "mlt", "sroie", "totaltext", "cocotext", "ccpd", "ppocrlabel"]
"""What `ppedge.data.convert` reads, which takes too long to import for a help."""
LAYOUTS = ["blue", "green", "yellow", "large_green", "double"]
"""What `ppedge.data.plates` draws, likewise."""

Root = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="The folder that pictures are named relative to; by default FILE's, of PPOCRLabel's Label.txt that above.",
    ),
]

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Label files in PPOCR format, or a folder with them, PPOCRLabel's too; or one recipe (.yml), for all it "
        "names.",
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(click_type=Choice(["detection", "recognition"]), help="Their format; by default detection."),
]


@app.command()
def check(
    files: Files,
    root: Root = None,
    kind: Kind = None,
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
        named, below = _label_files(files, root)
        option = ROOT_OPTION
        characters = Charset.from_name_or_file(charset, as_is=True) if charset else None
        report = checking.check(named, below, kind or "detection", characters)  # type: ignore[arg-type]
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
    kind: Kind = None,
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
        title, parts = parts_of_files(*_label_files(files, root), kind or "detection")  # type: ignore[arg-type]
    text = page(title, parts, limit)
    with atomic_write(out) as file:
        file.write(text.encode())
    say(f"{out}: {', '.join(f'{part.name} {part.statistics.samples} labels' for part in parts)}")


@app.command()
def convert(
    folder: Annotated[Path, typer.Argument(metavar="SRC", help="The folder of the data set.")],
    source: Annotated[str, typer.Option("--from", click_type=Choice(SOURCES), help="Its kind.")],
    out: Annotated[Path, typer.Option(metavar="labels.txt", help="The label file to write.")],
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Name pictures relative to this folder; by default SRC.")
    ] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Turn another data set's annotations into a PPOCR detection label file."""
    from ppedge.data import convert as converting
    from ppedge.data.formats import write_lines
    from ppedge.data.ppocrlabel import say_no_states

    found = converting.convert(source, folder, root or folder)  # type: ignore[arg-type]
    list_problems(found.problems)
    if found.problems and not skip_bad:
        raise PpedgeError(
            f"{folder}: {len(found.problems)} problems, nothing written.",
            "Use --skip-bad to go on: bad regions become ignored ones, or their picture is left out.",
        )
    write_lines(out, found.lines)
    say(f"{out}: {len(found.lines)} pictures, {len(found.problems)} problems")
    if found.ignored or found.left_out:
        say(f"{found.ignored} bad regions are ignored ones, {found.left_out} pictures with others are left out")
    if found.unlabelled:
        annotates = "no confirmed label is of them" if source == "ppocrlabel" else "nothing annotates them"
        say(f"{found.unlabelled} pictures are left out: {annotates}")
    if source == "ppocrlabel":
        say_no_states(say, folder)
    say_changes(found.reversed, found.clipped)


@app.command()
def crops(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="A detection label file.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to make.")],
    root: Root = None,
    skip_bad: SkipBad = False,
) -> None:
    """Cut the text regions of detection labels out of their pictures, for a recogniser."""
    from ppedge.data.convert import write_crops
    from ppedge.data.formats import read_labels
    from ppedge.data.lines import count_unusable
    from ppedge.data.named import usual_root
    from ppedge.data.ppocrlabel import say_unconfirmed
    from ppedge.data.usable import usable

    [file] = _absolute([labels])
    below = root or usual_root(labels)
    samples, skipped = usable(read_labels(file, below, "detection"), skip_bad, below)
    with _progress("cutting out") as progress:
        count = write_crops(samples, out, progress)
    say(f"{out / 'labels.txt'}: {count} crops of {len(samples)} pictures, {skipped} lines skipped")
    say_unconfirmed(say, [file], below)
    say_left_out(count_unusable(samples))


@app.command()
def synth(
    kind: Annotated[str, typer.Argument(click_type=Choice(["plates", "words", "scenes"]), help="What to draw.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to make.")],
    train: Annotated[int, typer.Option(min=0, help="Pictures for training.")] = 2000,
    evaluation: Annotated[int, typer.Option("--eval", min=0, help="Pictures for evaluation.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    content: Annotated[
        str, typer.Option(click_type=Choice(["plates", "words"]), help="What the texts of scenes are.")
    ] = "words",
    test: Annotated[int, typer.Option(min=0, help="Pictures that only report.")] = 0,
    layouts: Annotated[
        list[str],
        typer.Option("--layout", click_type=Choice(LAYOUTS), help="Licence plates to draw; may be repeated."),
    ] = ["blue", "green"],  # noqa: B006
    hard: Annotated[
        float, typer.Option(min=0, max=1, help="Share of plates that are worn, tilted, blurred or seen at night.")
    ] = 0.0,
) -> None:
    """Draw licence plates, lines of text, or whole pictures with text, and their labels."""
    from ppedge.data.plates import PlateStyle
    from ppedge.data.synth import generate

    style = PlateStyle(layouts, hard)  # type: ignore[arg-type]
    with _progress("drawing") as progress:
        generate(kind, out, train, evaluation, seed, content, progress, test, style)  # type: ignore[arg-type]
    aside = f", {test} in test.txt" if test else ""
    say(f"{out}: {train} pictures in train.txt, {evaluation} in val.txt{aside}")


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

    [file] = _absolute([labels])
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


@app.command("pseudo-label")
def pseudo_label(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pictures, each one line of text.")],
    model: Annotated[
        Path,
        typer.Option(metavar="BUNDLE|RUN|ONNX", help="The recogniser: a bundle, its run, or an ONNX file there."),
    ],
    out: Annotated[Path, typer.Option(metavar="labels.txt", help="The label file to write.")],
    recognizer: RecognizerName = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="The least score of a text that is kept.")] = 0.9,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Name pictures relative to this folder; by default DIR.")
    ] = None,
) -> None:
    """Label pictures of lines with what a recogniser reads in them, where it is sure.

    A picture that cannot be read is named and left out.
    """
    from contextlib import ExitStack

    from ppedge.cli.networks import open_recognizer
    from ppedge.data import pseudo
    from ppedge.data.formats import write_lines

    with ExitStack() as stack, _progress("reading") as progress:
        opened = open_recognizer(stack, model, "--model", recognizer)
        found = pseudo.pseudo_label(folder, opened, threshold, root, progress)
    for problem in found.problems:
        say(problem)
    if not found.lines:
        raise PpedgeError(
            f"{folder}: no picture is read with a score of {threshold:g} or more, nothing written.",
            f"The best has {found.best:.2f}: lower --threshold." if found.unsure else "Is --model for such pictures?",
        )
    write_lines(out, found.lines)
    count = len(found.lines) + found.unsure + found.empty + len(found.problems)
    say(
        f"{out}: {len(found.lines)} of {count} pictures; left out are {found.unsure} with a score below {threshold:g}, "
        f"{found.empty} without text, {len(found.problems)} that cannot be used"
    )


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


def _absolute(files: list[Path]) -> list[Path]:
    """Files on the command line are meant relative to the current folder, not to the root."""
    return [file.absolute() for file in files]


def _label_files(named: list[Path], root: Path | None) -> tuple[list[Path], Path]:
    """Return label files, those in folders that are named too, and the folder that pictures are named relative to."""
    from ppedge.data.named import label_files, usual_root

    files = [file for place in named for file in label_files(place)]
    return _absolute(files), root or usual_root(files[0])


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error, on a terminal only."""
    from rich.progress import Progress

    from ppedge.progress import Reporter

    console = Reporter().console
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
