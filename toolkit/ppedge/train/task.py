"""What differs between training networks of the three tasks: data, loss and network; everything else is shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import paddle

from ppedge.data.characters import require_same_characters
from ppedge.data.collate import collate_cls, collate_det, collate_rec
from ppedge.data.dataset import Dataset, dataset_of
from ppedge.data.source import Split, measurable, model_spec, read_charset, read_samples
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.metrics.accuracy import MAIN_METRIC, RANKING, measure
from ppedge.metrics.scores import Metric
from ppedge.models import zoo
from ppedge.models.depthwise import accelerate
from ppedge.models.folding import fold
from ppedge.models.imported.network import ImportedNetwork
from ppedge.models.network import Network
from ppedge.ocr.direction import DIRECTIONS
from ppedge.progress import Reporter
from ppedge.recipe.losses import NET
from ppedge.recipe.networks import Imported, Model
from ppedge.recipe.road import Recipe
from ppedge.runs import Run
from ppedge.train.losses.table import build_loss

PROGRAM = "program"
"""What the names of the files begin with in which a run keeps a network that was brought in."""
OUTPUT_ERROR = "output_error"
"""Stands among metrics for what `Task.compare` measures beside them; smaller is better."""
TINY = 1e-30  # of a variance: outputs that are all alike have none
_COLLATE = {"det": collate_det, "rec": collate_rec, "cls": collate_cls}


class Task:
    """A recipe's data, network and loss of labels.

    Args:
        recipe: The recipe.
        exists: Whether a recogniser's classes are those of a network that exists; by default as the recipe says.
        program: The files of a network that is brought in.

    Raises:
        PpedgeError: Its network comes as an inference model and ``program`` is not given, or its character set
            cannot be read.
    """

    def __init__(self, recipe: Recipe, *, exists: bool | None = None, program: InferenceModel | None = None) -> None:
        self.recipe = recipe
        self._model = None if program is not None else _parts(recipe)
        self._program = program
        self.main_metric = MAIN_METRIC[recipe.task]
        self.charset = read_charset(recipe, exists=exists) if recipe.task == "rec" else None
        self.spec = model_spec(recipe, self.charset)
        slims = [term for term in recipe.train.losses if term.slims]
        self.loss = build_loss(slims, recipe.task, self.charset, [NET], [NET])
        self.collate: Callable[..., Any] = _COLLATE[recipe.task]

    @classmethod
    def of_run(cls, recipe: Recipe, run: Run, *, exists: bool | None = None) -> Task:
        """Return the task of a run's recipe; a network that was brought in is the one that the run keeps.

        Raises:
            PpedgeError: As the class; or what the run keeps is missing or changed, or its character set is.
        """
        require_same_characters(recipe, run)
        if not recipe.brought_in:
            return cls(recipe, exists=exists)
        model, params = (run.artifact("train", f"{PROGRAM}{suffix}") for suffix in (".pdmodel", ".pdiparams"))
        return cls(recipe, exists=exists, program=InferenceModel(model, params))

    def build(self) -> Network:
        """Build the recipe's network, its weights drawn from the recipe's seed."""
        paddle.seed(self.recipe.seed)
        return self.build_model()

    def build_shipped(self) -> Network:
        """Build the recipe's network in the form that ships, as slimming and export have it; see `models.folding`."""
        return fold(self.build())

    def build_model(self, model: Model | None = None, prefix: str = "") -> Network:
        """Build a network for the task from Paddle's random generator as it stands.

        Args:
            model: Its parts; by default those of the network that ships.
            prefix: What the names of parameters start with; see `ppedge.models.zoo.build`.
        """
        parts = model or self._model
        if parts is None:
            assert self._program is not None
            return ImportedNetwork.read(self._program, self.recipe.task, prefix)
        return zoo.build(parts, self.recipe.task, self.classes, prefix)

    @property
    def classes(self) -> int:
        """Of a recogniser's or classifier's head."""
        return self.charset.size if self.charset else len(DIRECTIONS)

    def samples(
        self, split: Split, *, skip_bad: bool = False, reporter: Reporter | None = None
    ) -> tuple[Sequence[Any], int]:
        """Read the labels of a split of the recipe's data; see `ppedge.data.source.read_samples`.

        Args:
            split: Which.
            skip_bad: Leave bad labels and pictures out instead of refusing.
            reporter: Told what is left out of them, and how long checking takes.

        Returns:
            The samples, and how many bad ones were left out.

        Raises:
            PpedgeError: A label or picture is bad and ``skip_bad`` is not set, or nothing is left.
        """
        if reporter is None:
            return read_samples(self.recipe, split, skip_bad=skip_bad)
        return read_samples(self.recipe, split, skip_bad=skip_bad, say=reporter.say_once, watch=reporter.task)

    def measurable(self, samples: Sequence[Any]) -> Sequence[Any]:
        """Return training samples as evaluation samples are: a classifier's lines both ways."""
        return measurable(self.recipe, samples)

    def dataset(
        self, samples: Sequence[Any], *, augment: bool = True, seed: int = 0, longest: int | None = None
    ) -> Dataset:
        """Return what a loader draws training batches from.

        Args:
            samples: Of the train split.
            augment: Change them at random.
            seed: Of the changes.
            longest: Leave out a recogniser's texts of more characters, whatever the recipe says.
        """
        return dataset_of(self.recipe, samples, self.charset, augment=augment, seed=seed, longest=longest)

    def measure(self, net: paddle.nn.Layer, samples: Sequence[Any], **options: Any) -> Metric:
        """Measure the network in eval mode, sample by sample; its mode is the same afterwards."""
        return self._measure(NetEngine(net), samples, **options)

    def _measure(self, engine: NetEngine, samples: Sequence[Any], **options: Any) -> Metric:
        recipe = self.recipe
        return measure(engine, self.spec, samples, recipe.metric, ignore=recipe.metric_ignore, **options)

    def compare(
        self, net: paddle.nn.Layer, original: paddle.nn.Layer | None, samples: Sequence[Any]
    ) -> dict[str, float]:
        """Return the metrics of `evaluate`, and where there is an original how far the network is from it.

        That is `OUTPUT_ERROR`, the mean squared difference of what they give for the samples, relative to the variance
        of the original's. On few pictures it tells networks apart that find or read the same but for a box or a line.
        """
        if original is None:
            return self.evaluate(net, samples)
        engine = Beside(net, original)
        return {**self._measure(engine, samples).summary(), OUTPUT_ERROR: engine.error}

    def ranking(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """Return the names of what orders evaluations: the main metric, then what breaks its ties.

        Where it was measured how far the network is from its original, that alone does.
        """
        return (OUTPUT_ERROR,) if OUTPUT_ERROR in metrics else RANKING[self.recipe.task]

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return what orders evaluations; larger is better."""
        return tuple(-metrics[name] if name == OUTPUT_ERROR else metrics[name] for name in self.ranking(metrics))

    def evaluate(self, net: paddle.nn.Layer, samples: Sequence[Any], **options: Any) -> dict[str, float]:
        """Return the metrics of `measure`."""
        return self.measure(net, samples, **options).summary()


def _parts(recipe: Recipe) -> Model:
    if isinstance(recipe.model, Imported):
        raise PpedgeError(
            f"{recipe.name}: its network comes as an inference model ({recipe.model.inference}), which cannot be "
            "trained or slimmed.",
            "Use `ppedge convert` and `ppedge validate`; to slim it, `ppedge slim --from-inference`; to train, a "
            "recipe whose model names a network's parts.",
        )
    return recipe.model


class NetEngine:
    """A network in memory, as `ppedge.metrics` runs one."""

    name = "paddle (dygraph)"

    def __init__(self, net: paddle.nn.Layer) -> None:
        accelerate(net)
        self.net = net

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network in eval mode on one array."""
        training = self.net.training
        self.net.eval()
        try:
            with paddle.no_grad():
                return [self.net(paddle.to_tensor(inputs[0])).numpy()]
        finally:
            if training:
                self.net.train()


class Beside(NetEngine):
    """A network in memory, and how far what it gives is from what another one gives for the same.

    Args:
        net: The network.
        original: The other one, in eval mode.
    """

    def __init__(self, net: paddle.nn.Layer, original: paddle.nn.Layer) -> None:
        super().__init__(net)
        self._original = NetEngine(original)
        self._difference = self._sum = self._squares = 0.0
        self._count = 0

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run both on one array, and return what the first gives."""
        found, wanted = super().run(inputs), self._original.run(inputs)
        for own, other in zip(found, wanted, strict=True):
            self._difference += float(np.square(own - other, dtype=np.float64).sum())
            self._sum += float(other.sum(dtype=np.float64))
            self._squares += float(np.square(other, dtype=np.float64).sum())
            self._count += other.size
        return found

    @property
    def error(self) -> float:
        """Mean squared difference, relative to the variance of what the other one gives; 0 before anything was run."""
        spread = self._squares - self._sum**2 / max(self._count, 1)
        return self._difference / max(spread, TINY)
