"""Opening the networks of runs and bundles, for the commands that read pictures."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    from ppedge.ocr.pipeline import Recognizer
    from ppedge.ocr.spec import ModelSpec

Task = Literal["det", "rec", "cls"]


def exported(path: Path, task: Task, engine: str, precision: str, option: str) -> tuple[Path, ModelSpec]:
    """Return the file for an engine in a run, checked against its manifest, and the model's specification.

    Args:
        path: The run.
        task: That it must be of.
        engine: The engine's name.
        precision: ``fp32`` or ``int8``.
        option: Of the command line, that names the run.

    Raises:
        PpedgeError: The run is of another task, is not converted, or has changed since.
    """
    from ppedge.artifacts import needed_by
    from ppedge.data.source import shipped_spec
    from ppedge.runs import open_run

    run = open_run(path)
    run.require_fresh("convert")
    spec = shipped_spec(run)
    if spec.task != task:
        raise PpedgeError(f"{option} {path}: this run's task is {spec.task}.", f"Name a {task} run.")
    files = [run.artifact("convert", name) for name in needed_by(engine, task, precision)]
    return files[0], spec


def taken_for_int8(runs: Mapping[Task, Path], engine: str) -> str | None:
    """Return a sentence on which files read where nobody asked for a precision and a bundle would have another one.

    A bundle ships int8 where detector and recogniser both have it, while runs are read in fp32: texts may differ.

    Args:
        runs: The runs that are read with, by task.
        engine: The engine's name.

    Returns:
        None where a bundle of the same runs would ship fp32 too.
    """
    from ppedge.artifacts import needed_by
    from ppedge.runs import open_run

    for task, path in runs.items():
        there = {entry["path"] for entry in open_run(path).manifest("convert")["outputs"]}
        if task != "cls" and not there.issuperset(needed_by(engine, task, "int8")):
            return None
    files = ", ".join(needed_by(engine, task, "fp32")[0] for task in runs)
    return (
        f"note: read with {files}; int8 is there too, which a bundle takes by default and which may read other text: "
        "--precision int8"
    )


def open_recognizer(stack: ExitStack, path: Path, option: str, name: str | None = None) -> Recognizer:
    """Open a recogniser on this machine.

    Args:
        stack: Closes it.
        path: A bundle, a recogniser's run, or an ONNX file that ``ppedge convert`` left in one.
        option: Of the command line, that names it.
        name: Of a bundle with several recognisers, which; by default the first.

    Raises:
        PpedgeError: It is none of them, a name is given for what has none, or it cannot be opened.
        MissingError: Nothing on this machine can run it.
    """
    from ppedge.artifacts import Converted
    from ppedge.bundle.manifest import is_bundle
    from ppedge.bundle.reading import open_bundle
    from ppedge.engines import open_engine
    from ppedge.ocr.pipeline import Recognizer

    if is_bundle(path):
        return open_bundle(stack, path, recognizer=name).recognizer
    if name is not None:
        raise PpedgeError(f"--recognizer: {path} is no bundle.", "Leave it out.")
    precision = "fp32"
    if path.is_file():
        named = Converted.parse(path.name)
        if named is None or named.form != "onnx" or path.absolute().parent.name != "convert":
            raise PpedgeError(
                f"{option} {path}: not an ONNX file that ppedge has converted, so nothing says what its classes are.",
                "Name a bundle, a recogniser's run or RUN/convert/rec.fp32.onnx; `ppedge convert --from-inference` "
                "makes a run of a model from elsewhere.",
            )
        path, precision = path.absolute().parent.parent, named.precision
    file, spec = exported(path, "rec", "onnxruntime", precision, option)
    # Recognisers are exported for one line at a time.
    return Recognizer(stack.enter_context(open_engine("onnxruntime", file)), spec, batch_size=1)
