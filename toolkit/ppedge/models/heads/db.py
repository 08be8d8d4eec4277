"""The head of DB: maps for a detector."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.layers import kaiming_uniform


class DBHead(nn.Layer):
    """Probability map, threshold map and their differentiable step.

    Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020, equation 2:
    ``binary = 1 / (1 + exp(-k (probability - threshold)))``.

    Args:
        in_channels: Channels of the neck's result.
        k: Steepness of the step.
        kernels: Of each map's three convolutions.
        fix_nan: In training, put 0 where a map's features are no number, as PP-OCRv4's student does.

    Attributes:
        probability_alone: Leave the other two maps out in training too: nobody reads them of a teacher.
    """

    def __init__(
        self, in_channels: int, k: int = 50, kernels: Sequence[int] = (3, 2, 2), fix_nan: bool = False
    ) -> None:
        super().__init__()
        self.k = k
        self.probability_alone = False
        self.binarize = MapHead(in_channels, kernels, fix_nan)
        self.thresh = MapHead(in_channels, kernels, fix_nan)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor | dict[str, paddle.Tensor]:
        """Map features (N, C, H / 4, W / 4) to maps with values in [0, 1].

        Returns:
            In eval mode the probability map (N, 1, H, W), the only one a phone needs; in training mode
            ``{"maps": (N, 3, H, W)}`` with probability (shrink), threshold and binary map, or
            ``{"maps": (N, 1, H, W)}`` with the probability alone, as where slimming has dropped the threshold head.
        """
        probability = self.binarize(x)
        if not self.training:
            return probability
        if self.probability_alone or not isinstance(self.thresh, MapHead):
            return {"maps": probability}
        threshold = self.thresh(x)
        return {"maps": paddle.concat([probability, threshold, step(self.k, probability, threshold)], axis=1)}


class MapHead(nn.Layer):
    """One map at the picture's size from features at a quarter of it, by two learned doublings.

    Args:
        in_channels: Channels of the features.
        kernels: Of the first convolution, which keeps the size, and of the two that double it.
        fix_nan: In training, put 0 where features behind BatchNorm are no number.
    """

    def __init__(self, in_channels: int, kernels: Sequence[int] = (3, 2, 2), fix_nan: bool = False) -> None:
        super().__init__()
        width = in_channels // 4
        first, second, third = kernels
        self.fix_nan = fix_nan
        self.conv1 = nn.Conv2D(in_channels, width, first, padding=first // 2, bias_attr=False)
        self.conv_bn1 = _batch_norm(width)
        self.conv2 = nn.Conv2DTranspose(width, width, second, stride=2, weight_attr=kaiming_uniform())
        self.conv_bn2 = _batch_norm(width)
        self.conv3 = nn.Conv2DTranspose(width, 1, third, stride=2, weight_attr=kaiming_uniform())

    def features(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, h, w) to the features (N, C // 4, 2 h, 2 w) that the map is made of."""
        x = F.relu(self.conv_bn1(self.conv1(x)))
        if self.training and self.fix_nan:
            x = _without_nan(x)
        x = F.relu(self.conv_bn2(self.conv2(x)))
        return _without_nan(x) if self.training and self.fix_nan else x

    def map_of(self, features: paddle.Tensor) -> paddle.Tensor:
        """Map features (N, C // 4, 2 h, 2 w) to (N, 1, 4 h, 4 w) with values in [0, 1]."""
        x = self.conv3(features)
        if self.training:
            # Under mixed precision a saturated half-precision map makes the cross entropy's gradient infinite.
            x = x.astype("float32")
        return F.sigmoid(x)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, h, w) to (N, 1, 4 h, 4 w) with values in [0, 1]."""
        return self.map_of(self.features(x))


def step(k: float, probability: paddle.Tensor, threshold: paddle.Tensor) -> paddle.Tensor:
    """Return the binary map: the differentiable step between a probability and a threshold map, of steepness ``k``."""
    return F.sigmoid(k * (probability - threshold))


def _without_nan(x: paddle.Tensor) -> paddle.Tensor:
    return paddle.where(paddle.isnan(x), paddle.zeros_like(x), x)


def _batch_norm(channels: int) -> nn.BatchNorm2D:
    return nn.BatchNorm2D(channels, bias_attr=paddle.ParamAttr(initializer=nn.initializer.Constant(1e-4)))
