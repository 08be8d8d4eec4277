"""``ppedge doctor``."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from ppedge.cli.options import Json
from ppedge.cli.output import emit, say

app = typer.Typer(add_completion=False)
LOW_DISK = 2 << 30
EMULATOR, LITE = "ARM emulator", "Paddle Lite's ARM runtime"


@dataclass(frozen=True)
class _Finding:
    """One thing looked at: what it is for, what was found, and what to type if it is missing."""

    name: str
    purpose: str
    found: str
    advice: str = ""


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is here, what is missing and what to type.

    Ends in exit code 3 if something is missing that a stage needs. Paddle Lite's own ARM runtime is a choice.
    """
    findings = [*_libraries(), _avx(), _compiler(), _disk(), *_emulator()]
    if as_json:
        emit([vars(finding) | {"ok": not finding.advice} for finding in findings])
    else:
        for finding in findings:
            mark = "missing" if finding.advice else "ok"
            say(f"{mark:>8}  {finding.name} ({finding.purpose}): {finding.found}")
            if finding.advice:
                say(f"{'':>8}  -> {finding.advice}")
    if any(finding.advice and finding.name != LITE for finding in findings):
        raise typer.Exit(3)


def _libraries() -> list[_Finding]:
    wanted = {
        "paddle": ("train, slim, convert", ("paddlepaddle", "paddlepaddle-gpu")),
        "paddleslim": ("slim, convert", ("paddleslim",)),
        "paddlelite": ("convert to .nb", ("paddlelite",)),
        "paddle2onnx": ("convert to ONNX", ("paddle2onnx",)),
        "onnxruntime": ("validate, ocr", ("onnxruntime",)),
    }
    return [_library(module, purpose, packages) for module, (purpose, packages) in wanted.items()]


def _library(module: str, purpose: str, packages: tuple[str, ...]) -> _Finding:
    if find_spec(module) is None:
        return _Finding(module, purpose, "not installed", "Install ppedge with the extra `cpu` or `gpu`.")
    for package in packages:
        try:
            return _Finding(module, purpose, f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return _Finding(module, purpose, "installed")


def _avx() -> _Finding:
    from ppedge.convert.lite import require_opt
    from ppedge.errors import MissingError

    try:
        require_opt()
    except MissingError as error:
        return _Finding("opt", "convert to .nb", error.message, error.hint)
    return _Finding("opt", "convert to .nb", "can run on this processor")


def _compiler() -> _Finding:
    purpose = "fast training on a CPU, counting ARM instructions"
    found = shutil.which("cc")
    if found is None:
        return _Finding("cc", purpose, "not installed", "Install gcc; until then training is several times as slow.")
    return _Finding("cc", purpose, found)


def _disk() -> _Finding:
    free = shutil.disk_usage(Path.cwd()).free
    found = f"{free / 1e9:.1f} GB free"
    return _Finding("disk", "runs", found, "Free some space." if free < LOW_DISK else "")


def _emulator() -> list[_Finding]:
    from ppedge.arm import lite, sysroot
    from ppedge.errors import MissingError

    try:
        status: dict[str, Any] = sysroot.status()
    except MissingError as error:
        return [_Finding(name, "validate", error.message, error.hint) for name in (EMULATOR, LITE)]
    tools = [name for name in ("cc", "apt-get", "dpkg-deb") if shutil.which(name) is None]
    if status["ready"]:
        emulator = _Finding(EMULATOR, "validate", status["folder"])
    elif "damaged" in status:
        found = f"{status['folder']} is damaged: {status['damaged']}"
        emulator = _Finding(EMULATOR, "validate", found, "Run `ppedge arm setup`.")
    else:
        lacking = f"; it needs {', '.join(tools)} on this machine" if tools else ""
        emulator = _Finding(EMULATOR, "validate", f"not built{lacking}", "Run `ppedge arm setup`.")
    try:
        runtime = _Finding(LITE, "validate .nb", lite.registered().version)
    except MissingError as error:
        runtime = _Finding(LITE, "validate .nb", error.message, error.hint)
    return [emulator, runtime]
