"""From a recipe's ``train`` section to what the train stage trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paddle

from ppedge.models import zoo
from ppedge.models.freezing import freeze
from ppedge.models.guides.aux_db import AuxDBHead
from ppedge.models.guides.nrtr import NRTRHead
from ppedge.models.guides.sar import SARHead
from ppedge.models.heads.db import DBHead
from ppedge.models.heads.pf_local import PFHeadLocal
from ppedge.models.network import Network
from ppedge.models.weight_parts import without_guides
from ppedge.models.weights import load_weights
from ppedge.recipe import losses, networks
from ppedge.recipe.guides import LinearGuide
from ppedge.recipe.losses import NET
from ppedge.recipe.networks import Model
from ppedge.train.losses.table import build_loss
from ppedge.train.origin import check_origin
from ppedge.train.start import missing_threshold, read_part, start_backbone, start_guide
from ppedge.train.task import Task
from ppedge.train.trainees.base import Guide, Trainee
from ppedge.train.trainees.flat_start import FlatStart


def build_trainee(task: Task, net: Network, say: Callable[[str], None] = lambda text: None) -> Trainee:
    """Put around a network what the recipe gives it while it trains: peers, guides, or a flat start.

    Args:
        task: Of the recipe.
        net: The network that ships.
        say: Told what is odd about a peer's weights, and what of guides starts fresh.

    Raises:
        PpedgeError: A peer's weights do not fit, or were trained with other settings.
    """
    train = task.recipe.train
    if train.flat_start:
        paddle.seed(task.recipe.seed + 1)
        guide = _guide(task, LinearGuide(name="LinearGuide"), NET, net, say)
        return FlatStart(net, task.loss, guide, train.flat_start)
    peers = {name: _peer(task, name, number, say) for number, name in enumerate(train.peers, start=1)}
    frozen = {name: peer for name, peer in train.peers.items() if peer.frozen}
    named = {name for term in train.losses for name in term.networks}
    guides = {
        f"{name}.{guide.name}": _guide(task, guide, name, network, say)
        for name, network in {NET: net, **peers}.items()
        for guide in train.guides
        if name not in frozen or f"{name}.{guide.name}" in named
    }
    for name, peer in frozen.items():
        parts = [peers[name], *(guide.head for guide in guides.values() if guide.network == name)]
        for part in parts:
            freeze(part, batch_statistics=peer.batch_statistics)
        if isinstance(head := peers[name].head, DBHead | PFHeadLocal):
            # A tenth of the step of CML.
            head.probability_alone = _of_probability(train.losses, name)
    trained = [name for name in (NET, *peers) if name not in frozen]
    loss = build_loss(train.losses, task.recipe.task, task.charset, trained, [NET, *peers, *guides])
    return Trainee(net, loss, peers, guides)


def _of_probability(terms: Sequence[losses.LossTerm], teacher: str) -> bool:
    """Return whether no term reads a detector's threshold map or binary map, or anything within its head."""
    reading = [term for term in terms if teacher in term.networks]
    return all(
        isinstance(term, losses.DML)
        or (isinstance(term, losses.Dilated) and teacher not in term.to)
        or (term.at != losses.RESULTS["det"] and not term.at.startswith("head"))
        for term in reading
    )


def _guide(task: Task, section: networks.Guide, name: str, network: Network, say: Callable[[str], None]) -> Guide:
    """Build a network's guide; one of PaddleOCR's starts from the weights that lie beside the network's in its file."""
    train = task.recipe.train
    head = zoo.build_guide(section, network, task.recipe.task, task.classes, f"{name}_{section.name}_")
    peer = train.peers.get(name)
    path, part = (train.weights, None) if peer is None else (peer.weights, peer.part)
    if path is not None and isinstance(head, SARHead | NRTRHead | AuxDBHead):
        key = "train.weights" if peer is None else f"train.peers.{name}.weights"
        start_guide(head, section.name, read_part(path, key, lambda text: None, part), path, key, say)
    return Guide(name, section.at, head, section.backbone_alone)


def _peer(task: Task, name: str, number: int, say: Callable[[str], None]) -> Network:
    """Build a peer, its weights drawn from a seed of its own or read from the recipe's file."""
    peer = task.recipe.train.peers[name]
    paddle.seed(task.recipe.seed + number)
    own = peer.model if isinstance(peer.model, Model) else None
    net = task.build_model(own, f"{name}_")
    recipe = task.recipe.model_copy(update={"model": own or task.recipe.model})
    if peer.weights is not None:
        key = f"train.peers.{name}.weights"
        state = without_guides(read_part(peer.weights, key, say, peer.part))
        threshold = missing_threshold(net, state)
        load_weights(net, state, peer.weights, threshold)
        if threshold:
            say(f"{key} {peer.weights}: it has no threshold head, as exported detectors have none: that starts fresh")
        check_origin(recipe, state, peer.weights, key, charset=task.charset, say=say)
    elif peer.frozen:
        say(f"train.peers.{name}: is frozen and has no weights to start from: it teaches noise")
    if peer.backbone_weights is not None:
        start_backbone(net, recipe, peer.backbone_weights, f"train.peers.{name}.backbone_weights", say)
    return net
