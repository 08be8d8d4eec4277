"""A guide of recognisers: it only helps while they are trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from paddle import nn


class LinearGuide(nn.Layer):
    """One linear layer from the columns of a feature row to the classes.

    Args:
        in_channels: Channels of the row.
        classes: Characters and the blank.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, classes)

    def forward(self, row: paddle.Tensor, batch: Mapping[str, Any]) -> dict[str, paddle.Tensor]:
        """Map a row (N, C, 1, T) to ``{"logits": (N, T, classes)}``; the batch is not looked at."""
        return {"logits": self.fc(row.squeeze(2).transpose([0, 2, 1]))}
