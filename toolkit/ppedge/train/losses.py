"""What training minimises: DB's loss for a detector, CTC for a recogniser, cross entropy for a classifier.

Each loss is called with the network's output in training mode and a batch, and returns a dict: ``loss``, a scalar to
differentiate, and its parts, for the log. All are computed in float32, whatever the network ran in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

LEAST = 1e-12  # probability of a class that another stands for: 0 has no logarithm


class DBLoss(nn.Layer):
    """Loss of differentiable binarization: ``alpha L_shrink + beta L_threshold + L_binary``.

    - ``L_shrink``, ``bce``: binary cross entropy of the probability map, over all text pixels and the ``ohem_ratio``
      times as many background pixels with the highest loss: ``(sum_pos + sum_hardest_neg) / (n_pos + n_neg + eps)``;
      ``dice``: as ``L_binary``, of the probability map. PP-OCR's published detectors were trained with dice; their
      maps are so steep that cross entropy makes fine-tuning them start from a huge loss and lose points.
    - ``L_threshold``: ``sum(|T - T*| M) / (sum(M) + eps)`` inside the threshold mask M.
    - ``L_binary``: dice, ``1 - 2 sum(B S M) / (sum(B M) + sum(S M) + eps)``, of the binary map B and the shrink map S.

    Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020, section
    "Optimization"; hard negatives after Shrivastava et al., "Training Region-based Object Detectors with Online Hard
    Example Mining", CVPR 2016. The weights are PP-OCR's.

    Args:
        main: Form of ``L_shrink``.
        alpha: Weight of ``L_shrink``.
        beta: Weight of ``L_threshold``.
        ohem_ratio: Background pixels for each text pixel.
        eps: Keeps the divisions finite.
    """

    def __init__(
        self,
        main: Literal["bce", "dice"] = "bce",
        alpha: float = 5.0,
        beta: float = 10.0,
        ohem_ratio: float = 3.0,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.main = main
        self.alpha = alpha
        self.beta = beta
        self.ohem_ratio = ohem_ratio
        self.eps = eps

    def forward(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare maps with targets.

        Args:
            output: ``maps`` (N, 3, H, W): probability, threshold and binary map, values in [0, 1]; of a network that
                has lost its threshold head (N, 1, H, W), of which ``loss_shrink`` is the loss.
            batch: ``shrink_map``, ``shrink_mask``, ``threshold_map``, ``threshold_mask``, each (N, H, W).

        Returns:
            Scalars ``loss``, ``loss_shrink``, ``loss_threshold`` and ``loss_binary``; the parts are weighted and sum to
            the loss.
        """
        maps = output["maps"].astype("float32")
        main = self._balanced_bce if self.main == "bce" else self._dice
        shrink_loss = self.alpha * main(maps[:, 0], batch["shrink_map"], batch["shrink_mask"])
        if maps.shape[1] == 1:
            return {"loss": shrink_loss, "loss_shrink": shrink_loss}
        threshold, binary = maps[:, 1], maps[:, 2]
        threshold_loss = self.beta * self._masked_l1(threshold, batch["threshold_map"], batch["threshold_mask"])
        binary_loss = self._dice(binary, batch["shrink_map"], batch["shrink_mask"])
        return {
            "loss": shrink_loss + threshold_loss + binary_loss,
            "loss_shrink": shrink_loss,
            "loss_threshold": threshold_loss,
            "loss_binary": binary_loss,
        }

    def _balanced_bce(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        positive = target * mask
        negative = (1.0 - target) * mask
        positives = int(positive.sum())
        negatives = min(int(negative.sum()), int(positives * self.ohem_ratio))
        loss = F.binary_cross_entropy(predicted, target, reduction="none")
        total = (loss * positive).sum()
        if negatives > 0:
            total = total + paddle.topk((loss * negative).flatten(), negatives, sorted=False)[0].sum()
        return total / (positives + negatives + self.eps)

    def _masked_l1(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return ((predicted - target).abs() * mask).sum() / (mask.sum() + self.eps)

    def _dice(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        overlap = (predicted * target * mask).sum()
        return 1.0 - 2.0 * overlap / ((predicted * mask).sum() + (target * mask).sum() + self.eps)


class CTCLoss(nn.Layer):
    """Connectionist temporal classification: ``-log p(label | logits)``, summed over all alignments; mean over samples.

    Source: Graves et al., "Connectionist Temporal Classification", ICML 2006. Class 0 is the blank.

    A label that needs more columns than there are (one a character, and one more between equal neighbours) has no
    alignment and an infinite loss; such samples count nothing, in value and gradient.

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

    def _ctc(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        logits = output["logits"].astype("float32").transpose([1, 0, 2])
        columns, samples = logits.shape[0], logits.shape[1]
        labels, lengths = batch["label"].astype("int32"), batch["length"].astype("int64")
        if self.canonical is not None:
            merge = np.eye(len(self.canonical), dtype=np.float32)[self.canonical]
            logits = paddle.log(F.softmax(logits, axis=-1) @ paddle.to_tensor(merge) + LEAST)
            labels = paddle.to_tensor(self.canonical)[labels.flatten()].reshape(labels.shape)
        possible = _columns_needed(labels, lengths) <= columns
        # One character always fits when any column exists: the stand-in's loss is finite, and multiplied by 0.
        safe = paddle.where(possible, lengths, paddle.ones_like(lengths))
        width = paddle.full([samples], columns, dtype="int64")
        losses = F.ctc_loss(logits, labels, width, safe, blank=0, reduction="none").flatten()
        counted = possible.astype("float32")
        return (losses * counted).sum() / counted.sum().clip(min=1.0)


def _columns_needed(labels: Tensor, lengths: Tensor) -> Tensor:
    if labels.shape[1] < 2:
        return lengths
    inside = paddle.arange(1, labels.shape[1]).unsqueeze(0) < lengths.unsqueeze(1)
    repeated = paddle.logical_and(labels[:, 1:] == labels[:, :-1], inside)
    return lengths + repeated.astype("int64").sum(axis=1)


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
