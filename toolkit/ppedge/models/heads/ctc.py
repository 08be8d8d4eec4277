"""Class scores of each column, for a recogniser."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.layers import linear


class CTCHead(nn.Layer):
    """One linear layer to the classes, of which class 0 is CTC's blank.

    Args:
        in_channels: Channels of the sequence model.
        classes: Characters and the blank.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.fc = linear(in_channels, classes)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor | dict[str, paddle.Tensor]:
        """Map (N, T, C) to class scores.

        Returns:
            In eval mode probabilities (N, T, classes); in training mode ``{"logits": (N, T, classes)}``, since the loss
            has its own softmax.
        """
        logits = self.fc(x)
        if self.training:
            return {"logits": logits}
        return F.softmax(logits, axis=2)
