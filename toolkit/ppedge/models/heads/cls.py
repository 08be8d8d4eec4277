"""Class scores of a line, for a direction classifier."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.layers import linear


class ClsHead(nn.Layer):
    """The mean of the features over the line, and one linear layer to the classes.

    Args:
        in_channels: Channels of the features.
        classes: How many directions there are.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.fc = linear(in_channels, classes)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor | dict[str, paddle.Tensor]:
        """Map features (N, C, h, w) to class scores.

        Returns:
            In eval mode probabilities (N, classes); in training mode ``{"logits": (N, classes)}``, since the loss has
            its own softmax.
        """
        logits = self.fc(paddle.flatten(self.pool(x), 1))
        if self.training:
            return {"logits": logits}
        return F.softmax(logits, axis=1)
