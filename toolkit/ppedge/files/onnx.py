"""What the readers of ONNX files share: whether one can be read at all, and the characters that it carries."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from ppedge.errors import WITH_PADDLE, MissingError, PpedgeError

CHARACTERS = "character"
"""The key of the metadata under which RapidOCR looks for a recogniser's characters."""


def require_readable(path: Path, hint: str = "") -> None:
    """Check that a file can be opened, and that there is a package to read it with.

    Args:
        path: The ONNX file.
        hint: What to do where it cannot be opened.

    Raises:
        MissingError: The package onnx is not installed.
        PpedgeError: The file cannot be opened.
    """
    if find_spec("onnx") is None:
        raise MissingError("onnx is not installed, which reading ONNX needs.", WITH_PADDLE)
    try:
        path.open("rb").close()
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).", hint) from error


def characters_of(metadata: Mapping[str, str]) -> list[str] | None:
    """Return what a recogniser's classes from 1 on read as, one a line; None where the file does not say it."""
    text = metadata.get(CHARACTERS)
    return [one.strip("\r") for one in text.removesuffix("\n").split("\n")] if text else None
