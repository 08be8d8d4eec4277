"""The loss of a detector's maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn


class DBLoss(nn.Layer):
    """Loss of differentiable binarization: ``alpha L_shrink + beta L_threshold + L_binary`` and ``L_cbn``.

    - ``L_shrink``, ``bce``: binary cross entropy of the probability map, over all text pixels and the ``ohem_ratio``
      times as many background pixels with the highest loss: ``(sum_pos + sum_hardest_neg) / (n_pos + n_neg + eps)``;
      ``dice``: as ``L_binary``, of the probability map, but 0 in a batch without any text: PP-OCR balances this one
      number over the whole batch as if it were one a pixel, and that is all that is left of it. Its published detectors
      were trained with dice; their maps are so steep that cross entropy makes fine-tuning them start from a huge loss
      and lose points.
    - ``L_threshold``: ``sum(|T - T*| M) / (sum(M) + eps)`` inside the threshold mask M.
    - ``L_binary``: dice, ``1 - 2 sum(B S M) / (sum(B M) + sum(S M) + eps)``, of the binary map B and the shrink map S,
      over the whole batch.
    - ``L_cbn``, of a network that gives ``cbn_maps`` (`PFHeadLocal`): the form of ``L_shrink``, unweighted.

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
                has lost its threshold head (N, 1, H, W), of which ``loss_shrink`` is the loss. Of some ``cbn_maps``
                (N, 1, H, W) besides.
            batch: ``shrink_map``, ``shrink_mask``, ``threshold_map``, ``threshold_mask``, each (N, H, W); of any type,
                since 0 and 1 come as uint8.

        Returns:
            Scalars ``loss``, ``loss_shrink``, ``loss_threshold``, ``loss_binary`` and, with ``cbn_maps``, ``loss_cbn``;
            the parts are weighted and sum to the loss.
        """
        maps = output["maps"].astype("float32")
        main = self._balanced_bce if self.main == "bce" else self._balanced_dice
        shrink_map, shrink_mask = (batch[name].astype("float32") for name in ("shrink_map", "shrink_mask"))
        shrink_loss = self.alpha * main(maps[:, 0], shrink_map, shrink_mask)
        if maps.shape[1] == 1:
            return {"loss": shrink_loss, "loss_shrink": shrink_loss}
        threshold, binary = maps[:, 1], maps[:, 2]
        threshold_mask = batch["threshold_mask"].astype("float32")
        threshold_loss = self.beta * self._masked_l1(threshold, batch["threshold_map"], threshold_mask)
        binary_loss = self._dice(binary, shrink_map, shrink_mask)
        parts = {"loss_shrink": shrink_loss, "loss_threshold": threshold_loss, "loss_binary": binary_loss}
        if "cbn_maps" in output:
            parts["loss_cbn"] = main(output["cbn_maps"][:, 0].astype("float32"), shrink_map, shrink_mask)
        return {"loss": sum(parts.values()), **parts}

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

    def _balanced_dice(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return self._dice(predicted, target, mask) * ((target * mask).sum() > 0).astype("float32")

    def _masked_l1(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return ((predicted - target).abs() * mask).sum() / (mask.sum() + self.eps)

    def _dice(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        overlap = (predicted * target * mask).sum()
        return 1.0 - 2.0 * overlap / ((predicted * mask).sum() + (target * mask).sum() + self.eps)
