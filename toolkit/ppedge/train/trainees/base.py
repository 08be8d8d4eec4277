"""What the loop trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paddle import Tensor, nn

from ppedge.models.network import Network
from ppedge.recipe.losses import NET, RESULTS
from ppedge.train.losses.base import Given, Loss, Outputs
from ppedge.train.recorder import Recorder


@dataclass(frozen=True)
class Guide:
    """A second head: it learns beside a network's own, and the network learns from both.

    Attributes:
        network: Name of the network that it guides.
        at: Structured name of the layer whose output it reads.
        head: Called with that output and the batch; returns what losses read, by name.
        backbone_alone: Its network's backbone learns from guides alone.
    """

    network: str
    at: str
    head: nn.Layer
    backbone_alone: bool = False


class Trainee(nn.Layer):
    """A network that is trained, and whatever only helps it while it trains.

    The loop knows nothing else: all parameters and buffers below are optimised and kept in the checkpoint, ``net`` is
    measured, and its best weights are kept. Helpers stand beside the network, never in it, and are gone afterwards.

    Args:
        net: The network that ships.
        loss: What is minimised.
        peers: Further networks that run on the same pictures, by name.
        guides: Second heads, by name.
    """

    def __init__(
        self,
        net: Network,
        loss: Loss,
        peers: Mapping[str, Network] | None = None,
        guides: Mapping[str, Guide] | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        self.peers = nn.LayerDict(dict(peers or {}))
        self.guides = dict(guides or {})
        self.heads = nn.LayerList([guide.head for guide in self.guides.values()])
        self._recorders: dict[str, Recorder] = {}
        self._detached: list[Any] = []

    def networks(self) -> dict[str, nn.Layer]:
        """Return the networks that run on the pictures, by name."""
        return {NET: self.net, **dict(self.peers.items())}

    @property
    def longest_text(self) -> int | None:
        """The most characters of a text that all guides take; None if they take any."""
        return min((n for head in self.heads if (n := getattr(head, "longest", None)) is not None), default=None)

    def begin(self) -> None:
        """Called once before the first step.

        Raises:
            PpedgeError: The loss reads a layer that a network lacks.
        """
        reads = self.loss.reads()
        for name, network in self.networks().items():
            places = {*reads.get(name, ()), *(guide.at for guide in self.guides.values() if guide.network == name)}
            self._recorders[name] = Recorder(network, sorted(places - set(RESULTS.values())))
            if any(guide.backbone_alone and guide.network == name for guide in self.guides.values()):
                after_backbone = network.head if network.neck is None else network.neck
                self._detached.append(after_backbone.register_forward_pre_hook(_detach))

    def forward(self, batch: Given) -> Outputs:
        """Run all networks on a batch's pictures, ``image`` (N, 3, H, W), and the guides on what was noted of them.

        Returns:
            By network and guide, what it gives, and of a network also what was noted of its layers.
        """
        outputs: Outputs = {
            name: {**network(batch["image"]), **self._recorders[name].take()}
            for name, network in self.networks().items()
        }
        for name, guide in self.guides.items():
            outputs[name] = guide.head(outputs[guide.network][guide.at], batch)
        return outputs

    def losses(self, outputs: Outputs, batch: Given, share: float) -> dict[str, Tensor]:
        """Return the losses of a batch.

        Args:
            outputs: Of `forward`.
            batch: As the data set gives it.
            share: Of the course that is done, 0 to 1.

        Returns:
            ``loss``, a scalar to differentiate, and its parts, for the log.
        """
        return self.loss(outputs, batch)

    def after_step(self) -> None:
        """Called after each step: bounds on parameters go here."""

    def log(self) -> dict[str, Any]:
        """Return what an evaluation's line in metrics.jsonl has besides."""
        return {}

    def end(self) -> None:
        """Called once after the last step: the networks are left as they would be without a trainee."""
        for handle in (*self._recorders.values(), *self._detached):
            handle.remove()
        self._recorders, self._detached = {}, []


def _detach(layer: nn.Layer, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Hand on no gradient to what a layer is given; a hook."""
    return tuple(x.detach() for x in inputs)
