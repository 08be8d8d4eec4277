"""The head of PP-OCRv4's teacher: DB's, with a second, refined probability map."""

from __future__ import annotations

from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.heads.db import MapHead, step
from ppedge.models.layers import ConvBNLayer, upsample


class PFHeadLocal(nn.Layer):
    """DB's maps, and a second probability map made of the first one beside the features that it is made of.

    Source: PaddleOCR's description of PP-OCRv4 ("PFHead: parallel fusion of two branches", 2023).

    In training PP-OCR hands the *binary* map on as the one that the additional term of DB's loss looks at; its
    published weights rest on it, and so it is here.

    Args:
        in_channels: Channels of the neck's result.
        k: Steepness of the step.
        mode: Channels of the refinement: ``large`` a quarter of ``in_channels``, ``small`` an eighth.

    Attributes:
        probability_alone: Leave the other maps out in training too: nobody reads them of a teacher.
    """

    def __init__(self, in_channels: int, k: int = 50, mode: Literal["large", "small"] = "small") -> None:
        super().__init__()
        self.k = k
        self.probability_alone = False
        self.binarize = MapHead(in_channels)
        self.thresh = MapHead(in_channels)
        self.cbn_layer = LocalModule(in_channels // 4, in_channels // (4 if mode == "large" else 8))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor | dict[str, paddle.Tensor]:
        """Map features (N, C, H / 4, W / 4) to maps with values in [0, 1].

        Returns:
            In eval mode the mean of both probability maps (N, 1, H, W). In training mode ``maps`` (N, 3, H, W): refined
            probability, threshold, and binary map of the first probability; and ``cbn_maps`` (N, 1, H, W), the binary
            map again; or ``maps`` (N, 1, H, W) with the refined probability alone.
        """
        features = self.binarize.features(x)
        first = self.binarize.map_of(features)
        refined = self.cbn_layer(upsample(features, 2), first)
        if not self.training:
            return 0.5 * (first + refined)
        if self.probability_alone:
            return {"maps": refined}
        threshold = self.thresh(x)
        binary = step(self.k, first, threshold)
        return {"maps": paddle.concat([refined, threshold, binary], axis=1), "cbn_maps": binary}


class LocalModule(nn.Layer):
    """A probability map from another one and features beside it.

    Args:
        channels: Of the features.
        width: Channels in between.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.last_3 = ConvBNLayer(channels + 1, width, 3, activation="relu")
        self.last_1 = nn.Conv2D(width, 1, 1)

    def forward(self, features: paddle.Tensor, probability: paddle.Tensor) -> paddle.Tensor:
        """Map features (N, C, H, W) and a map (N, 1, H, W) to a map (N, 1, H, W) with values in [0, 1]."""
        x = self.last_1(self.last_3(paddle.concat([probability, features], axis=1)))
        if self.training:
            # As `MapHead` has it: losses of maps want single precision.
            x = x.astype("float32")
        return F.sigmoid(x)
