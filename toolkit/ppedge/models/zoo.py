"""From a recipe's ``model`` section to a network."""

from __future__ import annotations

from typing import Any, Literal

import paddle
from paddle import nn
from paddle.utils import unique_name

from ppedge import recipe_model
from ppedge.errors import PpedgeError
from ppedge.models.heads import ClsHead, CTCHead, DBHead
from ppedge.models.mobilenet_v3 import MobileNetV3Det, MobileNetV3Rec
from ppedge.models.necks import DBFPN, SequenceEncoder


class Network(nn.Layer):
    """Backbone, neck (a classifier has none) and head, under the names of official weights."""

    def __init__(self, backbone: nn.Layer, neck: nn.Layer | None, head: nn.Layer) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, x: paddle.Tensor) -> Any:
        """Run the network.

        Args:
            x: A detector takes pictures (N, 3, H, W), sides multiples of 32; a recogniser lines (N, 3, 32, W), a
                classifier lines (N, 3, 48, W).

        Returns:
            In eval mode a detector gives its probability map (N, 1, H, W), a recogniser probabilities (N, W / 4,
            classes), a classifier probabilities (N, classes). In training mode a dict: ``maps`` (N, 3, H, W): shrink,
            threshold and binary map; or ``logits``, of the probabilities' shape.
        """
        features = self.backbone(x)
        return self.head(features if self.neck is None else self.neck(features))


def build(model: recipe_model.Model, task: Literal["det", "rec", "cls"], classes: int = 0) -> Network:
    """Build a network with fresh weights.

    Parameters get the same names (``conv2d_0.w_0``, ...) in every call, whatever was built before. The initial weights
    come from Paddle's random generator: call ``paddle.seed`` first.

    Args:
        model: The recipe's ``model`` section.
        task: ``det``, ``rec`` or ``cls``.
        classes: For ``rec``: characters and CTC's blank, which is class 0; for ``cls``: directions.

    Raises:
        PpedgeError: The parts do not fit the task, or a recogniser or classifier has no classes.
    """
    with unique_name.guard():
        if task == "det":
            return _detector(model)
        return _recognizer(model, classes) if task == "rec" else _classifier(model, classes)


def _detector(model: recipe_model.Model) -> Network:
    part, neck, head = model.backbone, model.neck, model.head
    if not isinstance(neck, recipe_model.DBFPN) or not isinstance(head, recipe_model.DBHead):
        raise PpedgeError(f"model: {_parts(model)} make no detector.", "Use neck DBFPN and head DBHead.")
    backbone = MobileNetV3Det(part.model_name, part.scale, part.disable_se)
    return Network(backbone, DBFPN(backbone.out_channels, neck.out_channels), DBHead(neck.out_channels, head.k))


def _recognizer(model: recipe_model.Model, classes: int) -> Network:
    part, neck, head = model.backbone, model.neck, model.head
    if not isinstance(neck, recipe_model.SequenceEncoder) or not isinstance(head, recipe_model.CTCHead):
        raise PpedgeError(f"model: {_parts(model)} make no recogniser.", "Use neck SequenceEncoder and head CTCHead.")
    if classes < 2:
        raise PpedgeError(f"A recogniser needs at least 2 classes, not {classes}.", "Check data.charset.")
    backbone = MobileNetV3Rec(part.model_name, part.scale, part.large_stride, part.small_stride)
    encoder = SequenceEncoder(backbone.out_channels, neck.hidden_size)
    return Network(backbone, encoder, CTCHead(encoder.out_channels, classes))


def _classifier(model: recipe_model.Model, classes: int) -> Network:
    part = model.backbone
    if model.neck is not None or not isinstance(model.head, recipe_model.ClsHead):
        raise PpedgeError(f"model: {_parts(model)} make no classifier.", "Use no neck and head ClsHead.")
    if classes < 2:
        raise PpedgeError(f"A classifier needs at least 2 classes, not {classes}.")
    backbone = MobileNetV3Rec(part.model_name, part.scale, part.large_stride, part.small_stride)
    return Network(backbone, None, ClsHead(backbone.out_channels, classes))


def _parts(model: recipe_model.Model) -> str:
    return f"{model.neck.name if model.neck else 'no neck'} and {model.head.name}"
