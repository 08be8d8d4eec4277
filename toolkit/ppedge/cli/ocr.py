"""``ppedge ocr``: read the text in pictures."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    import numpy as np

    from ppedge.ocr.pipeline import Line, Pipeline
    from ppedge.ocr.spec import ModelSpec

app = typer.Typer(help="Read the text in pictures.", add_completion=False)

EngineName = Literal["onnxruntime", "paddle", "arm-onnxruntime", "arm-paddlelite"]
Precision = Literal["fp32", "int8"]
Task = Literal["det", "rec", "cls"]


@app.command()
def ocr(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="[BUNDLE] IMAGE...", help="A bundle, unless runs are named; pictures.", show_default=False
        ),
    ],
    det: Annotated[
        Path | None, typer.Option("--det", metavar="RUN", help="The detector's run.", show_default=False)
    ] = None,
    rec: Annotated[
        Path | None, typer.Option("--rec", metavar="RUN", help="The recogniser's run.", show_default=False)
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
        Precision | None, typer.Option(help="Of the runs' networks; by default fp32.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: texts, scores, boxes.")] = False,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pictures with boxes and texts there.", show_default=False)
    ] = None,
) -> None:
    """Find and read the text in pictures.

    A picture that cannot be read is named and left out; the exit code is 2 then.
    """
    from ppedge.ocr.preprocess import read_image

    results, failed = [], False
    with ExitStack() as stack:
        if det is not None and rec is not None:
            runs: dict[Task, Path | None] = {"det": det, "rec": rec, "cls": cls}
            pipeline = _open_pipeline(stack, runs, engine or "onnxruntime", precision or "fp32")
        elif det is None and rec is None and cls is None:
            pipeline, images = _open_bundle(stack, images, engine, precision)
        else:
            raise PpedgeError(
                "--det and --rec: one without the other.", "Name both runs, or a bundle before the pictures."
            )
        names = _drawing_names(images)
        for path in images:
            try:
                image = read_image(path)
            except PpedgeError as error:
                say(f"ppedge: {error}", err=True)
                failed = True
                continue
            lines = pipeline(image)
            if draw is not None:
                _write_drawing(draw / names[path], image, lines)
            if as_json:
                results.append({"image": str(path), "lines": [line.to_dict() for line in lines]})
            else:
                _tell(path, lines)
    if as_json:
        emit(results)
    if failed:
        raise typer.Exit(PpedgeError.exit_code)


def _open_pipeline(stack: ExitStack, runs: dict[Task, Path | None], engine: str, precision: str) -> Pipeline:
    """Open the networks of the runs, by task; there may be no classifier."""
    from ppedge.engines import open_engine
    from ppedge.ocr.pipeline import Classifier, Detector, Pipeline, Recognizer

    # All runs are checked before any engine starts: an emulator takes a while.
    found = {task: _exported(run, task, engine, precision) for task, run in runs.items() if run is not None}
    opened = {task: (stack.enter_context(open_engine(engine, file)), spec) for task, (file, spec) in found.items()}
    # Recognisers are exported for one line at a time.
    return Pipeline(
        Detector(*opened["det"]),
        Recognizer(*opened["rec"], batch_size=1),
        Classifier(*opened["cls"], batch_size=1) if "cls" in opened else None,
    )


def _open_bundle(
    stack: ExitStack, paths: list[Path], engine: str | None, precision: str | None
) -> tuple[Pipeline, list[Path]]:
    """Open the bundle that is named before the pictures; return what reads, and the pictures."""
    from ppedge.bundle.reading import open_bundle

    bundle, *images = paths
    if not bundle.is_dir():
        raise PpedgeError(f"{bundle}: not a bundle.", "Name a bundle before the pictures, or two runs: --det, --rec.")
    if not images:
        raise PpedgeError(f"{bundle}: no pictures are named after it.", "`ppedge ocr BUNDLE IMAGE...`.")
    if precision is not None:
        raise PpedgeError("--precision: a bundle's networks have theirs.", "Leave it out.")
    return open_bundle(stack, bundle, engine), images


def _exported(path: Path, task: Task, engine: str, precision: str) -> tuple[Path, ModelSpec]:
    """Return the file for an engine in a run, checked against its manifest, and the model's specification."""
    from ppedge.artifacts import needed_by
    from ppedge.data.source import shipped_spec
    from ppedge.runs import open_run

    run = open_run(path)
    run.require_fresh("convert")
    spec = shipped_spec(run)
    if spec.task != task:
        raise PpedgeError(f"--{task} {path}: this run's task is {spec.task}.", f"Name a {task} run.")
    files = [run.artifact("convert", name) for name in needed_by(engine, task, precision)]
    return files[0], spec


def _drawing_names(images: list[Path]) -> dict[Path, str]:
    """Return a file name for each picture's drawing; pictures of the same name in different folders get a number."""
    names: dict[Path, str] = {}
    for path in dict.fromkeys(images):
        name, number = f"{path.stem}.png", 2
        while name in names.values():
            name, number = f"{path.stem}-{number}.png", number + 1
        names[path] = name
    return names


def _write_drawing(path: Path, image: np.ndarray, lines: list[Line]) -> None:
    import cv2

    from ppedge.ocr.draw import draw_lines
    from ppedge.runs import atomic_write

    _, data = cv2.imencode(".png", draw_lines(image, lines))
    with atomic_write(path) as file:
        file.write(data.tobytes())


def _tell(path: Path, lines: list[Line]) -> None:
    say(f"{path}: {len(lines)} lines")
    for line in lines:
        say(f"  {line.score:.2f}  {line.text}")
