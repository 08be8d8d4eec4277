"""The loss of a recogniser's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

LEAST = 1e-12  # probability of a class that another stands for: 0 has no logarithm


class CTCLoss(nn.Layer):
    """Connectionist temporal classification: ``-log p(label | logits)``, summed over all alignments; mean over samples.

    Source: Graves et al., "Connectionist Temporal Classification", ICML 2006. Class 0 is the blank.

    A label that needs more columns than there are (one a character, and one more between equal neighbours) has no
    alignment and an infinite loss; of such samples value and gradient are 0.

    Args:
        canonical: For each class the one that stands for it: classes with the same are equally right, and their
            probabilities are added. None: each stands for itself.
    """

    def __init__(self, canonical: Sequence[int] | None = None) -> None:
        super().__init__()
        self.canonical = None
        if canonical is not None and list(canonical) != list(range(len(canonical))):
            self.canonical = np.asarray(canonical, np.int32)

    def forward(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare class scores with labels.

        Args:
            output: ``logits`` (N, T, C), before softmax.
            batch: ``label`` (N, L) class numbers, padded with 0, and ``length`` (N,).

        Returns:
            The scalar ``loss``.
        """
        return {"loss": self._ctc(output, batch)}

    def columns_needed(self, label: Any, length: Any) -> Tensor:
        """Return how many columns labels need: one a class, and one more between neighbours that read the same.

        Args:
            label: (N, L) class numbers, padded with 0.
            length: (N,), how many of them count.

        Returns:
            (N,), int64.
        """
        labels = self._merged(paddle.to_tensor(label).astype("int32"))
        return _columns_needed(labels, paddle.to_tensor(length).astype("int64"))

    def _merged(self, labels: Tensor) -> Tensor:
        if self.canonical is None:
            return labels
        return paddle.to_tensor(self.canonical)[labels.flatten()].reshape(labels.shape)

    def _ctc(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        logits = output["logits"].astype("float32").transpose([1, 0, 2])
        columns, samples = logits.shape[0], logits.shape[1]
        labels, lengths = self._merged(batch["label"].astype("int32")), batch["length"].astype("int64")
        if self.canonical is not None:
            merge = np.eye(len(self.canonical), dtype=np.float32)[self.canonical]
            logits = paddle.log(F.softmax(logits, axis=-1) @ paddle.to_tensor(merge) + LEAST)
        possible = _columns_needed(labels, lengths) <= columns
        # One character always fits when any column exists: the stand-in's loss is finite, and multiplied by 0.
        safe = paddle.where(possible, lengths, paddle.ones_like(lengths))
        width = paddle.full([samples], columns, dtype="int64")
        losses = F.ctc_loss(logits, labels, width, safe, blank=0, reduction="none").flatten()
        return (losses * possible.astype("float32")).sum() / samples


def _columns_needed(labels: Tensor, lengths: Tensor) -> Tensor:
    if labels.shape[1] < 2:
        return lengths
    inside = paddle.arange(1, labels.shape[1]).unsqueeze(0) < lengths.unsqueeze(1)
    repeated = paddle.logical_and(labels[:, 1:] == labels[:, :-1], inside)
    return lengths + repeated.astype("int64").sum(axis=1)
