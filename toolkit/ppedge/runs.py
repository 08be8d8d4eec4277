"""Run folders: stage folders that appear whole, manifests linked by sha256.

A stage works in a hidden sibling (``.train.partial``) and is renamed to its place when it is done, so a killed stage
leaves the previous result whole and its own half-finished work where ``--resume`` finds it.
"""

from __future__ import annotations

import fcntl
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from ppedge import __version__
from ppedge.errors import Interrupted, PpedgeError, named_if_full, require_utf8
from ppedge.state import Manifest
from ppedge.storage import atomic_write, read_json, sha256, swap_in, write_json

STAGES = ("train", "slim", "convert", "validate")
MANIFEST = "manifest.json"
RECIPE = "recipe.yml"
SCHEMA = 1
RESUMED_FROM = {"train": "last.ckpt", "slim": "cut/findings.json"}
"""By stage: the file in its working folder that says there is something to go on from."""
LIBRARIES = ("paddlepaddle", "paddlepaddle-gpu", "paddlelite", "paddle2onnx", "onnxruntime", "numpy",
             "opencv-python-headless")  # fmt: skip

_locked_here: set[Path] = set()
"""Lock files of the stages that this process is at work on."""


def versions() -> dict[str, str]:
    """Return the versions of ppedge, Python and the libraries that shape an artifact, as far as they are installed."""
    found = {"ppedge": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


class Run:
    """The folder of one recipe's results.

    Args:
        path: The folder; it need not exist yet.

    Raises:
        PpedgeError: Its name is not UTF-8.
    """

    def __init__(self, path: Path) -> None:
        require_utf8(str(path))
        self.path = path
        for name in STAGES:
            if self._old(name).exists() or (self.partial(name).exists() and not self.interrupted(name)):
                self._clear_up(name)
        self._take_recipe()

    def _take_recipe(self) -> None:
        """Make the run's recipe that of its first stage, which may have come, or been replaced, a moment ago.

        That is train; of an inference model that was brought in, convert.
        """
        kept = self.stage("train" if self.done("train") else "convert") / RECIPE
        if kept.is_file() and (not self.recipe_path.is_file() or self.recipe_path.read_bytes() != kept.read_bytes()):
            with atomic_write(self.recipe_path) as file:
                file.write(kept.read_bytes())

    def _clear_up(self, name: str) -> None:
        """Remove what a killed process left of a stage, unless one is at work on it.

        A kill between the two renames of `writing` has left the earlier result under its other name.
        """
        with suppress(PpedgeError, OSError), self._alone(name):  # one is at work, or only reading is allowed here
            if self._old(name).exists() and not self.stage(name).exists():
                self._old(name).rename(self.stage(name))
            shutil.rmtree(self._old(name), ignore_errors=True)
            if not self.interrupted(name):
                shutil.rmtree(self.partial(name), ignore_errors=True)

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe that is kept with the run."""
        return self.path / RECIPE

    def stage(self, name: str) -> Path:
        """The folder of a stage's results."""
        return self.path / name

    def partial(self, name: str) -> Path:
        """The folder in which a stage works until it is done."""
        return self.path / f".{name}.partial"

    def interrupted(self, name: str) -> bool:
        """Whether an interrupted attempt at a stage lies there, with which ``--resume`` goes on."""
        return name in RESUMED_FROM and (self.partial(name) / RESUMED_FROM[name]).is_file()

    def nothing_left(self, name: str) -> bool:
        """Whether ``--resume`` has nothing to do: the stage is finished on results that are still there."""
        return self.done(name) and not self.interrupted(name) and self.fresh(name)

    def _old(self, name: str) -> Path:
        return self.path / f".{name}.old"

    def done(self, name: str) -> bool:
        """Whether a stage has finished."""
        return (self.stage(name) / MANIFEST).is_file()

    def fresh(self, name: str) -> bool:
        """Whether a finished stage still rests on the results it was made from, and none have come between them."""
        parent = self.manifest(name)["parent"]
        if parent is None:  # a model that was brought in is not that of a training into the same folder
            return name == "train" or not self.done("train")
        before = parent["stage"]
        same = self.done(before) and sha256(self.stage(before) / MANIFEST) == parent["sha256"]
        return same and not self._slimmed_since(name) and self.fresh(before)

    def _slimmed_since(self, name: str) -> bool:
        """Whether files are those of the network as trained, and it has been slimmed after they were made."""
        parent = self.manifest(name)["parent"]
        return name == "convert" and parent is not None and parent["stage"] == "train" and self.done("slim")

    def _outdated(self, name: str) -> bool:
        """Whether a finished stage is known to rest on results that have been replaced; a damaged one is not."""
        try:
            return self.done(name) and not self.fresh(name)
        except PpedgeError:
            return False

    def changed_input(self, name: str) -> Path | None:
        """Return the first file of those that a finished stage has read that holds something else now.

        Files that are not there any more do not count: a result does not need them.
        """
        for entry in self.manifest(name).get("inputs", []):
            path = Path(entry["path"])
            if path.is_file() and sha256(path) != entry["sha256"]:
                return path
        return None

    def require_fresh(self, name: str) -> None:
        """Check that a stage is done and rests on results that are still there.

        Raises:
            PpedgeError: The stage has not been run, or a stage before it has been run since.
        """
        if self._slimmed_since(name):
            raise PpedgeError(
                f"{self.stage(name)}: holds files of the network as trained, which has been slimmed since.",
                f"Repeat `ppedge {name} {self.path} --force`.",
            )
        if not self.fresh(name):
            raise PpedgeError(
                f"{self.stage(name)}: rests on results that have been replaced since.",
                f"Repeat `ppedge {name} {self.path} --force`.",
            )

    def newest_stage(self, among: Sequence[str] = ("train", "slim")) -> str | None:
        """The last finished stage of ``among``, in the road's order."""
        finished = [name for name in among if self.done(name)]
        return finished[-1] if finished else None

    def manifest(self, name: str) -> Manifest:
        """Read a stage's manifest.

        Raises:
            PpedgeError: The stage has not been run, or its manifest is damaged or another version's.
        """
        if not self.done(name):
            raise PpedgeError(f"{self.path}: the stage {name} has not been run.", f"Run `ppedge {name} {self.path}`.")
        path = self.stage(name) / MANIFEST
        return Manifest(path, name, read_json(path))

    def artifact(self, stage: str, name: str) -> Path:
        """Return an artifact after checking it against its manifest.

        Raises:
            PpedgeError: The manifest does not name it, or its bytes are not those the manifest names.
        """
        path = self.stage(stage) / name
        for entry in self.manifest(stage)["outputs"]:
            if entry["path"] == name:
                if not path.is_file():
                    raise PpedgeError(f"{path}: missing, though its manifest names it.", f"Repeat `ppedge {stage}`.")
                if sha256(path) != entry["sha256"]:
                    raise PpedgeError(f"{path}: changed since the stage wrote it.", f"Repeat `ppedge {stage} --force`.")
                return path
        raise PpedgeError(f"{path}: not an artifact of this run.", f"Repeat `ppedge {stage}` and ask for it.")

    @contextmanager
    def writing(self, name: str, *, force: bool = False, resume: bool = False) -> Iterator[Path]:
        """Yield the working folder of a stage and put it in place when the block ends well.

        After an error the folder is kept if there is something in it to go on from, see `RESUMED_FROM`.

        Args:
            name: The stage.
            force: Replace an earlier result; without it an earlier result is an error.
            resume: Go on with a folder that was kept, and replace an earlier result as its attempt was to.

        Raises:
            PpedgeError: There is a result already, and no ``force``; or another process is at work on the stage.
            Interrupted: Ctrl-C or SIGTERM came.
        """
        with self._alone(name):
            yield from self._writing(name, force=force, resume=resume)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Hold a stage's lock, which a process loses when it dies and its own children (loader workers) never have."""
        self.path.mkdir(parents=True, exist_ok=True)
        taken = PpedgeError(f"{self.path}: another process is at work on its {name} stage.", "Wait for it to end.")
        path = (self.path / f".{name}.lock").resolve()
        if path in _locked_here:  # opening it again would let go of the lock
            raise taken
        with path.open("w") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise taken from error
            _locked_here.add(path)
            try:
                yield
            finally:
                _locked_here.discard(path)

    def _writing(self, name: str, *, force: bool, resume: bool) -> Iterator[Path]:
        target, partial = self.stage(name), self.partial(name)
        going_on = resume and self.interrupted(name)  # who began it has allowed it to replace what is there
        if target.exists() and not (force or going_on):
            old = ", and rests on results that have been replaced since" if self._outdated(name) else ""
            raise PpedgeError(f"{target}: there already{old}.", "Use --force to replace it.")
        if partial.exists() and not going_on:
            shutil.rmtree(partial)
        partial.mkdir(parents=True, exist_ok=True)
        for unfinished in partial.glob(".*"):  # what `atomic_write` was at when the earlier attempt was killed
            if unfinished.is_file():
                unfinished.unlink()
        try:
            with named_if_full(self.path, below=True):
                yield partial
        except BaseException as error:
            kept = self.interrupted(name)
            if not kept:
                shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, KeyboardInterrupt):
                raise _interrupted(name, partial if kept else None) from error
            raise
        swap_in(partial, target, self._old(name))
        self._take_recipe()

    def write_manifest(
        self,
        folder: Path,
        stage: str,
        *,
        outputs: Sequence[str],
        inputs: Sequence[Path] = (),
        metrics: Mapping[str, Any] | None = None,
        parent: str | None = None,
        **extra: Any,
    ) -> None:
        """Write a stage's manifest into its working folder.

        Args:
            folder: The working folder that `writing` yielded.
            stage: The stage.
            outputs: Names of the artifacts in ``folder``.
            inputs: Files that the stage read.
            metrics: Figures worth keeping.
            parent: The stage whose results this one used; its manifest is linked by sha256.
            extra: Further keys: seed, device, seconds, ...
        """
        manifest = {
            "schema": SCHEMA,
            "stage": stage,
            "versions": versions(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            **extra,
            "inputs": [_entry(path, str(path)) for path in inputs],
            "outputs": [_entry(folder / name, name) for name in outputs],
            "metrics": dict(metrics or {}),
            "parent": None if parent is None else {"stage": parent, "sha256": sha256(self.stage(parent) / MANIFEST)},
        }
        write_json(folder / MANIFEST, manifest)


def _interrupted(name: str, kept: Path | None) -> Interrupted:
    """Return what is said of a stage that Ctrl-C or SIGTERM ended, where what was at work had nothing to say."""
    if kept is not None:
        return Interrupted(f"Interrupted; {kept} keeps what was done.", "Go on with --resume.")
    return Interrupted(
        f"Interrupted; of the stage {name} nothing is kept, earlier results are whole.", "Repeat the command."
    )


def _entry(path: Path, name: str) -> dict[str, Any]:
    return {"path": name, "bytes": path.stat().st_size, "sha256": sha256(path)}


RUNS = Path("runs")
"""Where runs lie that are given no folder, each by its recipe's name."""


def newest_run(root: Path = RUNS) -> Run:
    """Return the run under ``root`` that was written to last.

    Raises:
        PpedgeError: There is none.
    """
    runs = [path.parent for path in root.glob("*/recipe.yml")]
    if not runs:
        raise PpedgeError(
            f"No run found under {root}/.", "Start one with `ppedge train RECIPE`, or name a run's folder."
        )

    def last_write(run: Path) -> float:
        return max((p.stat().st_mtime for p in (run, *run.glob("*/manifest.json"))), default=0.0)

    return Run(max(runs, key=last_write))


def open_run(path: Path | None) -> Run:
    """Return the run at ``path``, or the newest one if it is None.

    Raises:
        PpedgeError: No run lies there.
    """
    if path is None:
        return newest_run()
    run = Run(path)
    if not run.recipe_path.is_file():
        raise PpedgeError(f"{path}: not a run (no recipe.yml in it).", "Name a folder that `ppedge train` made.")
    return run
