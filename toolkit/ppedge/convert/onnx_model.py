"""ONNX models that somebody else has trained, as inference models that are brought in.

The result lies in a run's folder ``imported``: the inference model, the characters that a recogniser's file carries,
what its exporter has noted beside it, and ``about.json``, which tells what it was made of and how far the two are
apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ppedge import __version__
from ppedge.convert import imported
from ppedge.convert.noted import NOTES
from ppedge.data.kept import CHARACTERS, IMPORTED
from ppedge.errors import WITH_PADDLE, MissingError, PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.files.onnx import characters_of
from ppedge.ocr.charset import Charset
from ppedge.process import run_module
from ppedge.scratch import temporary
from ppedge.storage import atomic_write, read_json, sha256, swap_in, write_json

ABOUT, MODEL = "about.json", "inference"


@dataclass(frozen=True)
class OnnxImport:
    """An ONNX model in a run's folder.

    Attributes:
        folder: Of the inference model.
        characters: The file with those that the model carries; None if it carries none.
        use_space_char: Whether the last class is a space that the file does not name.
        recipe: The recipe of the published detector that has its layers, by name; None if it is no such network.
    """

    folder: Path
    characters: Path | None
    use_space_char: bool
    recipe: str | None


def import_onnx(
    path: Path,
    run: Path,
    pictures: Sequence[Path] = (),
    *,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> OnnxImport:
    """Make an inference model of an ONNX file and hold one against the other; one that was made of it is taken.

    Args:
        path: The ONNX file.
        run: The run's folder, which need not exist yet.
        pictures: To try both on, besides drawn text and noise.
        force: Replace what was made of another file.
        say: Told what was decided and found.

    Raises:
        MissingError: A package that reads or runs the file is not installed.
        PpedgeError: The file is damaged, has an operator that is not known, or Paddle computes something else; or the
            run's folder holds what was made of another file, and there is no ``force``.
    """
    folder = run / IMPORTED
    source = _source(path)
    known = _about(folder)
    another = known.get("source") != source
    if another or pictures:
        if folder.exists() and another and not force:
            raise PpedgeError(
                f"{folder}: was made of another ONNX file or {NOTES} beside it, or by another version.",
                "Use --force to replace it, or name another run with --out.",
            )
        known = _make(path, folder, pictures, source)
    for note in known["notes"]:
        say(f"{path}: {note}")
    say(
        f"{path}: Paddle computes what onnxruntime does: largest difference {known['difference']:.1e}, mean "
        f"{known['mean_difference']:.1e}, of {known['inputs']} inputs"
    )
    characters = folder / CHARACTERS
    return OnnxImport(folder, characters if characters.is_file() else None, bool(known["use_space_char"]),
                      known["recipe"])  # fmt: skip


def _source(path: Path) -> dict[str, str]:
    """Return what an inference model is made of: the file, what its exporter has noted beside it, and by whom."""
    source, notes = {"file": path.name, "sha256": _sum(path), "ppedge": __version__}, path.with_name(NOTES)
    return source | {"notes": _sum(notes)} if notes.is_file() else source


def _sum(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).", "Name an ONNX file.") from error


def _about(folder: Path) -> dict[str, Any]:
    """Return what is known of a folder that was made before; nothing of one that is not whole."""
    try:
        known = read_json(folder / ABOUT)
        InferenceModel.at(folder / MODEL).check()
    except PpedgeError:
        return {}
    keys = {"source", "notes", "difference", "mean_difference", "inputs", "use_space_char", "recipe"}
    return known if isinstance(known, dict) and set(known) >= keys else {}


def _make(path: Path, folder: Path, pictures: Sequence[Path], source: dict[str, str]) -> dict[str, Any]:
    missing = [name for name in ("paddle", "onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise MissingError(f"{missing[0]} is not installed, which bringing in ONNX needs.", WITH_PADDLE)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary(folder.parent, f".{IMPORTED}-") as aside:
        working = aside / IMPORTED
        working.mkdir()
        run_module("ppedge.convert.translating", [path, working, *pictures], f"Bringing in {path}")
        known = dict(read_json(working / ABOUT))
        if "error" in known:
            raise PpedgeError(known["error"], known["hint"])
        if "notes" in source:
            shutil.copyfile(path.with_name(NOTES), working / NOTES)
        known |= {"source": source, "use_space_char": _write_characters(working, known)}
        write_json(working / ABOUT, known)
        swap_in(working, folder, aside / "old")
    return known


def _write_characters(working: Path, known: dict[str, Any]) -> bool:
    """Write the characters that a recogniser's file carries, and note where they are not its classes.

    Returns:
        Whether a space comes on top, which is not among them: RapidOCR's files leave it out.
    """
    files = InferenceModel.at(working / MODEL)
    characters = characters_of(known.pop("metadata"))
    if characters is None or imported.task_of(files) != "rec":
        return False
    classes = files.signature().outputs[0][2]
    if len(characters) in (classes - 1, classes - 2) and _written(working / CHARACTERS, characters):
        return len(characters) == classes - 2
    known["notes"].append(
        f"the {len(characters)} characters that it carries do not fit its {classes} classes; --charset names others"
    )
    return False


def _written(path: Path, characters: Sequence[str]) -> bool:
    """Write a dictionary; return False, and leave none, where it would read as another one."""
    with atomic_write(path) as file:
        file.write("".join(f"{one}\n" for one in characters).encode())
    try:
        same = Charset.from_name_or_file(path, as_is=True).characters == tuple(characters)
    except PpedgeError:
        same = False
    if not same:
        path.unlink()
    return same
