"""Having networks rewritten before they are converted: what the child process is asked, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ppedge.convert.lite import Precision
from ppedge.errors import MissingError, PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.forkserver import ForkServer
from ppedge.process import Child, dealt
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import count_size, line_height
from ppedge.storage import read_json, write_json

Form = Literal["nb", "onnx"]
Rewrites = Literal["exact", "approximate", "none"]
"""As the recipe's ``convert.rewrite``."""


@dataclass(frozen=True)
class Job:
    """An inference model to rewrite.

    Attributes:
        prefix: Of its two files.
        out: Prefix of the rewritten files; ``OUT.json`` tells what was done.
        pictures: An ``.npz`` file of inputs that each pass is tried on; seeded noise of other sizes comes with them.
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.
        form: What is made of it.
        precision: Of the ``.nb`` file, for its price.
        float_weights: Names of weights that may stay float in an int8 file.
        size: Height and width of the input that is priced, in pixels.
        rewrite: What is allowed.
    """

    prefix: str
    out: str
    pictures: str
    task: Literal["det", "rec", "cls"]
    height: int
    form: Form
    precision: Precision
    float_weights: Sequence[str]
    size: Sequence[int]
    rewrite: Rewrites


class Rewriting:
    """The networks of a run that are rewritten in one child process.

    Args:
        recipe: Of the run.
        folder: Where the rewritten networks are written.
        pictures: Inputs (1, 3, H, W) on which each pass is tried.
    """

    def __init__(self, recipe: Recipe, folder: Path, pictures: Sequence[np.ndarray]) -> None:
        self._recipe, self._folder = recipe, folder
        self._pictures = folder / "pictures.npz"
        np.savez(self._pictures, *pictures)
        self._jobs: list[tuple[Job, str, Mapping[str, str]]] = []

    def add(
        self,
        prefix: Path,
        name: str,
        called: str,
        form: Form,
        precision: Precision,
        float_weights: Sequence[str] = (),
        layers: Mapping[str, str] | None = None,
    ) -> None:
        """Add a network.

        Args:
            prefix: Of its files.
            name: Prefix of the rewritten ones below the folder, and its key in what `run` returns.
            called: What it is called in what is said.
            form: What is made of it.
            precision: Of the ``.nb`` file.
            float_weights: Names of weights that may stay float in an int8 file.
            layers: The network's own names of layers by those of their weights; may lack any.
        """
        out = self._folder / name
        out.parent.mkdir(parents=True, exist_ok=True)
        task, height = self._recipe.task, line_height(self._recipe)
        size = count_size(self._recipe)
        job = Job(
            str(prefix), str(out), str(self._pictures), task, height, form, precision, float_weights, size,
            self._recipe.convert.rewrite,
        )  # fmt: skip
        self._jobs.append((job, called, layers or {}))

    def run(self, forks: ForkServer, say: Callable[[str], None]) -> dict[str, Any]:
        """Rewrite the networks; those that are left as they are, with a sentence, have no rewritten files.

        Args:
            forks: Has Paddle imported.
            say: Told what was done.

        Returns:
            By name: ``note``, a sentence on what was left as it is and why, or empty; ``before``, predicted
            instructions by core; ``passes``, what each did in which layer; ``origins``, the network's own weights by
            the names of those that stand for them.

        Raises:
            MissingError: There is too little memory, or no space on the disk.
        """
        if not self._jobs:
            return {}
        names = ", ".join(f"{called} for {job.form}" for job, called, _ in self._jobs)
        say(f"rewriting {names}, which takes a large network a minute: the same numbers from fewer instructions")
        died = self._run_children(forks)
        found = {}
        for job, called, layers in self._jobs:
            note = f"not rewritten: {died.get(job.out, '')}"
            report = _report(job) or {"note": note, "before": {}, "passes": [], "origins": {}}
            for change in (change for one in report["passes"] for change in one["changes"]):
                change["layer"] = layers.get(change["where"], change["where"])
            for line in sentences(report):
                say(f"  {called} for {job.form}: {line}")
            found[Path(job.out).relative_to(self._folder).as_posix()] = report
        return found

    def _run_children(self, forks: ForkServer) -> dict[str, str]:
        """Do the jobs, the networks in turn in either of two processes; return why jobs are not done, by ``out``.

        Jobs of one network share a process, in which it is run once for all of them.
        """
        networks: dict[str, list[Job]] = {}
        for job, *_ in self._jobs:
            networks.setdefault(job.prefix, []).append(job)
        piles = [[job for jobs in part for job in jobs] for part in dealt(list(networks.values()))]
        children = []
        for k, pile in enumerate(piles):
            listed = self._folder / f"jobs{k}.json"
            write_json(listed, [asdict(job) for job in pile])
            children.append(Child(["ppedge.convert.rewriting", listed], "Rewriting the networks"))
        died = dict[str, str]()
        for pile, ended in zip(piles, forks.run_children(children), strict=True):
            if isinstance(ended, MissingError):
                raise ended
            if isinstance(ended, PpedgeError):  # Paddle itself may abort on a program that a pass has made
                died |= {job.out: ended.message for job in pile}
        return died


def _report(job: Job) -> dict[str, Any] | None:
    """Return what was done for a job; None, with no rewritten files, if the child did not end it."""
    path = Path(f"{job.out}.json")
    if path.is_file():
        return dict(read_json(path))
    files = InferenceModel.at(Path(job.out))
    for one in (files.model, files.params):
        one.unlink(missing_ok=True)
    return None


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Say what rewriting did to a network, a line a pass."""
    lines, cost = [], report["before"]
    for one in report["passes"]:
        count = len(one["changes"])
        where = f"{one['name']}, {count} place{'' if count == 1 else 's'}"
        if one["refused"]:
            lines.append(f"{where}: taken back: {one['refused']}")
            continue
        prices = {core: (f"{cost[core] / 1e6:.1f}", f"{now / 1e6:.1f}") for core, now in one["instructions"].items()}
        gains = [f"{core} {before} to {now} M" for core, (before, now) in prices.items() if before != now]
        priced = f", predicted {', '.join(gains)}" if gains else ""
        lines.append(f"{where}: largest difference {one['difference']:.2g}{priced}")
        cost = one["instructions"]
    return [*lines, *([report["note"]] if report["note"] else [])]
