"""The runs that a bundle is made of, and the chain of manifests that leads from each back to recipe and data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppedge.artifacts import SHIPPED, nb
from ppedge.data.source import shipped_spec
from ppedge.errors import PpedgeError
from ppedge.runs import MANIFEST, Run, open_run
from ppedge.storage import sha256


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


def open_source(path: Path, task: str) -> Source:
    """Return a run that has what a bundle needs.

    Raises:
        PpedgeError: It is no run, its convert stage is missing, stale or damaged, or its task is another one.
    """
    run = open_run(path)
    run.require_fresh("convert")
    spec = shipped_spec(run)
    if spec.task != task:
        raise PpedgeError(
            f"{path}: this run's task is {spec.task}, its place on the command line is that of a {task} run.",
            "The order is DET_RUN REC_RUN [CLS_RUN].",
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
