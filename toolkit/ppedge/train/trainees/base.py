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
    """

    network: str
    at: str
    head: nn.Layer


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

    def networks(self) -> dict[str, nn.Layer]:
        """Return the networks that run on the pictures, by name."""
        return {NET: self.net, **dict(self.peers.items())}

    def begin(self) -> None:
        """Called once before the first step.

        Raises:
            PpedgeError: The loss reads a layer that a network lacks.
        """
        reads = self.loss.reads()
        for name, network in self.networks().items():
            places = {*reads.get(name, ()), *(guide.at for guide in self.guides.values() if guide.network == name)}
            self._recorders[name] = Recorder(network, sorted(places - set(RESULTS.values())))

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
        for recorder in self._recorders.values():
            recorder.remove()
        self._recorders = {}
