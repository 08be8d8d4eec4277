"""Pictures of a recipe's data as inputs of its network, on which a rewritten network is held against the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ppedge.data.source import few_samples, reporting_split
from ppedge.errors import PpedgeError
from ppedge.metrics.accuracy import read_crops
from ppedge.ocr.image_file import read_image
from ppedge.ocr.preprocess import prepare_cls, prepare_det, prepare_rec
from ppedge.ocr.spec import ModelSpec
from ppedge.recipe.road import Recipe

PICTURES = 2
_SIDE = 480
"""Longest side in pixels of a detector's input: the content is as real as at full size, for a fraction of the time."""


def picture_inputs(recipe: Recipe, spec: ModelSpec) -> list[np.ndarray]:
    """Return up to `PICTURES` inputs (1, 3, H, W), float32, of the pictures that the recipe's figures are measured on.

    Nothing is made for it, and only the pictures that are taken are read: none where the data is not there, or bad.

    Args:
        recipe: Of the network.
        spec: How its inputs are prepared.
    """
    try:
        return [_prepared(spec, sample) for sample in few_samples(recipe, reporting_split(recipe), PICTURES)]
    except PpedgeError:  # other stages, which need the data, say what is wrong with it
        return []


def _prepared(spec: ModelSpec, sample: Any) -> np.ndarray:
    if spec.det_preprocess is not None:
        settings = spec.det_preprocess
        return prepare_det(read_image(sample.image), replace(settings, max_side=min(settings.max_side, _SIDE)))
    line = read_crops([sample])
    if spec.rec_preprocess is not None:
        return prepare_rec(line, spec.rec_preprocess)
    assert spec.cls_preprocess is not None
    return prepare_cls(line, spec.cls_preprocess)
