"""Where the validate stage asks what is to blame: the stages for each model, the layers of the quantized network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ppedge.data.source import model_spec, read_charset
from ppedge.ocr.pipeline import Network
from ppedge.ocr.preprocess import read_image
from ppedge.ocr.spec import ModelSpec
from ppedge.recipe import Recipe
from ppedge.validate.accuracy import read_crops
from ppedge.validate.blame import Blame, Road, blame


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
