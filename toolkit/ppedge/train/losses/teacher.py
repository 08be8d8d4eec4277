"""What a recogniser learns from a teacher."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.models.guides.nrtr import nrtr_labels
from ppedge.train.losses.base import Given
from ppedge.train.losses.guides import mean_of

CLASS_EPS, MEAN_EPS = 1e-10, 1e-6
BLANK = 0
AWAY = 1000.0
"""Taken off the right class's logit, it leaves the others alone in softmax."""


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


class DKDLoss(nn.Layer):
    """Decoupled knowledge distillation: ``(alpha KL(b_T || b_S) + beta KL(o_T || o_S)) T^2``.

    b has two classes, the right one and all others together; o are the others among themselves. Both are mean over the
    characters and ends of texts in the batch. What follows a text's end counts nothing, unless ``padding``: PaddleOCR
    computes a mask of it and does not use it.

    Source: Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022.

    Args:
        alpha: Weight of b.
        beta: Weight of o.
        temperature: T, what logits are divided by.
        padding: Let what follows a text's end count too.
    """

    def __init__(
        self, alpha: float = 1.0, beta: float = 2.0, temperature: float = 1.0, *, padding: bool = False
    ) -> None:
        super().__init__()
        self.alpha, self.beta, self.temperature = alpha, beta, temperature
        self.padding = padding

    def forward(self, student: Given, teacher: Given, batch: Given) -> dict[str, Tensor]:
        """Compare what two guides ``NRTRHead`` write.

        Args:
            student: ``logits`` (N, longest + 1, classes), before softmax.
            teacher: The same of the one that teaches.
            batch: ``label`` (N, L) class numbers as CTC counts them, padded with 0, and ``length`` (N,).

        Returns:
            The scalar ``loss``.
        """
        labels = nrtr_labels(batch["label"], batch["length"])[:, 1:]
        logits = (student["logits"], teacher["logits"].detach())
        (right_s, rest_s, others_s), (right_t, rest_t, others_t) = (self._decoupled(one, labels) for one in logits)
        binary = _divergence(right_t, right_s) + _divergence(rest_t, rest_s)
        others = _divergence(others_t, others_s).sum(axis=2)
        each = (self.alpha * binary + self.beta * others) * self.temperature**2
        return {"loss": mean_of(each, labels, padding=self.padding)}

    def _decoupled(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logarithms: of the right class and of all others together, (N, L), and of each among the others."""
        logits = logits.astype("float32") / self.temperature
        right = F.one_hot(labels, logits.shape[2])
        without = logits - AWAY * right
        total = paddle.logsumexp(logits, axis=2)
        rest = paddle.logsumexp(without, axis=2) - total
        return (logits * right).sum(axis=2) - total, rest, F.log_softmax(without, axis=2)


def _divergence(target: Tensor, given: Tensor) -> Tensor:
    """Return what each class adds to the divergence of two distributions, of which the logarithms are given."""
    return target.exp() * (target - given)
