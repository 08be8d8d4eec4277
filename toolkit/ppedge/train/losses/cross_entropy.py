"""The loss of a direction classifier."""

from __future__ import annotations

from collections.abc import Mapping

import paddle.nn.functional as F
from paddle import Tensor, nn


class ClsLoss(nn.Layer):
    """Cross entropy, ``-log p(label | logits)``; mean over samples."""

    def forward(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare class scores with labels.

        Args:
            output: ``logits`` (N, C), before softmax.
            batch: ``label`` (N,) class numbers.

        Returns:
            The scalar ``loss``.
        """
        return {"loss": F.cross_entropy(output["logits"].astype("float32"), batch["label"].astype("int64"))}
