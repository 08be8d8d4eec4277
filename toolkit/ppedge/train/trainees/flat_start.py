"""A flat start for recognisers trained from fresh weights, with a guide.

From fresh weights CTC takes thousands of steps until it finds where the characters stand: its gradient first pulls
every column to blank. A flat start, as speech recognition calls it, shortens that: at first the classes of single
columns are learned from an alignment that spreads the characters evenly over the line, and then CTC takes over.

The sequence model is slow to let anything of the picture through, so a linear guide reads the backbone's features
directly and learns the same beside the head: the backbone learns from both. The guide is dropped at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from ppedge.models.network import Network
from ppedge.recipe.losses import NET
from ppedge.train.losses.base import Given, Loss, Outputs
from ppedge.train.trainees.base import Guide, Trainee

GUIDE = "guide"


class FlatStart(Trainee):
    """A recogniser and its guide.

    Args:
        net: The recogniser.
        loss: Of its labels; the guide learns from it too.
        guide: That gives ``logits`` (N, T, classes) of the backbone's columns.
        share: Of the course that is a flat start.
    """

    def __init__(self, net: Network, loss: Loss, guide: Guide, share: float) -> None:
        super().__init__(net, loss, guides={GUIDE: guide})
        self.share = share

    def losses(self, outputs: Outputs, batch: Given, share: float) -> dict[str, Tensor]:
        """The same loss of head and guide.

        Returns:
            Scalars ``loss``, ``loss_head`` and ``loss_guide``, the first being the sum of the others.
        """
        head, guide = (self._one(outputs[name], batch, share < self.share) for name in (NET, GUIDE))
        return {"loss": head + guide, "loss_head": head, "loss_guide": guide}

    def _one(self, given: Given, batch: Given, flat: bool) -> Tensor:
        return (flat_loss(given, batch) if flat else self.loss({NET: given}, batch))["loss"]


def flat_loss(output: Mapping[str, Tensor], batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """Cross entropy of each column with the even alignment, summed over a line's columns, mean over lines.

    Args:
        output: ``logits`` (N, T, C), before softmax.
        batch: ``label`` (N, L) class numbers, padded with 0, ``length`` (N,), and ``filled`` (N,), the share of the
            width that the line fills.

    Returns:
        The scalar ``loss``.
    """
    logits = output["logits"].astype("float32")
    columns = logits.shape[1]
    aligned = even_alignment(batch["label"], batch["length"], batch["filled"], columns)
    return {"loss": F.cross_entropy(logits, aligned, axis=-1) * columns}


def even_alignment(labels: Tensor, lengths: Tensor, filled: Tensor, columns: int) -> Tensor:
    """Return the class of each column if characters stand evenly: each in the middle half of its share, else blank.

    Args:
        labels: (N, L) classes, padded with 0.
        lengths: (N,) how many of them count.
        filled: (N,) share of the columns that the line fills, 0 to 1.
        columns: T.

    Returns:
        (N, T), int64.
    """
    centres = (paddle.arange(columns, dtype="float32") + 0.5) / columns
    places = centres.unsqueeze(0) / filled.astype("float32").unsqueeze(1) * lengths.astype("float32").unsqueeze(1)
    index = places.floor()
    inside = paddle.logical_and(index < lengths.astype("float32").unsqueeze(1), (places - index - 0.5).abs() <= 0.25)
    chosen = paddle.take_along_axis(labels.astype("int64"), index.clip(max=labels.shape[1] - 1).astype("int64"), axis=1)
    return chosen * inside.astype("int64")
