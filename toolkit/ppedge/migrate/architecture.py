"""``Architecture``: the network that ships, its guides, and the peers of a distillation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ppedge.errors import shown
from ppedge.migrate.network import Network, network_of
from ppedge.migrate.parts import BACKBONES
from ppedge.migrate.source import Source
from ppedge.recipe.losses import NET

PEERS: Mapping[str, str] = {"Student": NET, "Student2": "twin", "Teacher": "teacher"}
"""PaddleOCR's names of the networks of a distillation, and the recipe's; a Teacher that learns is a twin too."""
FROZEN: Mapping[str, Any] = {"batch_statistics": True}
"""What a frozen peer of PaddleOCR's is beside ``frozen``: it leaves frozen networks in training mode."""


@dataclass
class Networks:
    """The networks of a configuration.

    Attributes:
        task: ``det``, ``rec`` or ``cls``.
        net: The one that ships.
        peers: Those beside it, as ``train.peers`` has them.
        names: PaddleOCR's names, and the recipe's; empty if there is one network.
        backbone_weights: What the one that ships starts its backbone from, in a distillation.
        weights: What the one that ships starts from, in a distillation.
    """

    task: str
    net: Network
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    weights: str | None = None
    backbone_weights: str | None = None

    @property
    def trained(self) -> list[str]:
        """The recipe's names of the networks that are trained."""
        return [NET, *(name for name, peer in self.peers.items() if not peer.get("frozen"))]

    def guide(self, kind: str) -> str | None:
        """Return the name of the guide of a kind, ``sar``, ``gtc`` or ``aux``; None if there is none."""
        wanted = {"sar": "SARHead", "gtc": "NRTRHead", "aux": "AuxDBHead"}.get(kind)
        return next((guide["name"] for guide in self.net.guides if guide["name"] == wanted), None)


def networks_of(source: Source) -> Networks:
    """Return the networks of ``Architecture``.

    Raises:
        PpedgeError: It has parts or an algorithm that ppedge has not.
    """
    task = source.text("model_type")
    if task not in BACKBONES:
        raise source.error("model_type", f"{shown(task)} is no task that ppedge has", f"It has {', '.join(BACKBONES)}.")
    source.taken("model_type", f"task: {task}")
    if "Models" in source:
        found = _distillation(source, task)
        source.close({"name": "the peers say it", "algorithm": "the peers and losses say it"})
        return found
    return Networks(task, network_of(source, task, "model"))


def _distillation(source: Source, task: str) -> Networks:
    """Return the networks of ``Architecture.Models``."""
    found: dict[str, Network] = {}
    names: dict[str, str] = {}
    models = dict(source.members("Models"))
    for theirs, inner in models.items():
        ours = PEERS.get(theirs, theirs.lower())
        if theirs == "Teacher" and "Student2" not in models and not inner.value("freeze_params", False):
            ours = PEERS["Student2"]
        names[theirs] = ours
        found[ours] = network_of(inner, task, "model" if ours == NET else f"train.peers.{ours}.model", shared=True)
    if NET not in found:
        raise source.error("Models", "has no Student, the network that ships", "Call it Student.")
    net = found.pop(NET)
    networks = Networks(task, net, names=names)
    networks.weights, networks.backbone_weights = _start(net.source)
    if networks.weights or networks.backbone_weights:
        key = "weights" if networks.weights else "backbone_weights"
        net.source.taken("pretrained", f"train.{key}: {networks.weights or networks.backbone_weights}")
    if net.source.value("freeze_params", False):
        net.source.left_out("freeze_params", "the network that ships is trained: a frozen one would learn nothing")
    _close(net.source)
    for name, peer in found.items():
        networks.peers[name] = _peer(name, peer, net)
    return networks


def _peer(name: str, peer: Network, net: Network) -> dict[str, Any]:
    """Return a section of ``train.peers``."""
    section: dict[str, Any] = {"model": "same" if peer.model == net.model else peer.model}
    source = peer.source
    if source.value("freeze_params", False):
        section["frozen"] = True
        source.taken("freeze_params", f"train.peers.{name}.frozen: true")
        section |= FROZEN
        said = ", ".join(f"train.peers.{name}.{key}: {str(value).lower()}" for key, value in FROZEN.items())
        source.changed("", f"{said}, since PaddleOCR leaves a frozen network in training mode")
    if peer.guides != net.guides:
        source.left_out("Head", "its guides are not the Student's, and a recipe's guides stand beside every network")
    weights, backbone = _start(source)
    if weights:
        section["weights"] = weights
        source.taken("pretrained", f"train.peers.{name}.weights: {weights}")
    if backbone:
        section["backbone_weights"] = backbone
        source.taken("pretrained", f"train.peers.{name}.backbone_weights: {backbone}")
    _close(source)
    return section


def _start(source: Source) -> tuple[str | None, str | None]:
    """Return what a network of a distillation names as ``pretrained``: the whole network's weights, or a backbone's."""
    named = source.value("pretrained")
    if not isinstance(named, str):
        return None, None
    path = weight_file(named)
    return (None, path) if is_backbone(path) else (path, None)


def is_backbone(path: str) -> bool:
    """Whether a file of weights, by its name, holds a backbone alone: PaddleOCR's are called after the backbone."""
    return PurePosixPath(path).name.startswith(("MobileNet", "ResNet", "PPLCNet", "PPHGNet"))


def weight_file(named: str) -> str:
    """Return the file that PaddleOCR means by a name of weights, which it writes without suffix; of a URL, its own."""
    path = named.split("?")[0]
    if "://" in path:
        path = PurePosixPath(path).name
    return path if path.endswith(".pdparams") else f"{path}.pdparams"


def _close(source: Source) -> None:
    source.close(
        {
            "model_type": "it is the Architecture's",
            "return_all_feats": "losses name the layers that they read",
            "pretrained": "it names no weights",
            "freeze_params": "it is trained, as every network is unless the recipe says frozen",
        }
    )
