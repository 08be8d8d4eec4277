"""A network: backbone, neck and head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import paddle
from paddle import nn

from ppedge.models.weights import load_weights, state_of


class Network(nn.Layer):
    """Backbone, neck (a classifier has none) and head, under the names of official weights.

    It is the network that ships: it takes pictures alone, in training too. What only helps it while it trains is put
    around it from outside (`ppedge.train.trainees`), so that whoever slims, traces or exports it sees it alone.

    Attributes:
        taught_at: Structured name of the layer whose input tells most of what a detector has seen.
    """

    taught_at = "head.binarize.conv_bn1"

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

    def units(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yield the backbone's layers that run one after the other, by structured name; none if it does not tell them.

        Each is given what the one before it gives, the first is given the picture.
        """
        told = getattr(self.backbone, "units", None)
        for name, layer in told() if told is not None else ():
            yield f"backbone.{name}", layer

    def features(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Return maps (N, C, H, W) of pictures in which a network tells what it has seen: those of its backbone."""
        found = self.backbone(x)
        return found if isinstance(found, list) else [found]

    @property
    def linear_neck(self) -> bool:
        """Whether the neck says of itself that its result is a linear function of the backbone's maps."""
        return bool(getattr(self.neck, "linear", False))


def copy_of(net: Network, build: Callable[[], Network]) -> Network:
    """Return a network's copy, in eval mode.

    Args:
        net: The network.
        build: Builds one of its form, with weights of its own.
    """
    made = build()
    load_weights(made, state_of(net), "the network that is copied")
    made.eval()
    return made
