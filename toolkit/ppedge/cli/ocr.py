"""``ppedge ocr``: read the text in pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from ppedge.cli.networks import Task, exported, taken_for_int8
from ppedge.cli.options import RecognizerName
from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    import numpy as np

    from ppedge.ocr.alone import Outline, Reading
    from ppedge.ocr.fonts import Fonts
    from ppedge.ocr.pipeline import Line

    Reader = Callable[[np.ndarray], Sequence[Line] | Sequence[Outline] | Sequence[Reading]]

app = typer.Typer(help="Read the text in pictures.", add_completion=False)

EngineName = Literal["onnxruntime", "paddle", "arm-onnxruntime", "arm-paddlelite"]
Precision = Literal["fp32", "int8"]
_WIDE = 2.0
"""A picture at least so many times as wide as high looks like a single line of text."""


@app.command()
def ocr(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="[BUNDLE] IMAGE...",
            help="A bundle, unless runs are named; pictures, and folders of pictures.",
            show_default=False,
        ),
    ],
    det: Annotated[
        Path | None,
        typer.Option("--det", metavar="RUN", help="The detector's run; alone: boxes only.", show_default=False),
    ] = None,
    rec: Annotated[
        Path | None,
        typer.Option(
            "--rec",
            metavar="RUN",
            help="The recogniser's run; alone: each picture is one line of text.",
            show_default=False,
        ),
    ] = None,
    cls: Annotated[
        Path | None,
        typer.Option(
            "--cls",
            metavar="RUN",
            help="A direction classifier's run: turn lines that are upside down.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="What runs the networks; by default onnxruntime, or what can run the bundle."),
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help="Of the runs' networks; by default fp32, though a bundle takes int8 if it can.",
            show_default=False,
        ),
    ] = None,
    recognizer: RecognizerName = None,
    lines_only: Annotated[
        bool, typer.Option("--lines", help="Each picture is one line of text: read it without looking for lines.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of an engine of this computer; by default all cores.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: texts, scores, boxes.")] = False,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pictures with boxes and texts there.", show_default=False)
    ] = None,
    font: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --draw: for characters that ppedge's fonts lack; by default one that this computer has.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Find and read the text in pictures.

    A picture that cannot be read is named and left out; the exit code is 2 then.
    """
    from ppedge.ocr.fonts import Fonts
    from ppedge.ocr.image_file import read_image

    if font is not None and draw is None:
        raise PpedgeError("--font: is to draw with.", "Add --draw DIR.")
    if lines_only and (det is not None or draw is not None):
        raise PpedgeError("--lines: pictures are read without looking for boxes.", "Leave --det and --draw out.")
    fonts = Fonts(font)
    results, failed = [], False
    empty: list[tuple[Path, tuple[int, ...]]] = []
    reader: Reader
    with ExitStack() as stack:
        if det is None and rec is None and cls is None:
            reader, images = _open_bundle(stack, images, engine, precision, threads, recognizer, lines_only=lines_only)
        else:
            runs: dict[Task, Path | None] = {"det": det, "rec": rec, "cls": cls}
            _check_asked(runs, draw, recognizer)
            reader = _open_runs(stack, runs, engine or "onnxruntime", precision, threads)
        found: list[Path] = []
        for named in images:
            try:
                found += pictures_in(named)
            except PpedgeError as error:
                say(f"ppedge: {error}", err=True)
                failed = True
        names = _drawing_names(found)
        for path in found:
            try:
                image = read_image(path)
            except PpedgeError as error:
                say(f"ppedge: {error}", err=True)
                failed = True
                continue
            lines = _read(reader, path, image)
            if not lines:
                empty.append((path, image.shape))
            if draw is not None:
                # What has no boxes is refused to be drawn before anything is read.
                _write_drawing(draw / names[path], image, cast("Sequence[Line | Outline]", lines), fonts)
            if as_json:
                results.append({"image": str(path), "lines": [line.to_dict() for line in lines]})
            else:
                _tell(path, lines)
    if as_json:
        emit(results)
    for advice in _nothing_found(empty, "--lines" if det is None else "--rec RUN without --det"):
        say(advice, err=True)
    if sentence := fonts.told():
        say(sentence, err=True)
    if failed:
        raise typer.Exit(PpedgeError.exit_code)


def _read(reader: Reader, path: Path, image: np.ndarray) -> Sequence[Line] | Sequence[Outline] | Sequence[Reading]:
    """Read a picture; what goes wrong is told with its name."""
    try:
        return reader(image)
    except PpedgeError as error:
        raise type(error)(f"{path}: {error.message}", error.hint) from error


def _nothing_found(empty: Sequence[tuple[Path, tuple[int, ...]]], single: str) -> Iterator[str]:
    """Yield what to do about the pictures, each with its shape, in which the detector finds nothing.

    Args:
        empty: The pictures.
        single: The options that read a picture which is one line of text.
    """
    low = [path for path, (height, width, *_) in empty if width >= _WIDE * height]
    other = [path for path, _ in empty if path not in low]
    for paths, advice in (
        (low, f"wide and low as a single line of text is: {single} reads such pictures"),
        (other, "give it the text larger, cut out or of better contrast, or train it on such pictures"),
    ):
        if paths:
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            yield f"the detector finds no text in {paths[0]}{more}; {advice}"


def _check_asked(runs: dict[Task, Path | None], draw: Path | None, recognizer: str | None) -> None:
    """Refuse what a network by itself has no use for."""
    if recognizer is not None:
        raise PpedgeError("--recognizer: chooses among those of a bundle.", "Name a recogniser's run with --rec.")
    if runs["cls"] is not None and runs["rec"] is None:
        raise PpedgeError("--cls: turns lines before they are read, and no --rec reads them.", "Name a --rec run.")
    if runs["det"] is None and draw is not None:
        raise PpedgeError("--draw: without --det there are no boxes to draw.", "Name a --det run, or leave it out.")


def pictures_in(path: Path) -> list[Path]:
    """Return the pictures that a folder holds, by name; a file is itself.

    Raises:
        PpedgeError: The folder holds none.
    """
    from ppedge.data.annotation import PICTURES

    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES and file.is_file())
    if not found:
        raise PpedgeError(
            f"{path}: a folder without pictures ({', '.join(PICTURES)}).", "Name the folder that they lie in directly."
        )
    return found


def _open_runs(
    stack: ExitStack, asked: dict[Task, Path | None], engine: str, precision: str | None, threads: int | None
) -> Reader:
    """Open the networks of the runs, by task, and return what they do with a picture."""
    from ppedge.engines import open_engine, require_threads
    from ppedge.ocr.alone import outlines, reading
    from ppedge.ocr.pipeline import Classifier, Detector, Pipeline, Recognizer

    # All runs are checked before any engine starts: an emulator takes a while.
    runs = {task: run for task, run in asked.items() if run is not None}
    found = {task: exported(run, task, engine, precision or "fp32", f"--{task}") for task, run in runs.items()}
    if precision is None and (sentence := taken_for_int8(runs, engine)):
        say(sentence, err=True)
    options = require_threads(engine, threads)
    opened = {
        task: (stack.enter_context(open_engine(engine, file, **options)), spec) for task, (file, spec) in found.items()
    }
    if "rec" not in opened:
        return partial(outlines, Detector(*opened["det"]))
    # Recognisers are exported for one line at a time.
    recognizer = Recognizer(*opened["rec"], batch_size=1)
    classifier = Classifier(*opened["cls"], batch_size=1) if "cls" in opened else None
    if "det" not in opened:
        return lambda image: [reading(recognizer, classifier, image)]
    return Pipeline(Detector(*opened["det"]), recognizer, classifier)


def _open_bundle(
    stack: ExitStack,
    paths: list[Path],
    engine: str | None,
    precision: str | None,
    threads: int | None,
    recognizer: str | None,
    *,
    lines_only: bool,
) -> tuple[Reader, list[Path]]:
    """Open the bundle that is named before the pictures; return what reads, and the pictures."""
    from ppedge.bundle.reading import open_bundle
    from ppedge.ocr.alone import reading

    bundle, *images = paths
    if not bundle.is_dir():
        raise PpedgeError(f"{bundle}: not a bundle.", "Name a bundle before the pictures, or runs: --det, --rec.")
    if not images:
        raise PpedgeError(f"{bundle}: no pictures are named after it.", "`ppedge ocr BUNDLE IMAGE...`.")
    if precision is not None:
        raise PpedgeError("--precision: a bundle's networks have theirs.", "Leave it out.")
    pipeline = open_bundle(stack, bundle, engine, threads, recognizer, partial(say, err=True))
    if lines_only:
        return lambda image: [reading(pipeline.recognizer, pipeline.classifier, image)], images
    return pipeline, images


def _drawing_names(images: list[Path]) -> dict[Path, str]:
    """Return a file name for each picture's drawing; pictures of the same name in different folders get a number."""
    names: dict[Path, str] = {}
    for path in dict.fromkeys(images):
        name, number = f"{path.stem}.png", 2
        while name in names.values():
            name, number = f"{path.stem}-{number}.png", number + 1
        names[path] = name
    return names


def _write_drawing(path: Path, image: np.ndarray, lines: Sequence[Line | Outline], fonts: Fonts) -> None:
    import cv2

    from ppedge.ocr.draw import draw_lines
    from ppedge.storage import atomic_write

    fonts.take(line.text for line in lines)
    _, data = cv2.imencode(".png", draw_lines(image, lines, fonts.names))
    with atomic_write(path) as file:
        file.write(data.tobytes())


def _tell(path: Path, lines: Sequence[Line | Outline | Reading]) -> None:
    say(f"{path}: {len(lines)} lines")
    for line in lines:
        say(f"  {line.told()}")
