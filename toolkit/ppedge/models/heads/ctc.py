"""Class scores of each column, for a recogniser."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from ppedge.models.folding import Foldable
from ppedge.models.hardswish import hardswish
from ppedge.models.layers import linear

NEIGHBOURS = 5
"""Columns that the first convolution of a `GuideLayer` sees."""


class CTCHead(nn.Layer):
    """One linear layer to the classes, of which class 0 is CTC's blank, or two with nothing between.

    Args:
        in_channels: Channels of the sequence model.
        classes: Characters and the blank.
        mid_channels: What the first of two layers gives; None for one layer.
        use_guide: Put a `GuideLayer` before them.
    """

    def __init__(
        self, in_channels: int, classes: int, mid_channels: int | None = None, use_guide: bool = False
    ) -> None:
        super().__init__()
        self.mid_channels = mid_channels
        self.guide_layer = GuideLayer(in_channels) if use_guide else None
        if mid_channels is None:
            self.fc = linear(in_channels, classes)
        else:
            self.fc1 = linear(in_channels, mid_channels)
            self.fc2 = linear(mid_channels, classes)

    def linear_layers(self) -> list[nn.Linear]:
        """Return the linear layers, in the order of running."""
        return [self.fc] if self.mid_channels is None else [self.fc1, self.fc2]

    def forward(self, x: paddle.Tensor) -> paddle.Tensor | dict[str, paddle.Tensor]:
        """Map (N, T, C) to class scores.

        Returns:
            In eval mode probabilities (N, T, classes); in training mode ``{"logits": (N, T, classes)}``, since the loss
            has its own softmax.
        """
        if self.guide_layer is not None:
            x = self.guide_layer(x)
        logits = self.fc(x) if self.mid_channels is None else self.fc2(self.fc1(x))
        if self.training:
            return {"logits": logits}
        return F.softmax(logits, axis=2)


class GuideLayer(Foldable):
    """A depthwise convolution along the columns and a pointwise one, each with BatchNorm and hard swish.

    PP-OCRv6's tiny recogniser has it in place of a sequence model. Its names are those of official weights, which are
    of convolutions in one dimension; what ships computes the same in two, which phones have fast kernels for.

    Args:
        channels: Of a column.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        depthwise = nn.Conv1D(channels, channels, NEIGHBOURS, padding=NEIGHBOURS // 2, groups=channels, bias_attr=False)
        self.add_sublayer("0", depthwise)
        self.add_sublayer("1", nn.BatchNorm1D(channels))
        self.add_sublayer("3", nn.Conv1D(channels, channels, 1, bias_attr=False))
        self.add_sublayer("4", nn.BatchNorm1D(channels))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map columns (N, T, C) to (N, T, C)."""
        depthwise, first, pointwise, second = self.children()
        x = hardswish(first(depthwise(x.transpose([0, 2, 1]))))
        return hardswish(second(pointwise(x))).transpose([0, 2, 1])

    def folded(self) -> nn.Layer:
        """Return the layer as it ships."""
        depthwise, first, pointwise, second = self.children()
        return FlatGuideLayer(RowConv(depthwise, first), RowConv(pointwise, second))


class FlatGuideLayer(nn.Layer):
    """What ships of a `GuideLayer`.

    Args:
        depthwise: Its first convolution.
        pointwise: Its second one.
    """

    def __init__(self, depthwise: RowConv, pointwise: RowConv) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map columns (N, T, C) to (N, T, C)."""
        row = self.pointwise(self.depthwise(x.transpose([0, 2, 1]).unsqueeze(2)))
        return row.squeeze(2).transpose([0, 2, 1])


class RowConv(nn.Layer):
    """A convolution along a row (N, C, 1, T), BatchNorm and hard swish, with the weights of others in one dimension.

    Args:
        conv: Without bias, of stride 1, keeping the length.
        norm: Behind it.
    """

    def __init__(self, conv: nn.Conv1D, norm: nn.BatchNorm1D) -> None:
        super().__init__()
        out_channels, in_channels, side = conv.weight.shape
        groups = conv._groups
        self.conv = nn.Conv2D(
            in_channels * groups, out_channels, (1, side), padding=(0, side // 2), groups=groups, bias_attr=False
        )
        self.conv.weight.set_value(conv.weight.unsqueeze(2))
        self.bn = nn.BatchNorm2D(out_channels)
        self.bn.set_state_dict(norm.state_dict())

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map (N, C, 1, T) to the same shape."""
        return hardswish(self.bn(self.conv(x)))
