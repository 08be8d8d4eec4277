"""``ppedge data convert``, ``crops``, ``synth`` and ``pseudo-label``: what makes label files, or pictures with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from click import Choice

from ppedge.cli.labels import list_problems, say_changes, say_left_out
from ppedge.cli.options import RecognizerName, SkipBad
from ppedge.cli.output import say
from ppedge.errors import PpedgeError

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

    [file] = absolute([labels])
    below = root or usual_root(labels)
    samples, skipped = usable(read_labels(file, below, "detection"), skip_bad, below)
    with _progress("cutting out") as progress:
        count = write_crops(samples, out, progress)
    say(f"{out / 'labels.txt'}: {count} crops of {len(samples)} pictures, {skipped} lines skipped")
    say_unconfirmed(say, [file], below)
    say_left_out(count_unusable(samples))


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


def absolute(files: list[Path]) -> list[Path]:
    """Files on the command line are meant relative to the current folder, not to the root."""
    return [file.absolute() for file in files]


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error, on a terminal only."""
    from rich.progress import Progress

    from ppedge.progress import Reporter

    console = Reporter().console
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
