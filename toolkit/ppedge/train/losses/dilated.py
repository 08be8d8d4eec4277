"""What a detector learns from a teacher's map."""

from __future__ import annotations

from typing import Literal

import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.train.losses.base import Given
from ppedge.train.losses.db import DBLoss


class DilatedLoss(nn.Layer):
    """The teacher's text as a label: ``alpha L_shrink + L_binary`` of `DBLoss`, on a dilated map of the teacher.

    A pixel is text where the teacher's probability is above a threshold there, or at its upper, left or upper left
    neighbour: a dilation by 2 x 2 ones, which grows down and right. There is no term of the threshold map, and the mask
    is the labels' own.

    PaddleOCR ignores the weights and the form that its configurations give this loss (``alpha``, ``main_loss_type``,
    ``ohem_ratio``); here they count, and the defaults are the values that it uses.

    Source: Du et al., "PP-OCRv2: Bag of Tricks for Ultra Lightweight OCR System", 2021, section 2.1, "CML".

    Args:
        main: Form of ``L_shrink``.
        alpha: Weight of ``L_shrink``.
        ohem_ratio: For ``bce``: background pixels for each text pixel.
        thresh: Above which the teacher's probability is text.
    """

    def __init__(
        self, main: Literal["bce", "dice"] = "dice", alpha: float = 5.0, ohem_ratio: float = 3.0, thresh: float = 0.3
    ) -> None:
        super().__init__()
        self.of_labels = DBLoss(main, alpha, ohem_ratio=ohem_ratio)
        self.thresh = thresh

    def forward(self, student: Given, teacher: Given, batch: Given) -> dict[str, Tensor]:
        """Compare a student's maps with the teacher's.

        Args:
            student: ``maps`` (N, 3, H, W): probability, threshold and binary map.
            teacher: ``maps`` (N, 1 or 3, H, W), of which the probability.
            batch: ``shrink_mask`` (N, H, W), and the other targets of `DBLoss`, which are not looked at.

        Returns:
            Scalars ``loss``, ``loss_shrink`` and ``loss_binary``.
        """
        labels = {**batch, "shrink_map": dilated(teacher["maps"][:, 0].detach(), self.thresh)}
        parts = self.of_labels({"maps": student["maps"]}, labels)
        shrink, binary = parts["loss_shrink"], parts["loss_binary"]
        return {"loss": shrink + binary, "loss_shrink": shrink, "loss_binary": binary}


def dilated(probability: Tensor, thresh: float) -> Tensor:
    """Return where a map (N, H, W) is above a threshold, grown by a pixel down and right: 0 and 1, float32."""
    text = (probability.astype("float32") > thresh).astype("float32").unsqueeze(1)
    return F.max_pool2d(F.pad(text, [1, 0, 1, 0]), 2, stride=1).squeeze(1)
