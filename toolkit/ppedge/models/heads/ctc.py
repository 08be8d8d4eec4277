"""Class scores of each column, for a recogniser."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.layers import linear


class CTCHead(nn.Layer):
    """One linear layer to the classes, of which class 0 is CTC's blank, or two with nothing between.

    Args:
        in_channels: Channels of the sequence model.
        classes: Characters and the blank.
        mid_channels: What the first of two layers gives; None for one layer.
    """

    def __init__(self, in_channels: int, classes: int, mid_channels: int | None = None) -> None:
        super().__init__()
        self.mid_channels = mid_channels
        if mid_channels is None:
            self.fc = linear(in_channels, classes)
        else:
            self.fc1 = linear(in_channels, mid_channels)
            self.fc2 = linear(mid_channels, classes)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor | dict[str, paddle.Tensor]:
        """Map (N, T, C) to class scores.

        Returns:
            In eval mode probabilities (N, T, classes); in training mode ``{"logits": (N, T, classes)}``, since the loss
            has its own softmax.
        """
        logits = self.fc(x) if self.mid_channels is None else self.fc2(self.fc1(x))
        if self.training:
            return {"logits": logits}
        return F.softmax(logits, axis=2)
