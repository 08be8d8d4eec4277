"""What two networks that are trained together learn from each other."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.errors import PpedgeError
from ppedge.train.losses.base import Given

MAP_EPS, CLASS_EPS = 1e-5, 1e-10


class DMLLoss(nn.Layer):
    """Deep mutual learning: the mean of both Kullback-Leibler divergences between what two networks say.

    - ``maps``: of the probability map's pixels, ``(q log((q + e) / (p + e) + e) + p log((p + e) / (q + e) + e)) / 2``
      with e = 1e-5, mean over pixels and pictures. PP-OCR leaves the background's share, ``1 - p``, out, and so does
      this.
    - ``logits``: of the classes' probabilities, e = 1e-10, summed over columns and classes, mean over lines.

    Nothing is detached: each network moves towards the other. PaddleOCR's loss of maps is a vector over the batch whose
    gradient is that of its sum, so that its weight grows with the batch; here it is the mean.

    Source: Zhang et al., "Deep Mutual Learning", CVPR 2018; Du et al., "PP-OCRv2", 2021, for the forms.

    Args:
        at: ``maps`` or ``logits``.
    """

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def forward(self, first: Given, second: Given, batch: Given) -> dict[str, Tensor]:
        """Compare what two networks give.

        Args:
            first: ``maps`` (N, 1 or 3, H, W), or ``logits`` (N, T, C) or (N, C).
            second: The same of the other network.
            batch: Not looked at.

        Returns:
            The scalar ``loss``.
        """
        p, q = (given[self.at].astype("float32") for given in (first, second))
        if self.at == "maps":
            p, q = p[:, 0], q[:, 0]
            each = _divergence(p, q, MAP_EPS) + _divergence(q, p, MAP_EPS)
            return {"loss": each.mean() / 2}
        p, q = F.softmax(p, axis=-1) + CLASS_EPS, F.softmax(q, axis=-1) + CLASS_EPS
        return {"loss": (_divergence(p, q) + _divergence(q, p)).sum() / (2 * p.shape[0])}


def _divergence(p: Tensor, q: Tensor, eps: float = 0.0) -> Tensor:
    return p * paddle.log((p + eps) / (q + eps) + eps)


class MSELoss(nn.Layer):
    """Mean squared difference of what a layer gives in two networks.

    Args:
        at: Structured name of the layer; it gives a tensor.
    """

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def forward(self, first: Given, second: Given, batch: Given) -> dict[str, Tensor]:
        """Compare features of one shape; ``batch`` is not looked at.

        Returns:
            The scalar ``loss``.

        Raises:
            PpedgeError: The layer gives several maps, or not the same shape in both.
        """
        x, y = first[self.at], second[self.at]
        if isinstance(x, list) or isinstance(y, list) or x.shape != y.shape:
            raise PpedgeError(
                f"train.losses: MSE at {self.at} compares {_told(x)} with {_told(y)}.",
                "Name a layer that gives one array, of the same shape in both networks.",
            )
        return {"loss": F.mse_loss(x.astype("float32"), y.astype("float32"))}


def _told(given: Tensor | list[Tensor]) -> str:
    return f"{len(given)} maps" if isinstance(given, list) else str(list(given.shape))
