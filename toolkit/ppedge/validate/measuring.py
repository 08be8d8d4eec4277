"""What each file costs on each core, and how it compares with the PC, with as few guests as that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from ppedge.arm.cores import features
from ppedge.cost.inference import Cost
from ppedge.engines import open_engine
from ppedge.engines.base import Engine
from ppedge.errors import PpedgeError
from ppedge.ocr.spec import ModelSpec
from ppedge.progress import Reporter
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import count_size
from ppedge.runs import Run
from ppedge.validate.explain import BLAME_SAMPLES, explain_model
from ppedge.validate.guests import CoreGuests, Guest
from ppedge.validate.jobs import PC, Model
from ppedge.validate.parity import Parity, compare
from ppedge.validate.remembered import Remembered
from ppedge.validate.workers import Candidate, Workers, cores

Job = tuple[Model, str]
"""A file and a core, or `PC`."""


@dataclass(frozen=True)
class Comparison:
    """A file beside its reference.

    Attributes:
        parity: How the two compare.
        blame: `ppedge.validate.blame.Blame.to_dict`; None if nothing differs.
    """

    parity: Parity
    blame: dict[str, Any] | None


class Measuring:
    """Opens engines and has them measured.

    Args:
        recipe: The run's recipe, with what the command line changed in its ``validate`` section.
        run: The run.
        spec: What the convert stage left beside the models.
        samples: Labelled samples.
        reporter: Progress.
        allow_older_runtime: Use a Paddle Lite that is older than the opt that wrote the models.

    Attributes:
        costs: What each file costs on each emulated core, once `measure` is done.
        comparisons: How each file that ships compares, likewise.
    """

    def __init__(
        self,
        recipe: Recipe,
        run: Run,
        spec: ModelSpec,
        samples: Sequence[Any],
        reporter: Reporter,
        allow_older_runtime: bool,
    ) -> None:
        self.recipe, self.run, self.spec, self.samples, self.reporter = recipe, run, spec, samples, reporter
        self.settings = recipe.validate_
        self.allow_older_runtime = allow_older_runtime
        self.threads = self.settings.workers or cores()
        self.costs: dict[Job, Cost] = {}
        self.comparisons: dict[Job, Comparison] = {}
        self._references: dict[Path, Engine] = {}
        self._open_references = ExitStack()

    def unable(self, model: Model, cpu: str) -> str | None:
        """Return why a file cannot be compared here: few cores and builds of Paddle Lite compute in half precision."""
        if cpu == PC and find_spec("paddle") is None:
            return "without Paddle, onnxruntime on this computer is the reference itself"
        if model.precision != "fp16":
            return None
        if "asimdhp" not in (features(cpu) or ["asimdhp"]):
            return f"{cpu} has no half precision (asimdhp)"
        try:
            self._open(model, cpu).close()
        except PpedgeError as error:
            return str(error)
        return None

    def measure(self, jobs: Sequence[Job]) -> None:
        """Measure each file on each core, one core after the other, into `costs` and `comparisons`.

        Raises:
            MissingError: The emulator cannot be set up, or no runtime is registered.
            PpedgeError: An engine failed.
        """
        with self._open_references:
            for cpu in dict.fromkeys(cpu for _, cpu in jobs):
                models = [model for model, on in jobs if on == cpu]
                if cpu == PC:
                    self._on_pc(models)
                else:
                    self._on_core(models, cpu)

    def _on_pc(self, models: Sequence[Model]) -> None:
        for model in models:
            reference = self._reference(model)
            opening = cast(Callable[[], Candidate], partial(self._open, model, PC))
            with Workers[Any]([opening] * self._sharing) as workers:
                self.comparisons[model, PC] = self._compared(model, PC, reference, workers)

    def _on_core(self, models: Sequence[Model], cpu: str) -> None:
        def start(model: Model, count: bool) -> Guest:
            return cast(Guest, self._open(model, cpu, **({"count": True} if count else {})))

        with CoreGuests(start, self._path, self._sharing, self.threads) as guests:
            with self.reporter.task(f"counting instructions on {cpu}", len(models)) as bar:
                counted = guests.count(models, count_size(self.recipe), bar.advance)
            self.costs |= {(model, cpu): cost for model, cost in counted.items()}
            for model in models:
                if not model.baseline:
                    reference = self._reference(model)
                    with guests.workers(model) as workers:
                        self.comparisons[model, cpu] = self._compared(model, cpu, reference, workers)

    @property
    def _sharing(self) -> int:
        """How many engines share the samples of one model."""
        return min(self.threads, len(self.samples))

    def _compared(self, model: Model, cpu: str, reference: Engine, workers: Workers[Any]) -> Comparison:
        """Compare a model with the reference, and find what is to blame for differences with what is there by then."""
        kept = Remembered(BLAME_SAMPLES[self.recipe.task])
        with self.reporter.task(f"{model.file} on {cpu}", len(self.samples)) as bar:
            parity = compare(
                reference,
                workers,
                self.spec,
                self.samples,
                self.recipe.metric,
                ignore=self.recipe.metric_ignore,
                seed=self.recipe.seed,
                advance=lambda steps: bar.advance(steps=steps),
                differs=kept.add,
            )
        different = [self.samples[one.sample] for one in parity.agreement.different]
        blame = explain_model(
            self.recipe,
            self.spec,
            self.samples,
            different,
            kept.reference(reference),
            kept.candidate(workers.engines[0]),
            self.reporter,
        )
        return Comparison(parity, blame)

    def _reference(self, model: Model) -> Engine:
        """Return what is right by definition for a model, opened once for all cores."""
        path = self._path(model)
        if find_spec("paddle") is not None:
            files = [self.run.artifact("convert", name) for name in model.reference]
            name, path = "paddle", files[0]
        elif path.suffix == ".onnx":
            name = "onnxruntime"
        else:
            raise PpedgeError(f"{path}: Paddle is needed as the reference.", "Install ppedge with the extra `cpu`.")
        if path not in self._references:
            self._references[path] = self._open_references.enter_context(open_engine(name, path))
        return self._references[path]

    def _path(self, model: Model) -> Path:
        return self.run.artifact("convert", model.file)

    def _open(self, model: Model, cpu: str, **options: Any) -> Engine:
        path = self._path(model)
        if cpu == PC:
            return open_engine("onnxruntime", path, threads=1)
        if self.settings.engine == "paddlelite":
            options["allow_older_runtime"] = self.allow_older_runtime
        return open_engine(f"arm-{self.settings.engine}", path, cpu=cpu, progress=self.reporter.say, **options)
