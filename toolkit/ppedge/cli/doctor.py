"""``ppedge doctor``."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ppedge.cli.options import Json
from ppedge.cli.output import emit, say
from ppedge.errors import WITH_PADDLE

app = typer.Typer(add_completion=False)
LOW_DISK = 2 << 30
EMULATOR, LITE = "ARM emulator", "Paddle Lite's ARM runtime"
OPENCVS = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
"""Packages that all own the module ``cv2``; ours first."""


@dataclass(frozen=True)
class _Finding:
    """One thing looked at: what it is for, what was found, and what to type if that is not well.

    Attributes:
        name: Of the thing.
        purpose: The commands that need it.
        found: What is there.
        advice: What to type; empty if all is well.
        lack: What it means that it is not well. Only what is ``missing`` ends in exit code 3.
    """

    name: str
    purpose: str
    found: str
    advice: str = ""
    lack: Literal["missing", "optional", "warning"] = "missing"


@app.command()
def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="First build what is missing in the cache folder: the emulator, opt's Python.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what is here, what is missing and what to type.

    Ends in exit code 3 if something is missing that a stage needs. Paddle Lite's own ARM runtime is a choice.
    """
    if fix:
        _fix()
    findings = [*_libraries(), *_opencv(), _opt(), _compiler(), _disk(), *_emulator()]
    if as_json:
        emit(
            [
                {key: value for key, value in vars(finding).items() if key != "lack"} | {"ok": not finding.advice}
                for finding in findings
            ]
        )
    else:
        for finding in findings:
            mark = finding.lack if finding.advice else "ok"
            say(f"{mark:>8}  {finding.name} ({finding.purpose}): {finding.found}")
            if finding.advice:
                say(f"{'':>8}  -> {finding.advice}")
    if any(finding.advice and finding.lack == "missing" for finding in findings):
        raise typer.Exit(3)


def _fix() -> None:
    """Build what is missing; what cannot be built is told here, and again among the findings."""
    from ppedge.arm import sysroot
    from ppedge.convert import opt
    from ppedge.errors import PpedgeError

    for build in (opt.prepare, lambda tell: sysroot.ensure(tell, anew=True)):
        try:
            build(lambda sentence: say(sentence, err=True))
        except PpedgeError as error:
            say(str(error), err=True)


def _libraries() -> list[_Finding]:
    wanted = {
        "paddle": ("train, slim, convert", ("paddlepaddle", "paddlepaddle-gpu")),
        "paddle2onnx": ("convert to ONNX", ("paddle2onnx",)),
        "onnxruntime": ("validate, ocr", ("onnxruntime",)),
    }
    return [_library(module, purpose, packages) for module, (purpose, packages) in wanted.items()]


def _library(module: str, purpose: str, packages: tuple[str, ...]) -> _Finding:
    if find_spec(module) is None:
        return _Finding(module, purpose, "not installed", WITH_PADDLE)
    for package in packages:
        try:
            return _Finding(module, purpose, f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return _Finding(module, purpose, "installed")


def _opencv() -> list[_Finding]:
    """Warn where several packages have written the same files: the last one installed is what runs."""
    found = {}
    for package in OPENCVS:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if len(found) < 2:
        return []
    ours, *others = found
    told = " and ".join(f"{package} {version}" for package, version in found.items())
    return [
        _Finding(
            "OpenCV",
            "all pictures",
            f"{told} own the same files, and the last one installed has overwritten the others'",
            f"pip uninstall -y {' '.join(others)} && pip install --force-reinstall --no-deps {ours}=={found[ours]}",
            "warning",
        )
    ]


def _opt() -> _Finding:
    from ppedge.convert.lite import require_opt
    from ppedge.errors import MissingError

    try:
        python, _ = require_opt()
    except MissingError as error:
        return _Finding("Paddle Lite's opt", "convert to .nb", error.message, error.hint)
    return _Finding("Paddle Lite's opt", "convert to .nb", f"paddlelite on {python}")


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
        return [
            _Finding(EMULATOR, "validate", error.message, error.hint),
            _Finding(LITE, "validate .nb", error.message, error.hint, "optional"),
        ]
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
        runtime = _Finding(LITE, "validate .nb", error.message, error.hint, "optional")
    return [emulator, runtime]
