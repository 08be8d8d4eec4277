"""Checking a bundle: every byte against the manifest, the manifest against itself, and what the files say inside."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ppedge.bundle.golden import CASE
from ppedge.bundle.manifest import GOLDEN, SCHEMAS, file_of, known_schema, read_charset, read_unsealed, sealed
from ppedge.bundle.recognizers import SEVERAL, recognizers, require_names
from ppedge.errors import PpedgeError
from ppedge.files.nb import read_nb
from ppedge.ocr.image_file import read_image
from ppedge.runs import MANIFEST
from ppedge.storage import read_json, sha256

_MAX_TENSOR = 1 << 30
_BLOCK = 1 << 20
_ODD_STRUCTURE = (KeyError, OverflowError, TypeError, ValueError, AttributeError, IndexError)


def verify_bundle(folder: Path) -> list[str]:
    """Check a bundle and return what is wrong with it, one sentence each: which file, what was expected, what is there.

    Checked are: the manifest against the sha256 of itself, every file's size and sha256, files that are in the folder
    but not in the manifest, the structure of the .nb files and their opt version, each character set's size against its
    recogniser's classes, and the golden cases' tensors and pictures, of every recogniser, against the shapes they are
    said to have.

    Raises:
        PpedgeError: The folder has no manifest.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise PpedgeError(f"{folder}: not a bundle (no {MANIFEST} in it).", "Name a folder that `ppedge bundle` made.")
    try:
        value = read_unsealed(folder)
        problems = [*_manifest(path, value), *_files(folder, value)]
        changed = bool(problems)
        problems += _models(folder, value)
        if not changed:  # inside files that have changed anything may be wrong, and that they have is told
            for case in value["golden"]:
                problems += _golden(folder, case["name"], value)
    except PpedgeError as error:
        return [error.message]
    except _ODD_STRUCTURE as error:
        return [f"{path}: its structure is not that of a bundle's manifest ({type(error).__name__}: {error})"]
    return problems


def _manifest(path: Path, value: dict[str, Any]) -> Iterator[str]:
    if not known_schema(value):
        yield f"{path}: schema {value['schema']}, this ppedge knows {SCHEMAS}"
    elif value["schema"] == SEVERAL:
        try:
            require_names(one["name"] for one in recognizers(value))
        except PpedgeError as error:
            yield f"{path}: {error.message.rstrip('.')}"
    expected = sealed({key: item for key, item in value.items() if key != "sha256"})
    if path.read_bytes() != expected:
        yield f"{path}: changed since it was written (its text does not have the sha256 that it names)"


def listed(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every entry ``file``, ``bytes``, ``sha256`` of a manifest."""
    for model in all_models(value):
        yield model
        if model.get("onnx"):
            yield model["onnx"]
    for one in recognizers(value):
        yield one["charset"]
    for case in value["golden"]:
        yield from case["files"]


def all_models(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of all models, each once."""
    others = [model for task, model in value["models"].items() if task != "rec"]
    return [*others, *(one["model"] for one in recognizers(value))]


def _files(folder: Path, value: dict[str, Any]) -> Iterator[str]:
    names = {MANIFEST}
    for entry in listed(value):
        name = entry["file"]
        names.add(name)
        try:
            path = file_of(folder, name)
        except PpedgeError as error:
            yield error.message.rstrip(".")
            continue
        if not path.is_file():
            yield f"{path}: missing; expected are {entry['bytes']} bytes"
        elif path.stat().st_size != entry["bytes"]:
            yield f"{path}: {path.stat().st_size} bytes, expected are {entry['bytes']}"
        elif (found := sha256(path)) != entry["sha256"]:
            yield f"{path}: sha256 {found}, expected is {entry['sha256']}"
    for path in sorted(folder.rglob("*")):
        if not path.is_dir() and str(path.relative_to(folder)) not in names:
            yield f"{path}: not in the manifest"


def _models(folder: Path, value: dict[str, Any]) -> Iterator[str]:
    for model in all_models(value):
        path = file_of(folder, model["file"])
        if not path.is_file():
            continue  # told
        try:
            found = read_nb(path).opt_version
        except PpedgeError as error:
            yield error.message.rstrip(".")
            continue
        if found != model["opt_version"]:
            yield f"{path}: written by opt {found}, expected is {model['opt_version']}"
    for one in recognizers(value):
        yield from _charset(folder, one["model"], one["charset"])


def _charset(folder: Path, model: dict[str, Any], entry: dict[str, Any]) -> Iterator[str]:
    path = file_of(folder, model["charset"])
    if not path.is_file():
        return
    try:
        found = len(read_charset(path).characters)
    except PpedgeError as error:
        yield error.message.rstrip(".")
        return
    for wanted, what in ((model["classes"] - 1, "the recogniser's classes less the blank"),
                         (entry["characters"], "the manifest's count")):  # fmt: skip
        if found != wanted:
            yield f"{path}: {found} characters, expected are {wanted} ({what})"


def _golden(folder: Path, name: str, value: dict[str, Any]) -> Iterator[str]:
    """Check one golden case; its files are the ones that the manifest names."""
    place = folder / GOLDEN / name
    case = read_json(place / CASE)
    yield from _picture(place / case["picture"], case)
    height, width = case["det"]["input"]["shape"][2:]
    yield from _tensors(place, case["det"], [1, 3, height, width], [1, 1, height, width])
    cls = value["models"].get("cls")
    for line in case["lines"]:
        yield from _picture(place / line["crop"]["file"], line["crop"])
        yield from _readings(place, line, recognizers(value))
        if (cls is None) != (line["cls"] is None):
            yield f"{place / CASE}: a line {'with' if cls is None else 'without'} a direction, unlike the models"
        elif cls is not None:
            size = cls["preprocess"]
            yield from _tensors(place, line["cls"], [1, 3, size["height"], size["width"]], [1, 2])


def _readings(place: Path, line: dict[str, Any], expected: list[dict[str, Any]]) -> Iterator[str]:
    """Check what each recogniser made of a line."""
    readings = line.get("readings", {"": line})
    if list(readings) != [one["name"] for one in expected]:
        yield f"{place / CASE}: a line is not read by the manifest's recognisers"
        return
    for one in expected:
        rec, model = readings[one["name"]]["rec"], one["model"]
        given, output = (rec[part]["shape"] for part in ("input", "output"))
        wanted = [1, 3, model["preprocess"]["height"], given[3]]
        yield from _tensors(place, rec, wanted, [1, output[1], model["classes"]])


def _picture(path: Path, about: dict[str, Any]) -> Iterator[str]:
    try:
        found = read_image(path).shape[:2]
    except PpedgeError as error:
        yield error.message.rstrip(".")
        return
    if found != (about["height"], about["width"]):
        yield f"{path}: {found[0]}x{found[1]} pixels, expected are {about['height']}x{about['width']}"


def _tensors(place: Path, about: dict[str, Any], given: list[int], output: list[int]) -> Iterator[str]:
    for part, wanted in (("input", given), ("output", output)):
        path, shape = place / about[part]["file"], about[part]["shape"]
        if shape != wanted:
            yield f"{place / CASE}: {path.name} has the shape {shape}, expected is {wanted}"
        elif (found := _unpacked_size(path, size := 4 * math.prod(shape))) != size:
            yield f"{path}: {found} bytes once unpacked, expected are {size}"


def _unpacked_size(path: Path, expected: int) -> int | str:
    """Return how many bytes a file unpacks to, looking no further than it should: a few may unpack without end."""
    size, most = 0, min(expected, _MAX_TENSOR)
    try:
        with gzip.open(path) as file:
            while block := file.read(_BLOCK):
                size += len(block)
                if size > most:
                    return f"more than {most}"
    except (OSError, EOFError, zlib.error):
        return "no"
    return size
