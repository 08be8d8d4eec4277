"""The direction classifier's place between detector and recogniser: crops that stand upside down are turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppedge.errors import PpedgeError
from ppedge.ocr.ctc import Text
from ppedge.ocr.pipeline import Network, Recognizer
from ppedge.ocr.preprocess import prepare_rec
from ppedge.ocr.spec import ModelSpec, RecPreprocess


class Turner:
    """Says which crops stand upside down.

    Args:
        engine: Runs the network: (1, 3, h, W) in, probabilities (1, 2) of upright and upside down out.
        preprocess: ``height``, ``width``, ``mean``, ``std``: a crop is scaled to the height, squeezed to the width if
            it is wider, and padded on the right with 0 if it is narrower, after normalising.
        turn_score: A crop is turned if its probability of standing upside down is above this.
    """

    def __init__(self, engine: Network, preprocess: Mapping[str, Any], turn_score: float) -> None:
        self.engine = engine
        width = preprocess["width"]
        self._preprocess = RecPreprocess(
            preprocess["height"], min_width=width, max_width=width, mean=preprocess["mean"], std=preprocess["std"]
        )
        self._turn_score = turn_score

    def prepare(self, crop: np.ndarray) -> np.ndarray:
        """Return the network's input (1, 3, h, W) for a crop (h, w, 3)."""
        return prepare_rec([crop], self._preprocess)

    def upside_down(self, output: np.ndarray) -> bool:
        """Say what the network's output (1, 2) means.

        Raises:
            PpedgeError: It has another shape.
        """
        if output.shape != (1, 2):
            raise PpedgeError(f"The direction classifier on {self.engine.name} gives shape {output.shape}, not (1, 2).")
        return float(output[0, 1]) > self._turn_score

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """Return the crop (h, w, 3), turned by 180 degrees if it stands upside down."""
        return np.rot90(crop, 2) if self.upside_down(self.engine.run([self.prepare(crop)])[0]) else crop


class TurningRecognizer(Recognizer):
    """A recogniser that has each crop turned before it reads it."""

    def __init__(self, engine: Network, spec: ModelSpec, turner: Turner) -> None:
        super().__init__(engine, spec, batch_size=1)
        self._turner = turner

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Text]:
        """Read crops (h, w, 3), see `Recognizer`."""
        return super().__call__([self._turner(crop) for crop in crops])
