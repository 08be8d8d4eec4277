"""Reading pictures straight from a bundle: the engine that can run what is in it, and the constants it carries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ppedge.arm import lite
from ppedge.artifacts import FORMS
from ppedge.bundle.manifest import file_of, read_charset, read_manifest
from ppedge.bundle.recognizers import choose, networks
from ppedge.engines import open_engine, require_threads
from ppedge.errors import SHOWN, MissingError, PpedgeError, cut, shown
from ppedge.ocr.db import GROWN_SIDE
from ppedge.ocr.geometry import SAME_LINE, UPRIGHT_RATIO
from ppedge.ocr.pipeline import Classifier, Detector, Network, Pipeline, Recognizer
from ppedge.ocr.spec import ModelSpec
from ppedge.runs import MANIFEST
from ppedge.storage import sha256


def open_bundle(
    stack: ExitStack,
    folder: Path,
    engine: str | None = None,
    threads: int | None = None,
    recognizer: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Pipeline:
    """Open the networks of a bundle.

    Args:
        stack: Closes them.
        folder: The bundle.
        engine: One of `artifacts.FORMS`; by default onnxruntime if the ONNX twins are in the bundle, else the
            registered Paddle Lite under emulation.
        threads: For one operator, of an engine of this computer; by default as many as it has cores.
        recognizer: The name of the one that reads, of several; by default the first. Others are not opened.
        say: Told, before it starts, if a bundle is read under emulation that nobody asked for, and why.

    Returns:
        What reads a picture.

    Raises:
        PpedgeError: The folder is no bundle, it has no such recogniser, a file of the networks has changed, of
            whichever form, or the engine cannot run a bundle.
        MissingError: Nothing on this machine can run what is in the bundle.
    """
    value = read_manifest(folder)
    try:
        _require_same_constants(folder, value)
        reader = choose(value, recognizer, folder)
        models = networks(value, reader)
        name = engine or choose_engine(folder, models)
        # All files are checked before any engine starts: an emulator takes a while. So are those that the engine does
        # not open: who tries a bundle on a PC is told that a phone would refuse it.
        for entry in (entry for model in models.values() for entry in (model, model["onnx"]) if entry):
            _unchanged(folder, entry)
        files = {task: _model_file(folder, task, model, name) for task, model in models.items()}
        specs = {task: _spec(folder, task, model, reader["charset"]) for task, model in models.items()}
        options = require_threads(name, threads)
        if engine is None and name == "arm-paddlelite":
            say(f"{folder}: {_why_emulated(models)}")
        opened: dict[str, Network] = {
            task: stack.enter_context(open_engine(name, path, **options)) for task, path in files.items()
        }
        return Pipeline(
            Detector(opened["det"], specs["det"]),
            Recognizer(opened["rec"], specs["rec"], batch_size=1),
            Classifier(opened["cls"], specs["cls"], batch_size=1) if "cls" in opened else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PpedgeError(
            f"{folder / MANIFEST}: a key is missing or damaged ({cut(str(error), 2 * SHOWN)}).", _AGAIN
        ) from error


_AGAIN = "Build the bundle again; `ppedge bundle verify` says what has changed."


def choose_engine(folder: Path, models: dict[str, dict[str, Any]]) -> str:
    """Return the engine that runs a bundle here.

    Args:
        folder: The bundle.
        models: The manifest's entries of what is to be run, by task.

    Raises:
        MissingError: There is none.
    """
    if all(model["onnx"] for model in models.values()) and find_spec("onnxruntime") is not None:
        return "onnxruntime"
    try:
        lite.registered()
    except MissingError as error:
        raise MissingError(
            f"{folder}: has no ONNX twins, and no Paddle Lite runtime is registered that could run its .nb files.",
            "Build the bundle with --onnx, or run `ppedge arm setup --lite DIR`.",
        ) from error
    return "arm-paddlelite"


def _why_emulated(models: dict[str, dict[str, Any]]) -> str:
    """Say what a bundle lacks to be read by this computer's own core, and how it gets that."""
    slow = "it is read on the emulated ARM core, which takes minutes"
    if all(model["onnx"] for model in models.values()):
        return f"onnxruntime is not installed, so {slow}; install it to read on this computer"
    return f"has no ONNX twins, so {slow}; build the bundle with --onnx to read on this computer"


def _model_file(folder: Path, task: str, model: dict[str, Any], engine: str) -> Path:
    if engine not in FORMS:
        raise PpedgeError(f"{folder}: a bundle holds nothing that {engine} runs.", f"Use one of {', '.join(FORMS)}.")
    entry = model if FORMS[engine] == "nb" else model["onnx"]
    if entry is None:
        twin = Path(model["file"]).with_suffix(".onnx")
        raise PpedgeError(f"{folder}: has no {twin} for {engine}.", "Build the bundle with --onnx.")
    return file_of(folder, entry["file"])


def _unchanged(folder: Path, entry: dict[str, Any]) -> Path:
    path = file_of(folder, entry["file"])
    if not path.is_file() or sha256(path) != entry["sha256"]:
        raise PpedgeError(f"{path}: missing, or changed since the bundle was built.", _AGAIN)
    return path


def _spec(folder: Path, task: str, model: dict[str, Any], charset: dict[str, Any]) -> ModelSpec:
    if task == "det":
        post = {key: item for key, item in model["postprocess"].items() if key != "grown_side"}
        return ModelSpec.from_dict({"task": "det", "det_preprocess": model["preprocess"], "det_postprocess": post})
    if task == "cls":
        return ModelSpec.from_dict(
            {"task": "cls", "cls_preprocess": model["preprocess"], "cls_postprocess": model["postprocess"]}
        )
    characters = read_charset(_unchanged(folder, charset)).characters
    return ModelSpec.from_dict({"task": "rec", "rec_preprocess": model["preprocess"], "characters": characters})


def _require_same_constants(folder: Path, value: dict[str, Any]) -> None:
    """Check the constants that Python's own steps have built in."""
    own = {"upright_ratio": UPRIGHT_RATIO, "same_line": SAME_LINE, "grown_side": GROWN_SIDE}
    found = {**value["pipeline"], "grown_side": value["models"]["det"]["postprocess"]["grown_side"]}
    if found != own:
        raise PpedgeError(f"{folder}: built with the constants {shown(found)}, this ppedge has {shown(own)}.", _AGAIN)
