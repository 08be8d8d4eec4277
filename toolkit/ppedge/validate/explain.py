"""Where the validate stage asks what is to blame: the stages for each model, the layers of the quantized network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from ppedge.data.source import declared_spec
from ppedge.errors import MissingError
from ppedge.metrics.accuracy import read_crops
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Network
from ppedge.ocr.preprocess import prepare_cls, prepare_det, prepare_rec
from ppedge.ocr.spec import ModelSpec
from ppedge.process import run_module
from ppedge.progress import Reporter
from ppedge.recipe.road import Recipe
from ppedge.runs import Run
from ppedge.scratch import scratch
from ppedge.storage import read_json
from ppedge.validate.blame import Road, blame

BLAME_SAMPLES = {"det": 4, "rec": 16, "cls": 16}
"""At most so many pictures, or crops, are looked at to find the stage; where the two specifications prepare them
differently, they go through the emulated core once more, or twice."""
LAYER_SAMPLES = {"det": 2, "rec": 16, "cls": 16}
"""Pictures, or crops, that the layer table is made from; more change its figures little."""
WORST = 10
"""Layers of the table that are shown to a person; the report has all."""


def explain_model(
    recipe: Recipe,
    shipped: ModelSpec,
    samples: Sequence[Any],
    different: Sequence[Any],
    reference: Network,
    candidate: Network,
    reporter: Reporter,
) -> dict[str, Any] | None:
    """Say which stage is to blame for what a model does differently on ARM.

    Parity has the shipped specification on both sides; here the reference has the recipe's.

    Args:
        recipe: Its specification is the reference's.
        shipped: The specification that the convert stage left beside the models.
        samples: Labelled samples; their labels have no part in it.
        different: Those of them on which parity found other boxes or another text.
        reference: The engine that is right by definition.
        candidate: The engine under test.
        reporter: Progress.

    Returns:
        `Blame.to_dict` over at most `BLAME_SAMPLES` samples, those that differ first; None if none does and the
        specifications are the same.

    Raises:
        PpedgeError: A picture cannot be read, or an engine failed.
    """
    declared = declared_spec(recipe)
    changed = declared != shipped
    chosen = [*different, *(s for s in samples if changed and not any(s is d for d in different))]
    if not chosen:
        return None
    pictures = decoded(recipe, chosen[: BLAME_SAMPLES[recipe.task]])
    with reporter.task("swapping stages to find what is to blame", len(pictures)) as bar:
        return blame(
            Road(declared, reference), Road(shipped, candidate), pictures, lambda steps: bar.advance(steps=steps)
        ).to_dict()


def decoded(recipe: Recipe, samples: Sequence[Any]) -> list[np.ndarray]:
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
    pictures = decoded(recipe, samples[: LAYER_SAMPLES[recipe.task]])
    inputs = [_prepare(recipe, picture) for picture in pictures]
    with scratch("layers") as folder:
        given, table = folder / "inputs.npz", folder / "layers.json"
        np.savez(given, *inputs)
        run_module("ppedge.validate.layers", [run.path, given, table], f"Comparing the layers of {run.stage('slim')}")
        found: list[dict[str, Any]] = read_json(table)
    return found


def _prepare(recipe: Recipe, picture: np.ndarray) -> np.ndarray:
    if recipe.task == "det":
        return prepare_det(picture, recipe.det_preprocess)
    if recipe.task == "rec":
        return prepare_rec([picture], recipe.rec_preprocess)
    return prepare_cls([picture], recipe.cls_preprocess)


def layer_lines(layers: Sequence[dict[str, Any]]) -> list[str]:
    """Return the worst rows of a layer table for a person; nothing for an empty one."""
    if not layers:
        return []
    head = "layers, by the signal-to-noise ratio that quantizing leaves each by itself (in brackets, all up to it), dB"
    return [head, *(_layer_line(row) for row in layers[:WORST]), ""]


def _layer_line(row: dict[str, Any]) -> str:
    scale = "float" if row["input_scale"] is None else f"input to {row['input_scale']:.3g}"
    beyond = f", {row['input_clipped']:.2%} of it beyond" if row["input_clipped"] else ""
    own, accumulated = (_decibels(row[f"{which}_snr_db"], row[f"{which}_cosine"]) for which in ("own", "accumulated"))
    return f"  {own} ({accumulated})  {row['layer']} [{row['operator']}; " f"{scale}{beyond}]"


def _decibels(snr: float | None, cosine: float | None) -> str:
    if snr is None:
        return "broken" if cosine is None else " equal"
    return f"{snr:6.1f}"
