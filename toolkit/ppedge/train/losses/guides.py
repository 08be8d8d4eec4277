"""The losses of guides that write a text from left to right."""

from __future__ import annotations

from collections.abc import Mapping

import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.models.guides.nrtr import PAD, nrtr_labels
from ppedge.models.guides.sar import sar_labels


class SARLoss(nn.Layer):
    """Cross entropy, ``-log p(character | those before)``; mean over all characters and ends of texts in the batch.

    Source: Li et al., "Show, Attend and Read", AAAI 2019. What follows a text's end counts nothing. (In PaddleOCR it
    counts, as the class 92, wherever SARLoss is neither second in a MultiLoss nor last in a distillation.)
    """

    def forward(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare class scores with labels.

        Args:
            output: ``logits`` (N, T, classes + 1), before softmax.
            batch: ``label`` (N, L) class numbers as CTC counts them, padded with 0, and ``length`` (N,), at most T - 2.

        Returns:
            The scalar ``loss``.
        """
        logits = output["logits"].astype("float32")
        steps, classes = logits.shape[1], logits.shape[2] - 1
        labels = sar_labels(batch["label"], batch["length"], classes, steps)
        return {"loss": F.cross_entropy(logits[:, :-1], labels[:, 1:], ignore_index=classes + 1)}


class NRTRLoss(nn.Layer):
    """Cross entropy with smoothed labels; mean over all characters and ends of texts in the batch.

    Source: Sheng et al., "NRTR", ICDAR 2019; the smoothing is that of Szegedy et al., "Rethinking the Inception
    Architecture", CVPR 2016, with nothing for the right class.

    Args:
        smoothing: Share of the label that is spread over the other classes.
        padding: Let what follows a text's end count too.
    """

    def __init__(self, smoothing: float = 0.1, padding: bool = False) -> None:
        super().__init__()
        self.smoothing, self.padding = smoothing, padding

    def forward(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare class scores with labels.

        Args:
            output: ``logits`` (N, longest + 1, classes), before softmax.
            batch: ``label`` (N, L) class numbers as CTC counts them, padded with 0, and ``length`` (N,).

        Returns:
            The scalar ``loss``.
        """
        likelihood = F.log_softmax(output["logits"].astype("float32"), axis=2)
        labels = nrtr_labels(batch["label"], batch["length"])[:, 1:]
        right = -likelihood.take_along_axis(labels.unsqueeze(2), 2).squeeze(2)
        others = -likelihood.sum(axis=2) - right
        each = (1 - self.smoothing) * right + self.smoothing / (likelihood.shape[2] - 1) * others
        return {"loss": mean_of(each, labels, padding=self.padding)}


def mean_of(each: Tensor, labels: Tensor, *, padding: bool) -> Tensor:
    """Return the mean of what each character and end of a text adds to a loss of NRTR.

    Args:
        each: (N, T).
        labels: (N, T), as `nrtr_labels` gives them, without the first.
        padding: Let what follows a text's end count too.
    """
    if padding:
        return each.mean()
    counted = (labels != PAD).astype("float32")
    return (each * counted).sum() / counted.sum()
