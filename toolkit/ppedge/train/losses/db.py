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
    - ``L_shrink``, ``dice_focal``: dice of the probability map, whatever text there is, and focal loss, the mean of
      ``-a_t (1 - p_t)^gamma log(p_t)`` over the shrink mask, p_t being the probability that is given to what the pixel
      is, a_t ``focal_alpha`` for text and the rest of 1 else. ``L_binary`` has that form too then.
    - ``L_threshold``: ``sum(|T - T*| M) / (sum(M) + eps)`` inside the threshold mask M.
    - ``L_binary``: dice, ``1 - 2 sum(B S M) / (sum(B M) + sum(S M) + eps)``, of the binary map B and the shrink map S,
      over the whole batch.
    - ``L_cbn``, of a network that gives ``cbn_maps`` (`PFHeadLocal`): the form of ``L_shrink``, unweighted.

    Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020, section
    "Optimization"; hard negatives after Shrivastava et al., "Training Region-based Object Detectors with Online Hard
    Example Mining", CVPR 2016; focal loss after Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017. The
    weights are PP-OCR's.

    Args:
        main: Form of ``L_shrink``.
        alpha: Weight of ``L_shrink``.
        beta: Weight of ``L_threshold``.
        ohem_ratio: Background pixels for each text pixel.
        eps: Keeps the divisions finite, and the probabilities that focal loss takes logarithms of away from 0 and 1.
        focal_alpha: Weight of text pixels in focal loss.
        focal_gamma: How much less a pixel counts there the better it is told.
        at: The key under which ``output`` has the maps.
    """

    def __init__(
        self,
        main: Literal["bce", "dice", "dice_focal"] = "bce",
        alpha: float = 5.0,
        beta: float = 10.0,
        ohem_ratio: float = 3.0,
        eps: float = 1e-6,
        focal_alpha: float = 0.25,
        focal_gamma: float = 2.0,
        at: str = "maps",
    ) -> None:
        super().__init__()
        self.main = main
        self.focal_alpha = focal_alpha
        self.focal_gamma = focal_gamma
        self.at = at
        self.alpha = alpha
        self.beta = beta
        self.ohem_ratio = ohem_ratio
        self.eps = eps

    def forward(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare maps with targets.

        Args:
            output: Under ``at`` (N, 3, H, W): probability, threshold and binary map, values in [0, 1]; of one that has
                lost its threshold head (N, 1, H, W), of which ``loss_shrink`` is the loss. Of some ``cbn_maps``
                (N, 1, H, W) besides.
            batch: ``shrink_map``, ``shrink_mask``, ``threshold_map``, ``threshold_mask``, each (N, H, W); of any type,
                since 0 and 1 come as uint8.

        Returns:
            Scalars ``loss``, ``loss_shrink``, ``loss_threshold``, ``loss_binary`` and, with ``cbn_maps``, ``loss_cbn``;
            the parts are weighted and sum to the loss.
        """
        maps = output[self.at].astype("float32")
        main = {"bce": self._balanced_bce, "dice": self._balanced_dice, "dice_focal": self._dice_focal}[self.main]
        shrink_map, shrink_mask = (batch[name].astype("float32") for name in ("shrink_map", "shrink_mask"))
        shrink_loss = self.alpha * main(maps[:, 0], shrink_map, shrink_mask)
        if maps.shape[1] == 1:
            return {"loss": shrink_loss, "loss_shrink": shrink_loss}
        threshold, binary = maps[:, 1], maps[:, 2]
        threshold_mask = batch["threshold_mask"].astype("float32")
        threshold_loss = self.beta * self._masked_l1(threshold, batch["threshold_map"], threshold_mask)
        binary_loss = (main if self.main == "dice_focal" else self._dice)(binary, shrink_map, shrink_mask)
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

    def _dice_focal(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        probability = predicted.clip(self.eps, 1.0 - self.eps)
        told = probability * target + (1.0 - probability) * (1.0 - target)
        weight = self.focal_alpha * target + (1.0 - self.focal_alpha) * (1.0 - target)
        focal = -weight * (1.0 - told) ** self.focal_gamma * told.log()
        return self._dice(predicted, target, mask) + (focal * mask).sum() / (mask.sum() + self.eps)

    def _masked_l1(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return ((predicted - target).abs() * mask).sum() / (mask.sum() + self.eps)

    def _dice(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        overlap = (predicted * target * mask).sum()
        return 1.0 - 2.0 * overlap / ((predicted * mask).sum() + (target * mask).sum() + self.eps)
