"""Inputs as files in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from fuzz.contract import Files


def read_files(folder: Path) -> Files:
    """Return the input that lies in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_files(files: Files, folder: Path) -> None:
    """Write an input into a folder, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
