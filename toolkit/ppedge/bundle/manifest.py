"""The bundle's manifest: what lies in the folder, with which constants it is used, and where it comes from.

Every byte of a bundle is accounted for: files by size and sha256 in the manifest, the manifest itself by the sha256 of
its own text, which is its last key, and by being written in one way only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ppedge import __version__
from ppedge.bundle.form import FORMS
from ppedge.bundle.recognizers import ONE, SEVERAL, file_stem
from ppedge.errors import PpedgeError, shown
from ppedge.files.nb import read_nb
from ppedge.ocr.charset import Charset
from ppedge.ocr.db import GROWN_SIDE
from ppedge.ocr.geometry import SAME_LINE, UPRIGHT_RATIO
from ppedge.ocr.spec import ModelSpec
from ppedge.runs import MANIFEST
from ppedge.state import checked
from ppedge.storage import read_json, sha256

SCHEMAS = " and ".join(map(str, FORMS))
"""The manifests' schemas that this ppedge reads, for messages."""

TASKS = ("det", "rec", "cls")
GOLDEN = "golden"
INPUT = {"layout": "NCHW", "channels": "BGR", "dtype": "float32"}
_AGAIN = "Build the bundle again."
_NAME = "Name a folder that `ppedge bundle` made."
LICENCE = (
    "The networks are under the terms of the data and of the weights that they were trained from (the chain names both "
    "by sha256); the golden pictures are under the terms of the data they come from; ppedge itself is under "
    "Apache-2.0. Check all three before you pass a bundle on."
)


def model_file(task: str, recognizer: str = "") -> str:
    """Return the name of a model's ``.nb`` file in a bundle; one of several recognisers has its own name in it."""
    return f"{file_stem(task, recognizer)}.nb"


def twin_file(task: str, recognizer: str = "") -> str:
    """Return the name of its ONNX twin."""
    return f"{file_stem(task, recognizer)}.onnx"


def charset_file(recognizer: str = "") -> str:
    """Return the name of a recogniser's character set."""
    return f"{file_stem('charset', recognizer)}.txt"


def file_entry(folder: Path, name: str) -> dict[str, Any]:
    """Return ``file`` (relative to the bundle), ``bytes`` and ``sha256`` of a file."""
    path = folder / name
    return {"file": name, "bytes": path.stat().st_size, "sha256": sha256(path)}


def constants(task: str, spec: Mapping[str, Any], recognizer: str = "") -> dict[str, Any]:
    """Return a model's pre- and post-processing as the manifest says it.

    Args:
        task: ``det``, ``rec`` or ``cls``.
        spec: What `ModelSpec.to_dict` gives.
        recognizer: Of several recognisers, the name of this one.
    """
    if task == "cls":
        return {"preprocess": dict(spec["cls_preprocess"]), "postprocess": dict(spec["cls_postprocess"])}
    model = ModelSpec.from_dict(dict(spec))
    if task == "det":
        assert model.det_preprocess is not None and model.det_postprocess is not None
        post = {**asdict(model.det_postprocess), "grown_side": GROWN_SIDE}
        return {"preprocess": asdict(model.det_preprocess), "postprocess": post}
    assert model.rec_preprocess is not None
    return {
        "preprocess": asdict(model.rec_preprocess),
        "charset": charset_file(recognizer),
        "classes": Charset(model.characters).size,
    }


def model_entry(
    folder: Path,
    task: str,
    spec: Mapping[str, Any],
    *,
    precision: str,
    chain: list[dict[str, Any]],
    recognizer: str = "",
) -> dict[str, Any]:
    """Return the manifest's entry of a model whose files lie in the bundle already.

    Args:
        folder: The bundle; the model's `model_file` lies in it, and its `twin_file` if it has one.
        task: ``det``, ``rec`` or ``cls``.
        spec: What `ModelSpec.to_dict` gives.
        precision: ``fp32`` or ``int8``.
        chain: The stages that led to it, newest first.
        recognizer: Of several recognisers, the name of this one.

    Raises:
        PpedgeError: The .nb file is damaged.
    """
    name, twin = model_file(task, recognizer), twin_file(task, recognizer)
    return {
        **file_entry(folder, name),
        "precision": precision,
        "opt_version": read_nb(folder / name).opt_version,
        "input": INPUT,
        **constants(task, spec, recognizer),
        "onnx": file_entry(folder, twin) if (folder / twin).is_file() else None,
        "chain": chain,
    }


def write_charset(folder: Path, characters: tuple[str, ...], recognizer: str = "") -> None:
    """Write a recogniser's `charset_file`: what class i reads as on line i, the blank (class 0) is not in it."""
    (folder / charset_file(recognizer)).write_bytes("".join(f"{character}\n" for character in characters).encode())


def read_charset(path: Path) -> Charset:
    """Read a `charset_file`, whose lines are the classes of a network that exists: taken as they are.

    Raises:
        PpedgeError: The file is missing, or its last line does not end.
    """
    try:
        lines = path.read_bytes().decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PpedgeError(f"{path}: cannot be read as UTF-8 text.", _AGAIN) from error
    if lines.pop() or not lines:
        raise PpedgeError(f"{path}: its last line does not end.", _AGAIN)
    return Charset(lines)


def write_manifest(
    folder: Path,
    name: str,
    models: Mapping[str, Any],
    recognizers: Mapping[str, Any],
    golden: list[dict[str, Any]],
    engine: Mapping[str, str],
) -> None:
    """Write the manifest of a bundle whose other files are in place.

    Args:
        folder: The bundle.
        name: What the app shows.
        models: The detector and, if there is one, the classifier, by task, see `model_entry`.
        recognizers: The recognisers by name, the default first; the name of a single one is empty.
        golden: One entry a golden picture: ``name``, ``source``, ``files``.
        engine: ``name`` and ``version`` of what computed the golden outputs.
    """
    if list(recognizers) == [""]:
        tasks = {**models, "rec": recognizers[""]}
        parts: dict[str, Any] = {
            "models": {task: tasks[task] for task in TASKS if task in tasks},
            "charset": _charset_entry(folder),
        }
    else:
        several = [
            {"name": one, "model": model, "charset": _charset_entry(folder, one)} for one, model in recognizers.items()
        ]
        parts = {"models": dict(models), "recognizers": several}
    value = {
        "schema": SEVERAL if "recognizers" in parts else ONE,
        "ppedge": __version__,
        "name": name,
        **parts,
        "pipeline": {"upright_ratio": UPRIGHT_RATIO, "same_line": SAME_LINE},
        "golden_engine": dict(engine),
        "golden": golden,
        "licence": LICENCE,
    }
    (folder / MANIFEST).write_bytes(sealed(value))


def _charset_entry(folder: Path, recognizer: str = "") -> dict[str, Any]:
    name = charset_file(recognizer)
    return {**file_entry(folder, name), "characters": len(read_charset(folder / name).characters)}


def sealed(value: Mapping[str, Any]) -> bytes:
    """Return the manifest's text: ``value`` with the sha256 of its own text as the last key.

    Raises:
        ValueError: There is a number that is not finite.
    """
    digest = hashlib.sha256(_text(value)).hexdigest()
    return _text({**value, "sha256": digest})


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def is_bundle(folder: Path) -> bool:
    """Whether a folder's manifest is that of a bundle, of whatever schema and however damaged otherwise."""
    try:
        value = read_json(folder / MANIFEST)
    except (PpedgeError, OSError):
        return False
    return isinstance(value, dict) and {"schema", "models", "golden"} <= value.keys()


def read_unsealed(folder: Path) -> dict[str, Any]:
    """Read the manifest of a bundle that may have been changed.

    Raises:
        PpedgeError: It is missing, or is no JSON object.
    """
    value = read_json(folder / MANIFEST)
    if not isinstance(value, dict):
        raise PpedgeError(f"{folder / MANIFEST}: not a manifest.", _AGAIN)
    return value


def known_schema(value: Mapping[str, Any]) -> bool:
    """Whether a manifest is of a schema that this ppedge reads."""
    return type(value["schema"]) is int and value["schema"] in FORMS


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a bundle.

    Raises:
        PpedgeError: The folder is no bundle, one of another schema, or its manifest has changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise PpedgeError(f"{folder}: not a bundle.", _NAME)
    value = read_unsealed(folder)
    if not is_bundle(folder):
        raise PpedgeError(f"{folder}: not a bundle.", _NAME)
    if not known_schema(value):
        raise PpedgeError(f"{path}: schema {shown(value['schema'])}, this ppedge knows {SCHEMAS}.", _AGAIN)
    if path.read_bytes() != sealed({key: item for key, item in value.items() if key != "sha256"}):
        raise PpedgeError(f"{path}: changed since it was written.", _AGAIN)
    checked(FORMS[value["schema"]], value, path, "a bundle's manifest", _AGAIN)
    return value


def file_of(folder: Path, name: str) -> Path:
    """Return the path of a file that a bundle's manifest names.

    Raises:
        PpedgeError: It lies outside the bundle, as named or by way of a link.
    """
    path = folder / name
    named_inside = not Path(name).is_absolute() and ".." not in Path(name).parts and "\0" not in name
    if not named_inside or not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise PpedgeError(f"{folder / MANIFEST}: names {shown(name)}, which is not a file of the bundle.", _AGAIN)
    return path
