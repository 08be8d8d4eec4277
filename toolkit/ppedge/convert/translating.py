"""From an ONNX file to an inference model, and one held against the other: the child process of `onnx_model`.

Run it in a process of its own (``python -m ppedge.convert.translating FILE FOLDER [PICTURE...]``), since onnxruntime
and Paddle may abort on what somebody else has written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ppedge.convert.export import case_inputs
from ppedge.convert.imported import Task, task_of
from ppedge.convert.onnx_model import ABOUT, MODEL
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.figures import held
from ppedge.files.inference_model import InferenceModel
from ppedge.models.from_onnx.read import published_of
from ppedge.ocr.image_file import read_image
from ppedge.ocr.preprocess import prepare_cls, prepare_det, prepare_rec
from ppedge.ocr.spec import ClsPreprocess, DetPreprocess, RecPreprocess
from ppedge.program.from_onnx.convert import translate
from ppedge.program.program import Program
from ppedge.storage import write_json

LARGEST, MEAN = 2e-3, 1e-5
"""The largest difference of a value that is allowed, and the largest mean difference of an output's values.

Both run the same operators in float32, with sums in another order; a detector's steep map makes the most of that. On
receipts at 640 pixels PP-OCRv6's and v5's detectors differ by up to 6e-4, in the mean by up to 9e-7. GELU by the tanh
formula, a small mistake in one operator, would be 6e-3.
"""
_SIDE = 640
_TEXTS = ("Total 1,234.50", "ppedge 2026", "Invoice No. 42-A")


def main(arguments: Sequence[str] | None = None) -> None:
    """Translate a file, and leave the inference model and ``about.json`` in a folder; of a bad one, what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m ppedge.convert.translating")
    parser.add_argument("path", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*")
    options = parser.parse_args(arguments)
    try:
        about = _translate(options.path, options.folder, options.pictures)
    except PpedgeError as error:
        about = {"error": error.message, "hint": error.hint}
    write_json(options.folder / ABOUT, about)


def _translate(path: Path, folder: Path, pictures: Sequence[Path]) -> dict[str, Any]:
    translated = translate(path)
    files = InferenceModel.at(folder / MODEL)
    translated.program.write(files)
    files.check()
    task = task_of(files)
    inputs = _inputs(translated.program, task, pictures)
    largest, mean = _difference(path, files, inputs)
    network = published_of(path) if task == "det" else None  # of the others' recipes nothing is taken
    return {"recipe": network and network.recipe, "notes": translated.notes, "metadata": translated.metadata,
            "difference": largest, "mean_difference": mean, "inputs": len(inputs)}  # fmt: skip


def _difference(path: Path, files: InferenceModel, inputs: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return how far onnxruntime's run of a file and Paddle's of what it became are apart: at most, and in the mean.

    Raises:
        PpedgeError: Further than is allowed, or one cannot be run.
    """
    found = []
    with open_engine("onnxruntime", path) as theirs, open_engine("paddle", files.model) as ours:
        for x in inputs:
            (wanted,), (made,) = theirs.run([x]), ours.run([x])
            difference = np.abs(made.astype(np.float64) - wanted) if made.shape == wanted.shape else np.float64(np.inf)
            largest, mean = float(np.max(difference)), float(np.mean(difference))
            if not (largest <= LARGEST and mean <= MEAN):  # also true of NaN
                (most, most_allowed), (usual, usual_allowed) = held(largest, LARGEST, 2), held(mean, MEAN, 2)
                raise PpedgeError(
                    f"{path}: of an input {list(x.shape)} Paddle makes something else than onnxruntime, by up to "
                    f"{most}, {usual} in the mean; {most_allowed} and {usual_allowed} are allowed.",
                    "It uses an operator in a form that is not known here.",
                )
            found.append((largest, mean))
    return max(one for one, _ in found), max(one for _, one in found)


def _inputs(program: Program, task: Task, pictures: Sequence[Path]) -> list[np.ndarray]:
    """Return noise, drawn text and pictures as the network's inputs, within the sizes that it takes."""
    batch, _, *sides = program.shape(program.inputs[0])
    height = sides[0] if sides[0] > 0 else RecPreprocess().height
    read = [_drawn(), *(read_image(path) for path in pictures)]
    made = [*case_inputs(task, height), *(_prepared(task, picture, height) for picture in read)]
    fitting = [x[:batch] if batch > 0 else x for x in made]
    if any(side > 0 for side in sides[1:]):  # of one size only, which is refused later, by what the recipe says
        fitting = [np.random.default_rng(0).standard_normal((max(batch, 1), 3, height, sides[1]), dtype=np.float32)]
    return fitting


def _prepared(task: Task, picture: np.ndarray, height: int) -> np.ndarray:
    if task == "det":
        return prepare_det(picture, replace(DetPreprocess(), limit_type="max", limit_side=_SIDE))
    if task == "rec":
        return prepare_rec([picture], replace(RecPreprocess(), height=height))
    return prepare_cls([picture], replace(ClsPreprocess(), height=height))


def _drawn() -> np.ndarray:
    """Return a picture (H, W, 3) of dark text on white."""
    picture = np.full((40 * len(_TEXTS), 320, 3), 255, np.uint8)
    for k, text in enumerate(_TEXTS):
        cv2.putText(picture, text, (8, 40 * k + 30), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    main()
