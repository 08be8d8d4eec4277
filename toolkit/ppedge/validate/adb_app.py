"""Real phones by ``adb``, through the demo app: the pipeline as users run it, stage by stage.

The app is started with an intent and leaves a report in its folder on the shared storage, and in the log, for phones
that do not let adb read that folder. Its networks count only if they are this run's: the report names their sha256.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from ppedge.errors import MissingError, PpedgeError
from ppedge.recipe.road import Recipe
from ppedge.runs import Run
from ppedge.scratch import scratch

PACKAGE = "dev.ppedge.demo"
FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"
WARMUP, REPEATS = 5, 30
PATIENCE = 900.0  # seconds until a phone that is still at work is given up
POLL = 1.0  # seconds between two looks
SCHEMA = 1
_SAME_SOURCES = "Build the app and ppedge from the same sources."
_STATISTICS = ("p50", "p90", "min", "max", "mean")
_INSTALL = "ppedge bundle DET_RUN REC_RUN --into android_demo --lite-android DIR, make apk, adb install -r the APK."


class Adb(Protocol):
    """A phone that takes commands: what this module needs of `ppedge.validate.adb.Phone`."""

    @property
    def serial(self) -> str:
        """Return adb's name of it."""

    def shell(self, command: str, what: str) -> str:
        """Run a command on the phone and return what it prints."""

    def pull(self, source: str, target: Path, what: str) -> None:
        """Copy a file from the phone."""


def measure(phone: Adb, recipe: Recipe, run: Run, say: Callable[[str], None]) -> dict[str, Any]:
    """Have the app read its first golden picture again and again: one thread, the big cores.

    Where the app has several recognisers, it is the one that is this run's, else its first.

    Args:
        phone: The phone.
        recipe: The run's recipe.
        run: The run; one of its ``.nb`` files must be the app's.
        say: Told what is being done.

    Returns:
        ``model``, ``soc``, ``abi``, ``android`` of the phone; ``app``, ``runtime``, ``threads``, ``power_mode``,
        ``warmup``, ``repeats``; of several recognisers ``recognizer``, the name of the one that read; ``golden``,
        ``input_shape``, ``lines``: name and shape of the picture, lines read;
        ``thermal_before``, ``thermal_after``; ``stages``: milliseconds by stage (``p50``, ``p90``, ``min``, ``max``,
        ``mean``); ``models``: this run's file with ``bytes``, ``runtime`` and ``ms`` of its network on the picture.

    Raises:
        MissingError: The app is not on the phone, or the phone was unplugged.
        PpedgeError: The app failed, died or took too long, or its models are not this run's.
    """
    if "package:" not in phone.shell(f"pm path {PACKAGE} 2>/dev/null; true", "Asking for the app"):
        raise MissingError(
            f"The app {PACKAGE} is not on the phone {phone.serial}.", f"Install it ({_INSTALL}) or use --benchmark-bin."
        )
    say(f"running the app's benchmark on the phone {phone.serial}")
    report = _benchmark(phone)
    name = _further_recognizer(report, recipe, run)
    if name is not None:
        say(f"once more with the app's recogniser {name}, which is this run's")
        report = _benchmark(phone, f" --es recognizer {shlex.quote(name)}")
    if report.get("previous_abort"):
        say(f"the app ended in Paddle Lite the last time, {report['previous_abort']}: the figures are of a new start")
    return _figures(report, recipe, run)


def _benchmark(phone: Adb, more: str = "") -> dict[str, Any]:
    """Return the report of one run of the app; ``more`` are further extras of the intent."""
    identity = f"pc-{secrets.token_hex(6)}"
    extras = f"--es run {identity} --ei warmup {WARMUP} --ei runs {REPEATS} --ei threads 1 --es power_mode high{more}"
    started = phone.shell(f"am start -W -n {PACKAGE}/.BenchmarkActivity {extras} 2>&1; true", "Starting the app")
    if "Error" in started or "Exception" in started:
        raise PpedgeError(f"The app on the phone {phone.serial} did not start: {' '.join(started.split())[:200]}.")
    try:
        return _read(_wait(phone, identity), identity, phone.serial)
    finally:
        with suppress(PpedgeError):
            phone.shell(f"rm -f {_path(identity)}", "Removing the report")


def _further_recognizer(report: dict[str, Any], recipe: Recipe, run: Run) -> str | None:
    """Return the name of the app's recogniser that is this run's; None if it is the one that ran, or none is."""
    if recipe.task != "rec":
        return None
    ours = {entry["sha256"] for entry in run.manifest("convert")["outputs"]}
    try:
        if report["models"]["rec"]["sha256"] in ours:
            return None
        named = [name for name, model in report.get("recognizers", {}).items() if model["sha256"] in ours]
    except (KeyError, TypeError, AttributeError) as error:
        raise PpedgeError(f"The app's report lacks {error}.", _SAME_SOURCES) from error
    return named[0] if named else None


def _path(identity: str) -> str:
    return f"{FOLDER}/benchmark-{identity}.json"


def _wait(phone: Adb, identity: str) -> str:
    """Return the report's text, from its file or from the log."""
    script = (
        f"[ -r {_path(identity)} ] && echo ppedge-file; "
        f"logcat -d -v raw -s ppedge:I 2>/dev/null | grep 'ppedge-result {identity} '; "
        f"pidof {PACKAGE} >/dev/null && echo ppedge-alive; true"
    )
    end = time.monotonic() + PATIENCE
    alive = True
    while True:
        told = phone.shell(script, "Waiting for the app")
        if "ppedge-file" in told.split():
            with suppress(PpedgeError), scratch("adb") as folder:
                report = folder / "report.json"
                phone.pull(_path(identity), report, "Fetching the report")
                return report.read_text(encoding="utf-8", errors="replace")
        logged = _joined(told, identity)
        if logged is not None:
            return logged
        if not alive:  # and it was not alive at the look before: what it wrote last has been looked for
            hint = "Open the app: it says what it was doing when it ended."
            raise PpedgeError(f"The app on the phone {phone.serial} ended without a report.", hint)
        if time.monotonic() > end:
            raise PpedgeError(f"The app on the phone {phone.serial} left no report in {PATIENCE:.0f} s.")
        alive = "ppedge-alive" in told.split()
        time.sleep(POLL)


def _joined(log: str, identity: str) -> str | None:
    """Return the report whose parts stand in the log; None if one is missing."""
    found = re.findall(rf"^ppedge-result {identity} (\d+)/(\d+) (.*?)\r?$", log, re.MULTILINE)
    parts = {int(number): part for number, _, part in found}
    if not found or set(parts) != set(range(1, int(found[0][1]) + 1)):
        return None
    return "".join(parts[number] for number in sorted(parts))


def _read(text: str, identity: str, serial: str) -> dict[str, Any]:
    """Return the app's report, checked: it comes from outside."""
    where = f"The app's report from the phone {serial}"
    try:
        report = json.loads(text)
        if (report["schema"], report["kind"], report["id"]) != (SCHEMA, "benchmark", identity):
            raise PpedgeError(f"{where} is none of schema {SCHEMA}.", _SAME_SOURCES)
        if report["status"] != "ok":
            problem = report["problem"]
            if problem["kind"] == "left":
                raise PpedgeError(
                    f"The app on the phone {serial} stopped: its screen was left, or the phone is locked.",
                    "Unlock the phone, leave the app's screen open, and repeat the command.",
                )
            raise PpedgeError(f"The app on the phone {serial} failed: {problem['kind']}: {problem['detail']}.")
        for times in report["ms"].values():
            if not all(isinstance(times[key], int | float) for key in _STATISTICS):
                raise KeyError("ms")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise PpedgeError(f"{where} cannot be understood: {type(error).__name__} {error}.") from error
    return dict(report)


def _figures(report: dict[str, Any], recipe: Recipe, run: Run) -> dict[str, Any]:
    stages = {name: {key: times[key] for key in _STATISTICS} for name, times in report["ms"].items()}
    try:
        shipped = report["models"][recipe.task]
        ours = [e for e in run.manifest("convert")["outputs"] if e["sha256"] == shipped["sha256"]]
        if not ours:
            raise PpedgeError(
                f"The app's {shipped['file']} (sha256 {shipped['sha256'][:12]}...) is no file of {run.path}.",
                f"Put this run's into it: {_INSTALL}",
            )
        times = stages[f"{recipe.task}_network"]
        milliseconds = {key: times[key] for key in ("p50", "p90", "min", "max")} | {"avg": times["mean"]}
        runtime = f"Paddle Lite {report['runtime']}".strip()
        model = {"file": ours[0]["path"], "bytes": ours[0]["bytes"], "runtime": runtime, "ms": milliseconds}
        device, settings = report["device"], report["settings"]
        return {
            **{key: device[key] for key in ("model", "soc", "abi", "android", "app")},
            **{key: report[key] for key in ("golden", "lines", "thermal_before", "thermal_after")},
            **({"recognizer": report["recognizer"]} if "recognizer" in report else {}),
            "input_shape": [1, 3, report["height"], report["width"]],
            "runtime": runtime,
            "threads": settings["threads"],
            "power_mode": settings["power_mode"],
            "warmup": settings["warmup"],
            "repeats": settings["runs"],
            "stages": stages,
            "models": [model],
        }
    except (KeyError, TypeError) as error:
        raise PpedgeError(f"The app's report lacks {error}.", _SAME_SOURCES) from error
