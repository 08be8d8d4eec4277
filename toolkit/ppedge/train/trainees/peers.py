"""Networks that are trained beside the one that ships, or teach it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.network import Network
from ppedge.train.losses.base import Loss
from ppedge.train.trainees.base import Trainee


class Peers(Trainee):
    """A network and its peers, all of which see the same pictures.

    A frozen peer keeps its weights and BatchNorm's running statistics; it runs in training mode, in which a network
    gives what losses read.

    Args:
        net: The network that ships.
        loss: Of labels and between networks.
        peers: By name; their parameters have names of their own.
        frozen: Names of those that are not trained.
    """

    def __init__(self, net: Network, loss: Loss, peers: Mapping[str, Network], frozen: Collection[str] = ()) -> None:
        super().__init__(net, loss, peers)
        for name in frozen:
            freeze_batch_norm(peers[name])
            for parameter in peers[name].parameters():
                parameter.stop_gradient = True
