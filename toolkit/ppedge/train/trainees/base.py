"""What the loop trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import Tensor, nn

from ppedge.models.network import Network
from ppedge.recipe.losses import GIVEN, NET
from ppedge.train.losses.base import Given, Loss, Outputs
from ppedge.train.recorder import Recorder


class Trainee(nn.Layer):
    """A network that is trained, and whatever only helps it while it trains.

    The loop knows nothing else: all parameters and buffers below are optimised and kept in the checkpoint, ``net`` is
    measured, and its best weights are kept. Helpers stand beside the network, never in it, and are gone afterwards.

    Args:
        net: The network that ships.
        loss: What is minimised.
        others: Further networks that run on the same pictures, by name.
    """

    def __init__(self, net: Network, loss: Loss, others: Mapping[str, Network] | None = None) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        self.others = nn.LayerDict(dict(others or {}))
        self._recorders: dict[str, Recorder] = {}

    def networks(self) -> dict[str, nn.Layer]:
        """Return the networks that run on the pictures, by name."""
        return {NET: self.net, **dict(self.others.items())}

    def begin(self) -> None:
        """Called once before the first step.

        Raises:
            PpedgeError: The loss reads a layer that a network lacks.
        """
        reads = self.loss.reads()
        self._recorders = {
            name: Recorder(network, sorted(set(reads.get(name, ())) - set(GIVEN.values())))
            for name, network in self.networks().items()
        }

    def forward(self, image: Tensor) -> Outputs:
        """Run all networks on pictures (N, 3, H, W); return what each gives, and what was noted of its layers."""
        return {name: {**network(image), **self._recorders[name].take()} for name, network in self.networks().items()}

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

    def settings(self) -> Any:
        """Return what the steps depend on beside the recipe and its schedule, as plain JSON values."""
        return None

    def end(self) -> None:
        """Called once after the last step: the networks are left as they would be without a trainee."""
        for recorder in self._recorders.values():
            recorder.remove()
        self._recorders = {}
