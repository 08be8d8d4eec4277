"""Where the validate stage asks what is to blame: the stages for each model, the layers of the quantized network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.data.source import model_spec, read_charset
from ppedge.errors import MissingError
from ppedge.ocr.pipeline import Network
from ppedge.ocr.preprocess import prepare_det, prepare_rec, read_image
from ppedge.ocr.spec import ModelSpec
from ppedge.process import run_module
from ppedge.recipe import Recipe
from ppedge.runs import Run, read_json
from ppedge.validate.accuracy import read_crops
from ppedge.validate.blame import Blame, Road, blame

LAYER_SAMPLES = {"det": 2, "rec": 16}
"""Pictures, or crops, that the layer table is made from; more change its figures little."""
WORST = 10
"""Layers of the table that are shown to a person; the report has all."""


def blame_samples(
    recipe: Recipe, shipped: ModelSpec, reference: Network, candidate: Network, samples: Sequence[Any]
) -> Blame:
    """Compare the recipe's road on one engine with the shipped road on another, stage by stage.

    Args:
        recipe: Its specification is the reference's.
        shipped: The specification that the convert stage left beside the models.
        reference: The engine that is right by definition.
        candidate: The engine under test.
        samples: Labelled samples; their labels have no part in it.

    Raises:
        PpedgeError: A picture cannot be read, or an engine failed.
    """
    return blame(Road(reference_spec(recipe), reference), Road(shipped, candidate), pictures_of(recipe, samples))


def reference_spec(recipe: Recipe) -> ModelSpec:
    """Return the specification that the recipe itself declares."""
    return model_spec(recipe, read_charset(recipe) if recipe.task == "rec" else None)


def pictures_of(recipe: Recipe, samples: Sequence[Any]) -> list[np.ndarray]:
    """Return what the network's pre-processing takes of samples: whole pictures, or crops."""
    return [read_image(sample.image) for sample in samples] if recipe.task == "det" else read_crops(samples)


def layer_table(recipe: Recipe, run: Run, samples: Sequence[Any], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return what quantizing costs each layer of a run's quantized network, the worst first.

    Args:
        recipe: The run's recipe.
        run: The run.
        samples: Labelled samples; the first `LAYER_SAMPLES` are looked at.
        say: Told what is being done.

    Raises:
        MissingError: Paddle is not installed.
        PpedgeError: The run has no quantized network, or an artifact of its slim stage is missing or changed.
    """
    if find_spec("paddle") is None:
        raise MissingError("Paddle is needed for the layer table.", "Install ppedge with the extra `cpu`.")
    say(f"comparing the layers of {run.stage('slim')} with and without quantizers")
    pictures = pictures_of(recipe, samples[: LAYER_SAMPLES[recipe.task]])
    if recipe.task == "det":
        inputs = [prepare_det(picture, recipe.det_preprocess) for picture in pictures]
    else:
        inputs = [prepare_rec([picture], recipe.rec_preprocess) for picture in pictures]
    with tempfile.TemporaryDirectory(prefix="ppedge-layers-") as folder:
        given, table = Path(folder) / "inputs.npz", Path(folder) / "layers.json"
        np.savez(given, *inputs)
        run_module("ppedge.validate.layers", [run.path, given, table], f"Comparing the layers of {run.stage('slim')}")
        found: list[dict[str, Any]] = read_json(table)
    return found


def lines(report: dict[str, Any]) -> list[str]:
    """Return for a person what a report says of blame: models that disagree, and the worst layers."""
    told = [
        f"blame ({model['file']}): {model['blame']['verdict']}"
        for model in report["models"]
        if "blame" in model and (model["blame"]["disagreement"] > 0 or _changed(model["blame"]))
    ]
    layers = report.get("layers")
    if layers:
        told.append("layers by what quantizing costs each by itself (and all of them up to it), dB of signal to noise:")
        told += [_layer_line(row) for row in layers[:WORST]]
    return told


def _changed(found: dict[str, Any]) -> bool:
    return any(stage["changes"] for stage in found["stages"])


def _layer_line(row: dict[str, Any]) -> str:
    scale = "float" if row["input_scale"] is None else f"input to {row['input_scale']:.3g}"
    beyond = f", {row['input_clipped']:.2%} of it beyond" if row["input_clipped"] else ""
    return (
        f"  {row['own_snr_db']:6.1f} ({row['accumulated_snr_db']:6.1f})  {row['layer']} [{row['operator']}; "
        f"{scale}{beyond}]"
    )
