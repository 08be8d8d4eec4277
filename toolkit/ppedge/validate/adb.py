"""Real phones by ``adb``: Paddle Lite's ``benchmark_bin``, which the user brings, times the run's ``.nb`` files.

Without a ``benchmark_bin``, the demo app on the phone measures itself, see `ppedge.validate.adb_app`.

Everything lies in one folder below ``/data/local/tmp`` while it runs and is removed afterwards. ``benchmark_bin`` ends
with exit code 0 even if it did not like its options, and old phones hand no exit code on; so what counts is the file of
results that it leaves.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppedge.errors import MissingError, PpedgeError
from ppedge.process import last_words, run_child
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import count_size
from ppedge.runs import Run
from ppedge.scratch import scratch
from ppedge.validate import adb_app

REMOTE = "/data/local/tmp"
BINARY, RESULT = "benchmark_bin", "result.txt"
WARMUP, REPEATS = 10, 30
READY = "device"  # adb's word for a phone that takes commands
STATES = {
    "unauthorized": "Unlock the phone and accept this computer's key.",
    "authorizing": "Unlock the phone and accept this computer's key.",
    "offline": "Plug it in again, or restart adb with `adb kill-server`.",
}
PROPERTIES = {
    "model": "ro.product.model",
    "soc": "ro.board.platform",
    "abi": "ro.product.cpu.abi",
    "android": "ro.build.version.release",
}
_ARM_MACHINES = {40, 183}  # ELF's numbers of 32-bit and 64-bit ARM
_TIME = re.compile(r"^\s*(init|first|min|max|avg)\s*=\s*([0-9.]+)\s*$", re.MULTILINE)
_VERSION = re.compile(r"^\s*benchmark_bin version:\s*(\S+)", re.MULTILINE)


def connect(device: str, binary: Path | None) -> Phone:
    """Find the phone that ``--device`` means.

    Args:
        device: ``adb``, if one phone is plugged in, or ``adb:SERIAL``.
        binary: The user's ``benchmark_bin``, built for Android; None to use the demo app.

    Raises:
        MissingError: adb is not installed, or no phone is there that takes commands.
        PpedgeError: ``device`` is not of that form, several phones are there, or ``binary`` is no program for ARM.
    """
    kind, colon, serial = device.partition(":")
    if kind != "adb" or (colon and not serial):
        raise PpedgeError(f"--device {device}: not adb or adb:SERIAL.", "For example: --device adb")
    if binary is not None:
        _require_program(binary)
    if shutil.which("adb") is None:
        raise MissingError("adb is not installed.", "Install Android's platform tools and put adb on the PATH.")
    phones = _devices()
    if serial:
        if serial not in phones:
            raise MissingError(f"--device {device}: adb does not see this phone.", _plugged(phones))
    elif len(phones) > 1:
        raise PpedgeError(f"--device adb: {len(phones)} phones are plugged in.", _plugged(phones))
    elif not phones:
        raise MissingError("--device adb: no phone is plugged in.", "Plug one in and allow USB debugging.")
    serial = serial or next(iter(phones))
    state = phones[serial]
    if state != READY:
        raise MissingError(f"The phone {serial} is {state}.", STATES.get(state.split()[0], "See `adb devices`."))
    return Phone(serial, binary)


def _require_program(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise PpedgeError(f"--benchmark-bin {path}: cannot be read ({error.strerror}).") from error
    if head[:4] != b"\x7fELF" or int.from_bytes(head[18:20], "little") not in _ARM_MACHINES:
        raise PpedgeError(
            f"--benchmark-bin {path}: not a program for ARM.", "Build benchmark_bin of Paddle Lite for Android."
        )


def _devices() -> dict[str, str]:
    """Return state by serial of what adb sees."""
    text = run_child(["adb", "devices"], "Asking adb for phones", cause="Try `adb kill-server`.", timeout=60)
    lines = text.partition("List of devices attached")[2].splitlines()
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("*"))
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def _plugged(phones: dict[str, str]) -> str:
    found = ", ".join(f"{serial} ({state})" for serial, state in phones.items())
    return f"There are: {found}; name one with --device adb:SERIAL." if phones else "adb sees none."


@dataclass(frozen=True)
class Phone:
    """A phone that takes commands.

    Attributes:
        serial: adb's name of it.
        binary: The user's ``benchmark_bin``; None to use the demo app.
    """

    serial: str
    binary: Path | None

    def measure(self, recipe: Recipe, run: Run, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
        """Time every ``.nb`` file of a run's convert stage: one thread, the big cores, an input of ones.

        Args:
            recipe: The run's recipe.
            run: The run.
            say: Told what is being done.

        Returns:
            ``model``, ``soc``, ``abi`` and ``android`` of the phone; ``input_shape``, ``threads``, ``warmup``,
            ``repeats``; ``models``: by file ``bytes``, ``runtime`` and ``ms`` (``init``, ``first``, ``min``, ``avg``,
            ``max``), or ``error`` where ``benchmark_bin`` failed. Through the app: see `adb_app.measure`.

        Raises:
            MissingError: The phone's storage is full, or it was unplugged.
            PpedgeError: There is no ``.nb`` file, or ``benchmark_bin`` failed on all of them.
        """
        if self.binary is None:
            return adb_app.measure(self, recipe, run, say)
        files = [e["path"] for e in run.manifest("convert")["outputs"] if e["path"].endswith(".nb")]
        if not files:
            raise PpedgeError(f"{run.stage('convert')}: has no .nb file for a phone.", "Convert with --format nb.")
        shape = [1, 3, *count_size(recipe)]
        with self._folder() as folder:
            self._push(self.binary, f"{folder}/{BINARY}")
            self.shell(f"chmod 755 {folder}/{BINARY}", "Making benchmark_bin executable")
            models = []
            for name in files:
                say(f"timing {name} on the phone {self.serial}")
                path = run.artifact("convert", name)
                models.append({"file": name, "bytes": path.stat().st_size, **self._time(path, folder, shape)})
        failed = [model["error"] for model in models if "error" in model]
        if len(failed) == len(models):
            raise PpedgeError(f"benchmark_bin failed on the phone {self.serial}: {failed[0]}")
        about = {key: self.shell(f"getprop {name}", f"Asking for {name}").strip() for key, name in PROPERTIES.items()}
        return {**about, "input_shape": shape, "threads": 1, "warmup": WARMUP, "repeats": REPEATS, "models": models}

    @contextmanager
    def _folder(self) -> Iterator[str]:
        """Make a folder on the phone and remove it at the end, as far as the phone is still there."""
        folder = f"{REMOTE}/ppedge.{os.getpid()}"
        self.shell(f"mkdir -p {folder}", f"Making {folder}")
        try:
            yield folder
        finally:
            with suppress(PpedgeError):
                self.shell(f"rm -rf {folder}", f"Removing {folder}")

    def _time(self, path: Path, folder: str, shape: list[int]) -> dict[str, Any]:
        """Run one file; a failure of ``benchmark_bin`` is part of the answer, one of adb is not."""
        self._push(path, f"{folder}/model.nb")
        options = {
            "optimized_model_file": f"{folder}/model.nb",
            "input_shape": ",".join(map(str, shape)),
            "backend": "arm",
            "warmup": WARMUP,
            "repeats": REPEATS,
            "threads": 1,
            "power_mode": 0,  # the big cores
            "result_path": f"{folder}/{RESULT}",
        }
        words = " ".join(f"--{key}={value}" for key, value in options.items())
        # The shell's own exit code is 0 whatever the program did: old phones do not hand it on, so none is relied on.
        ran = f"cd {folder}; rm -f {RESULT}; ./{BINARY} {words} 2>&1; echo exit code $?"
        script = f"{ran}; [ -f {RESULT} ] && echo {RESULT}; true"
        told = self.shell(script, f"Running benchmark_bin on {path.name}")
        if RESULT not in told.split():
            said = re.sub(r"^exit code 0$", "", told, flags=re.MULTILINE)
            return {"error": f"{path.name}: no results: {last_words(said)}"}
        with scratch("adb") as local:
            result = local / RESULT
            self.pull(f"{folder}/{RESULT}", result, "Fetching the results")
            text = result.read_text(errors="replace")
        times = {key: float(value) for key, value in _TIME.findall(text)}
        if not {"min", "avg", "max"} <= times.keys():
            return {"error": f"{path.name}: its results name no times: {last_words(text)}"}
        version = _VERSION.search(text)
        return {"runtime": f"Paddle Lite {version[1]}" if version else "Paddle Lite", "ms": times}

    def _push(self, path: Path, target: str) -> None:
        self._adb(["push", str(path), target], f"Copying {path.name} to the phone")

    def pull(self, source: str, target: Path, what: str) -> None:
        """Copy a file from the phone; ``what`` names the step in errors, which are those of `measure`."""
        self._adb(["pull", source, str(target)], what)

    def shell(self, command: str, what: str) -> str:
        """Run a command on the phone and return what it prints; otherwise as `pull`."""
        return self._adb(["shell", command], what)

    def _adb(self, words: list[str], what: str) -> str:
        try:
            return run_child(["adb", "-s", self.serial, *words], f"{what} ({self.serial})", timeout=1800)
        except MissingError as error:
            if "disk is full" not in error.message:
                raise
            raise MissingError(
                f"{what}: no space left on the phone {self.serial}.", f"Free some in {REMOTE}."
            ) from error
        except PpedgeError as error:
            if "not found" in error.message or "no devices" in error.message or "offline" in error.message:
                raise MissingError(error.message, "Plug the phone in again and repeat the command.") from error
            raise
