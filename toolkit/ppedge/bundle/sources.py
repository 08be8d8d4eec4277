"""The runs that a bundle is made of, and the chain of manifests that leads from each back to recipe and data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppedge.artifacts import SHIPPED, nb
from ppedge.bundle.manifest import TASKS
from ppedge.bundle.recognizers import is_name, require_names
from ppedge.data.source import shipped_spec
from ppedge.errors import PpedgeError
from ppedge.runs import MANIFEST, Run, open_run
from ppedge.storage import sha256

_ORDER = "DET_RUN REC_RUN [CLS_RUN]."


@dataclass(frozen=True)
class Source:
    """A run whose converted network goes into a bundle.

    Attributes:
        task: ``det``, ``rec`` or ``cls``.
        run: The run; its convert stage is fresh.
        spec: What `ModelSpec.to_dict` gave.
        files: sha256 of the convert stage's files by name.
    """

    task: str
    run: Run
    spec: dict[str, Any]
    files: dict[str, str]

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.run.path.resolve().name

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions of its .nb files that a bundle can hold, the preferred one first."""
        return tuple(p for p in SHIPPED if nb(self.task, p) in self.files)

    def copy(self, name: str, target: Path) -> None:
        """Copy a file of the convert stage, whose bytes must be those that its manifest names.

        Raises:
            PpedgeError: The run has no such file, or another one than its manifest says.
        """
        path = self.run.artifact("convert", name)
        target.write_bytes(path.read_bytes())  # an error of copyfile's would name the wrong file of the two
        if sha256(target) != self.files[name]:
            raise PpedgeError(f"{path}: changed while it was copied.", "Repeat the command.")


@dataclass(frozen=True)
class Part:
    """A network of a bundle.

    Attributes:
        source: Its run.
        precision: In which it ships, ``fp32`` or ``int8``.
        recognizer: Of several recognisers, the name of this one; else empty.
    """

    source: Source
    precision: str
    recognizer: str = ""

    @property
    def task(self) -> str:
        """``det``, ``rec`` or ``cls``."""
        return self.source.task


def open_parts(
    runs: Sequence[Path], recognizer: str | None, also: Sequence[tuple[str, Path]], precision: str | None
) -> list[Part]:
    """Return the networks of a bundle: the detector, the recognisers, the default first, perhaps a classifier.

    Args:
        runs: The detector's, the recogniser's and, if there is one, the classifier's.
        recognizer: With ``also``, the name of the recogniser in ``runs``; by default that of its run's folder.
        also: Names and runs of further recognisers.
        precision: The one asked for, if one is; see `build_bundle`.

    Raises:
        PpedgeError: A run is not what it must be, a name is none, or a precision is lacking.
    """
    if len(runs) not in (2, 3):
        raise PpedgeError(f"A bundle is made of two or three runs, not {len(runs)}.", f"Name them as {_ORDER}")
    det, rec, *cls = [open_source(path, task) for path, task in zip(runs, TASKS, strict=False)]
    first = _name_of_first(rec, recognizer, alone=not also)
    if also:
        require_names([first, *(name for name, _ in also)])
    further = [(name, open_source(path, "rec", "--also takes runs of recognisers.")) for name, path in also]
    chosen = choose_precision([det, rec], precision)
    for _, source in further if precision else ():
        choose_precision([source], precision)

    def part(source: Source, name: str = "") -> Part:
        own = chosen if chosen in source.precisions else choose_precision([source], None)
        return Part(source, own, name)

    return [part(det), part(rec, first), *(part(source, name) for name, source in further), *map(part, cls)]


def _name_of_first(rec: Source, given: str | None, *, alone: bool) -> str:
    if alone and given is not None:
        raise PpedgeError("--recognizer: a single recogniser has no name.", "Name further ones with --also NAME=RUN.")
    if alone:
        return ""
    if given is None and not is_name(rec.name):
        raise PpedgeError(f"{rec.run.path}: its folder's name is none for a recogniser.", "Name it: --recognizer NAME.")
    return rec.name if given is None else given


def open_source(path: Path, task: str, hint: str = f"The order is {_ORDER}") -> Source:
    """Return a run that has what a bundle needs.

    Args:
        path: The run.
        task: That it must be of.
        hint: What to do if it is of another.

    Raises:
        PpedgeError: It is no run, its convert stage is missing, stale or damaged, or its task is another one.
    """
    run = open_run(path)
    run.require_fresh("convert")
    spec = shipped_spec(run)
    if spec.task != task:
        raise PpedgeError(
            f"{path}: this run's task is {spec.task}, its place on the command line is that of a {task} run.",
            hint,
        )
    outputs = run.manifest("convert")["outputs"]
    return Source(task, run, spec.to_dict(), {entry["path"]: entry["sha256"] for entry in outputs})


def choose_precision(sources: Sequence[Source], asked: str | None) -> str:
    """Return the precision that a bundle's detector and recogniser have: the one asked for, else int8 if both have it.

    Raises:
        PpedgeError: A run does not have it, or they have none in common.
    """
    for precision in [asked] if asked else SHIPPED:
        lacking = [source for source in sources if precision not in source.precisions]
        if not lacking:
            return precision
    wanted = nb(lacking[0].task, asked) if asked else "a .nb file of one precision, fp32 or int8, in all runs"
    hint = "int8 needs `ppedge slim --quant pact`" if asked == "int8" else "Ask `ppedge convert` for fp32"
    raise PpedgeError(f"{lacking[0].run.path}: the convert stage has not left {wanted}.", f"{hint}; see --precision.")


def chain(source: Source, shipped: str) -> list[dict[str, Any]]:
    """Return what a network rests on, newest stage first: its manifests, linked by sha256, down to recipe and data.

    Args:
        source: The run.
        shipped: Name of the .nb file that is shipped: of the convert stage's figures, only its own are kept.

    Raises:
        PpedgeError: A manifest is missing or damaged.
    """
    run = source.run
    links = [_link(source, "validate", shipped)] if validated(source) is not None else []
    stage: str | None = "convert"
    while stage is not None:
        links.append(_link(source, stage, shipped))
        parent = run.manifest(stage)["parent"]
        stage = parent["stage"] if parent else None
    return links


def validated(source: Source) -> bool | None:
    """Return whether the run's gates held when it was validated; None if it has not been, as it stands."""
    if not source.run.done("validate") or not source.run.fresh("validate"):
        return None
    return bool(source.run.manifest("validate")["metrics"].get("passed"))


def _link(source: Source, stage: str, shipped: str) -> dict[str, Any]:
    run = source.run
    manifest = run.manifest(stage)
    metrics = manifest["metrics"]
    if stage == "convert":
        metrics = {"files": {name: about for name, about in metrics.get("files", {}).items() if name == shipped}}
    return {
        "stage": stage,
        "run": source.name,
        "manifest_sha256": sha256(run.stage(stage) / MANIFEST),
        "recipe_sha256": sha256(run.recipe_path),
        "versions": manifest.get("versions", {}),
        "metrics": metrics,
        "inputs": [_private(entry) for entry in manifest.get("inputs", [])],
        "outputs": manifest["outputs"],
        "parent": manifest["parent"],
    }


def _private(entry: dict[str, Any]) -> dict[str, Any]:
    """Keep of an absolute path the name only: a bundle leaves the machine."""
    path = Path(entry["path"])
    return {**entry, "path": path.name if path.is_absolute() else entry["path"]}
