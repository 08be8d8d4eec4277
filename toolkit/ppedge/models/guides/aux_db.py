"""Auxiliary map heads of PP-OCRv6's detectors, as a guide; layer names are those of official weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.models.heads.db import MapHead, step

LEVELS = {"p4": 2, "p3": 1, "p2": 0}
"""The levels that are looked at, coarsest first, and their places in a pyramid."""


class AuxDBHead(nn.Layer):
    """A pair of DB's map heads on each of the three finer levels of a neck.

    The levels are brought to a quarter of the picture's size first, bilinearly.

    Source: PaddleOCR's description of PP-OCRv6 (deep supervision of the neck's levels), 2026.

    Args:
        in_channels: Channels of the four levels, finest first, all alike.
        k: Steepness of the differentiable step.
        fix_nan: Put 0 where the features of a map are no number.

    Attributes:
        of_classes: Names of the weights whose shapes the character set makes: none.
    """

    of_classes = ()

    def __init__(self, in_channels: list[int], k: int = 50, fix_nan: bool = False) -> None:
        super().__init__()
        self.k = k
        for level, place in LEVELS.items():
            for kind in ("binarize", "thresh"):
                setattr(self, f"aux_{kind}_{level}", MapHead(in_channels[place], fix_nan=fix_nan))

    def forward(self, levels: list[Tensor], batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Map a pyramid (N, C, h, w), finest first, to ``maps_p4``, ``maps_p3`` and ``maps_p2``.

        Each is (N, 3, H, W): probability, threshold and binary map. The batch is not looked at.
        """
        given = {}
        for level, place in LEVELS.items():
            x = levels[place]
            if place:
                x = F.interpolate(x, scale_factor=2**place, mode="bilinear")
            probability = getattr(self, f"aux_binarize_{level}")(x)
            threshold = getattr(self, f"aux_thresh_{level}")(x)
            maps = [probability, threshold, step(self.k, probability, threshold)]
            given[f"maps_{level}"] = paddle.concat(maps, axis=1)
        return given
