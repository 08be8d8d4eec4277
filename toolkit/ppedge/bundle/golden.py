"""Golden cases: a picture, and everything that Python computed on the way from it to its text.

The phone, and the Java core on a PC, repeat each step from the recorded input of that step: a difference is one of that
step alone, not of what went before it.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ppedge.bundle.manifest import GOLDEN, file_entry
from ppedge.bundle.recognizers import file_stem
from ppedge.ocr.db import Box
from ppedge.ocr.direction import turn
from ppedge.ocr.geometry import crop_quad, reading_order
from ppedge.ocr.pipeline import Classifier, Detector, Recognizer
from ppedge.ocr.spec import RecPreprocess
from ppedge.storage import write_json

PICTURE = "picture.png"
CASE = "golden.json"


def write_golden(
    bundle: Path,
    name: str,
    source: str,
    image: np.ndarray,
    detector: Detector,
    recognizers: Mapping[str, Recognizer],
    classifier: Classifier | None = None,
) -> dict[str, Any]:
    """Write a golden case into a bundle and return its entry of the manifest.

    Args:
        bundle: The bundle.
        name: Of the case's folder below ``golden/``.
        source: Where the picture comes from, in a word.
        image: See `write_case`, as for the rest and what is raised.
        detector: Finds the lines.
        recognizers: Read them; by name, the default first. The name of a single one is empty.
        classifier: Finds crops that stand upside down, one at a time; they are turned.
    """
    folder = bundle / GOLDEN / name
    lines = write_case(folder, image, detector, recognizers, classifier)
    files = [file_entry(bundle, f"{GOLDEN}/{name}/{path.name}") for path in sorted(folder.iterdir())]
    return {"name": name, "source": source, "lines": lines, "files": files}


def write_case(
    folder: Path,
    image: np.ndarray,
    detector: Detector,
    recognizers: Mapping[str, Recognizer],
    classifier: Classifier | None = None,
) -> int:
    """Read a picture and write what every step took and gave: ``golden.json``, pictures (PNG), tensors (``.f32.gz``).

    Args:
        folder: Of this case; it is made.
        image: (H, W, 3), uint8, BGR.
        detector: Finds the lines.
        recognizers: Read them, one at a time; see `write_golden`.
        classifier: Finds crops that stand upside down, one at a time; they are turned.

    Returns:
        The number of lines that were found.

    Raises:
        PpedgeError: An engine failed, or a model is not what its specification says.
    """
    folder.mkdir(parents=True)
    _write_png(folder / PICTURE, image)
    tensor = detector.prepare(image)
    output = detector.engine.run([tensor])[0]
    boxes = detector.read(output, image)
    boxes = [boxes[i] for i in reading_order([box.quad for box in boxes])]
    value = {
        "picture": PICTURE,
        "height": image.shape[0],
        "width": image.shape[1],
        "det": _tensors(folder, "det", tensor, output),
        "lines": [_line(folder, number, image, box, recognizers, classifier) for number, box in enumerate(boxes)],
    }
    write_json(folder / CASE, value)
    return len(boxes)


def _line(
    folder: Path,
    number: int,
    image: np.ndarray,
    box: Box,
    recognizers: Mapping[str, Recognizer],
    classifier: Classifier | None,
) -> dict[str, Any]:
    crop = crop_quad(image, box.quad)
    name = f"crop_{number:02d}.png"
    _write_png(folder / name, crop)
    value: dict[str, Any] = {
        "quad": box.quad.tolist(),
        "box_score": box.score,
        "crop": {"file": name, "height": crop.shape[0], "width": crop.shape[1]},
        "turned": False,
        "cls": None,
    }
    if classifier is not None:
        tensor = classifier.prepare([crop])
        output = classifier.engine.run([tensor])[0]
        value["cls"] = _tensors(folder, f"cls_{number:02d}", tensor, output)
        value["turned"] = classifier.must_turn(*classifier.read(output, [crop]))
        crop = turn(crop) if value["turned"] else crop
    readings = _readings(folder, number, crop, recognizers)
    return {**value, **(readings[""] if list(readings) == [""] else {"readings": readings})}


def _readings(folder: Path, number: int, crop: np.ndarray, recognizers: Mapping[str, Recognizer]) -> dict[str, Any]:
    """Return what each recogniser was given and gave; those that are given the same share its file."""
    inputs: dict[RecPreprocess, dict[str, Any]] = {}
    found = {}
    for name, recognizer in recognizers.items():
        stem, how = f"{file_stem('rec', name)}_{number:02d}", recognizer.preprocess
        tensor = recognizer.prepare([crop])
        output = recognizer.engine.run([tensor])[0]
        (text,) = recognizer.read(output, [crop])
        if how not in inputs:
            inputs[how] = _tensor(folder, f"{stem}_input", tensor)
        rec = {"input": inputs[how], "output": _tensor(folder, f"{stem}_output", output)}
        found[name] = {"rec": rec, **text._asdict()}
    return found


def _tensors(folder: Path, stem: str, given: np.ndarray, output: np.ndarray) -> dict[str, Any]:
    return {"input": _tensor(folder, f"{stem}_input", given), "output": _tensor(folder, f"{stem}_output", output)}


def _tensor(folder: Path, stem: str, array: np.ndarray) -> dict[str, Any]:
    name = f"{stem}.f32.gz"
    (folder / name).write_bytes(pack(array))
    return {"file": name, "shape": list(array.shape)}


def pack(array: np.ndarray) -> bytes:
    """Return an array as gzip of little-endian float32 in C order; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffer, mtime=0) as file:
        file.write(np.ascontiguousarray(array, "<f4").tobytes())
    return buffer.getvalue()


def _write_png(path: Path, image: np.ndarray) -> None:
    _, data = cv2.imencode(".png", np.ascontiguousarray(image))
    path.write_bytes(data.tobytes())
