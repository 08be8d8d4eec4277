"""What a recogniser learns from a teacher."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.train.losses.base import Given

CLASS_EPS, MEAN_EPS = 1e-10, 1e-6
BLANK = 0


class KLLoss(nn.Layer):
    """Kullback-Leibler divergence ``q log(q / p)`` of the student's classes p from the teacher's q.

    Summed over columns and classes, mean over lines. Source: Hinton et al., "Distilling the Knowledge in a Neural
    Network", 2015, at temperature 1.
    """

    def forward(self, student: Given, teacher: Given, batch: Given) -> dict[str, Tensor]:
        """Compare ``logits`` (N, T, C) or (N, C) of both; ``batch`` is not looked at.

        Returns:
            The scalar ``loss``.
        """
        x, y = student["logits"].astype("float32"), teacher["logits"].astype("float32").detach()
        q = F.softmax(y, axis=-1)
        each = q * (paddle.log(q + CLASS_EPS) - F.log_softmax(x, axis=-1))
        return {"loss": each.sum() / x.shape[0]}


class CTCLogitsLoss(nn.Layer):
    """Divergence of the classes that student and teacher see in a line on the whole, wherever they stand.

    Of both, the probabilities at a temperature are averaged over columns, to p and q; the loss is
    ``q log((q + e) / (p + e) + e)``, e = 1e-6, summed over classes, mean over lines. The blank fills most columns and
    would drown the characters: the sign of its logit is turned before softmax, so that it counts little where it is
    likely.

    PaddleOCR turns that sign in place, so that terms which stand behind this one in its list see turned logits; here
    nothing is changed.

    Source: the configuration of PP-OCRv4's recogniser, which is trained so ("DistillCTCLogits"); there is no paper.

    Args:
        temperature: What logits are divided by.
    """

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student: Given, teacher: Given, batch: Given) -> dict[str, Tensor]:
        """Compare ``logits`` (N, T, C) of both, T of each its own; ``batch`` is not looked at.

        Returns:
            The scalar ``loss``.
        """
        p, q = self._seen(student["logits"]), self._seen(teacher["logits"].detach())
        each = q * paddle.log((q + MEAN_EPS) / (p + MEAN_EPS) + MEAN_EPS)
        return {"loss": each.sum() / p.shape[0]}

    def _seen(self, logits: Tensor) -> Tensor:
        logits = logits.astype("float32")
        turned = paddle.concat([-logits[:, :, : BLANK + 1], logits[:, :, BLANK + 1 :]], axis=2)
        return F.softmax(turned / self.temperature, axis=-1).mean(axis=1)
