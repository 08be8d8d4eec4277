"""A flat start for recognisers trained from fresh weights, with a guide.

From fresh weights CTC takes thousands of steps until it finds where the characters stand: its gradient first pulls
every column to blank. A flat start, as speech recognition calls it, shortens that: at first the classes of single
columns are learned from an alignment that spreads the characters evenly over the line, and then CTC takes over.

The sequence model is slow to let anything of the picture through, so a linear guide reads the backbone's features
directly and learns the same beside the head: the backbone learns from both. The guide is dropped at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.models.zoo import Network

Loss = Callable[[Mapping[str, Tensor], Mapping[str, Any]], dict[str, Tensor]]


class Guided(nn.Layer):
    """A recogniser and its guide, for training only.

    Args:
        net: The recogniser.
        classes: Of its head.
    """

    def __init__(self, net: Network, classes: int) -> None:
        super().__init__()
        self.net = net
        # Names of its own: the optimizer keeps its moments by name, and the network's layers count from 0 too.
        self.guide = nn.Linear(
            net.backbone.out_channels,
            classes,
            weight_attr=paddle.ParamAttr(name="guide.w"),
            bias_attr=paddle.ParamAttr(name="guide.b"),
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map lines (N, 3, 32, W) to ``logits`` and ``guide``, each (N, T, classes)."""
        features = self.net.backbone(x)
        assert self.net.neck is not None  # a recogniser has one
        return {
            **self.net.head(self.net.neck(features)),
            "guide": self.guide(features.squeeze(2).transpose([0, 2, 1])),
        }


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


def guided_loss(loss: Loss, output: Mapping[str, Tensor], batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """The loss of a `Guided` network: the same loss of head and guide.

    Returns:
        Scalars ``loss``, ``loss_head`` and ``loss_guide``, the first being the sum of the others.
    """
    head, guide = (loss({"logits": output[name]}, batch)["loss"] for name in ("logits", "guide"))
    return {"loss": head + guide, "loss_head": head, "loss_guide": guide}


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
