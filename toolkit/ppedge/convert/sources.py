"""The networks of a run that are converted, and to what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ppedge import artifacts
from ppedge.convert import imported
from ppedge.convert.lite import Precision
from ppedge.convert.one_line import require_runnable_nb
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.recipe.road import Recipe
from ppedge.runs import Run


@dataclass(frozen=True)
class Source:
    """A network of the run that is exported once and converted to several files.

    Attributes:
        kind: ``float`` or ``quantized``.
        stage: The stage that left its weights; None for an inference model that is brought in.
        precisions: Of its .nb files.
        baseline: It is the network before slimming.
    """

    kind: str
    stage: str | None
    precisions: tuple[Precision, ...]
    baseline: bool = False

    @property
    def precision(self) -> Precision:
        """Of its inference model and its ONNX file."""
        return "fp32" if self.kind == "float" else "int8"

    def prefix(self, task: str) -> str:
        """Return what the names of its inference model's files begin with."""
        return artifacts.inference_prefix(task, self.precision, baseline=self.baseline)


def require_convertible(recipe: Recipe, where: Path) -> None:
    """Refuse a recipe of which no file can be made, however its stages end.

    It is for those who run all of its stages: a single one may be given other settings, and the next ones too.

    Args:
        recipe: The recipe.
        where: Its file.

    Raises:
        PpedgeError: It asks for 8 bits alone, and nothing of it makes a network in 8 bits.
    """
    if not _floats(recipe) and recipe.slim.quant.method == "none":
        raise PpedgeError(
            f"{where}: convert.precisions has no float one, and with slim.quant.method none no network in 8 bits is "
            "made.",
            "Set slim.quant.method to pact or arm, or add fp32 to convert.precisions.",
        )


def newest_of(run: Run) -> str:
    """Return the stage whose network is converted.

    Raises:
        PpedgeError: Nothing is trained, or what was slimmed rests on another training.
    """
    newest = run.newest_stage()
    if newest is None:
        raise PpedgeError(f"{run.path}: nothing is trained yet.", "Run `ppedge train` first.")
    run.require_fresh(newest)
    return newest


def inference_model_of(recipe: Recipe, run: Run, characters: Sequence[str]) -> InferenceModel | None:
    """Return the inference model that the recipe brings in; None if the run's network is trained or slimmed.

    Args:
        recipe: The run's recipe.
        run: The run.
        characters: Of a recogniser.

    Raises:
        PpedgeError: The model is not what the recipe says, or the run holds another network already.
    """
    if not recipe.ships_as_it_came:
        return None
    if run.done("train"):
        raise PpedgeError(
            f"{run.path}: holds a network that was trained there.", "Name another folder with --out, or another run."
        )
    return imported.of_recipe(recipe, characters)


def imported_source(recipe: Recipe, model: InferenceModel, say: Callable[[str], None]) -> Source:
    """Return what is made of an inference model: of a quantized one an int8 ``.nb`` alone, which is said.

    Raises:
        PpedgeError: It is quantized and no int8 ``.nb`` is asked for, it is not and nothing else is, or no ``.nb`` can
            be made of it.
    """
    if "nb" in recipe.convert.formats:
        require_runnable_nb(model)
    asked = recipe.convert.precisions
    if imported.is_quantized(model):
        if "int8" not in asked or "nb" not in recipe.convert.formats:
            raise PpedgeError(
                f"{model.model}: is quantized, of which an int8 .nb can be made.", "Ask for int8 and the format nb."
            )
        say("the model is quantized: an int8 .nb is all that is written")
        return Source("quantized", None, ("int8",))
    floats = _floats(recipe)
    if not floats:
        raise PpedgeError(
            f"{model.model}: a float network, of which no int8 file can be made.",
            f"Quantize it first, by `ppedge slim --from-inference {model.model.parent} --data PICTURES`.",
        )
    return Source("float", None, floats)


def sources_of(recipe: Recipe, run: Run, newest: str, say: Callable[[str], None]) -> list[Source]:
    """Return the networks of a run that are converted: the newest, of a slimmed run also the one before it.

    Args:
        recipe: The run's recipe, which names the precisions.
        run: The run.
        newest: The stage whose network is converted.
        say: Told if there is no quantized network to make int8 files of.

    Raises:
        PpedgeError: There is none, and files of no other precision are asked for.
    """
    quantized = newest == "slim" and run.manifest("slim")["quant"] != "none"
    floats = _floats(recipe)
    if not floats and not quantized:
        again = " --force" if newest == "slim" else ""
        raise PpedgeError(
            f"{run.path}: has no quantized network, of which int8 files are made.",
            f"Run `ppedge slim {run.path} --quant pact{again}` first, or ask for --precision fp32.",
        )
    sources = [Source("float", newest, floats)]
    if newest == "slim":
        sources.append(Source("float", "train", floats[:1], baseline=True))
    if "int8" in recipe.convert.precisions and quantized:
        sources.append(Source("quantized", "slim", ("int8",)))
    elif "int8" in recipe.convert.precisions:
        say("int8 is left out: the run has no quantized network (`ppedge slim --quant pact`)")
    return sources


def has_onnx(recipe: Recipe, source: Source) -> bool:
    """Whether an ONNX file is made of a network: the scales of a quantized one that is brought in lie in its graph."""
    return "onnx" in recipe.convert.formats and (source.kind == "float" or source.stage is not None)


def _floats(recipe: Recipe) -> tuple[Precision, ...]:
    return tuple(p for p in get_args(Precision) if p in recipe.convert.precisions and p != "int8")
