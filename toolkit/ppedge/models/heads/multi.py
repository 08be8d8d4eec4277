"""What ships of PaddleOCR's MultiHead."""

from __future__ import annotations

import paddle
from paddle import nn

from ppedge.models.heads.ctc import CTCHead
from ppedge.models.necks.light_svtr import Columns, LightSVTRNeck
from ppedge.models.necks.svtr import SVTRNeck


class MultiHead(nn.Layer):
    """A sequence model and CTC's class scores of each column; the guides beside it exist in training alone.

    Args:
        encoder: Maps features (N, C, 1, T) to (N, T, encoder.out_channels).
        classes: Characters and the blank.
        mid_channels: As of a `CTCHead`.
        use_guide: As of a `CTCHead`.
    """

    def __init__(
        self,
        encoder: SVTRNeck | LightSVTRNeck | Columns,
        classes: int,
        mid_channels: int | None = None,
        use_guide: bool = False,
    ) -> None:
        super().__init__()
        self.ctc_encoder = encoder
        self.ctc_head = CTCHead(encoder.out_channels, classes, mid_channels, use_guide)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor | dict[str, paddle.Tensor]:
        """Map a row of features (N, C, 1, T) to what a `CTCHead` gives."""
        return self.ctc_head(self.ctc_encoder(x))
