"""What of a network's neck and head slimming for ARM understands, and how it says what is left as it is."""

from __future__ import annotations

from dataclasses import dataclass

from paddle import nn

from ppedge.models.heads.db import DBHead, MapHead
from ppedge.models.heads.pf_local import PFHeadLocal
from ppedge.models.layers import ConvBNLayer
from ppedge.models.network import Network
from ppedge.recipe.slim import ArmPrune
from ppedge.slim.arm.parts import HEAD_PART, NECK, REPLACED
from ppedge.slim.arm.sites import Sites
from ppedge.train.recorder import INPUT

LEVELS = 4
"""Maps of the pyramid that a linear neck joins."""
NAMED = 3
"""Groups that a sentence names; the record has all."""


@dataclass(frozen=True)
class Understood:
    """What slimming for ARM may replace in a closed form; sites are found by `ppedge.slim.arm.sites`.

    Attributes:
        head: Whether the head is one whose rewrites are known: DB's.
        neck: Whether the neck may become one convolution a level, with the head's first convolution, of 3x3, behind it.
        linear: Whether the neck is linear itself; else it loses something by that, which is measured.
        last: Structured name of the backbone's last layer, which goes with the neck; empty where none does.
        left_alone: What of the two is not understood, as parts of a sentence.
    """

    head: bool
    neck: bool
    linear: bool
    last: str
    left_alone: tuple[str, ...] = ()

    def replaces(self, settings: ArmPrune) -> set[str]:
        """Return which parts the settings let it replace: `NECK`, `HEAD_PART`."""
        found = {NECK} if self.neck and settings.neck_width is not None else set()
        narrowed = settings.head_width is not None and "shuffle_head" in settings.rewrites
        return found | ({HEAD_PART} if self.head and narrowed else set())

    def taken(self, settings: ArmPrune) -> tuple[str, ...]:
        """Return the names of the layers that are replaced so, or of what holds them: no site may meet them."""
        parts = self.replaces(settings)
        names = {*REPLACED[NECK], *REPLACED[HEAD_PART], self.last} - {""} if NECK in parts else set()
        # The head's second convolution is read by the third, and by no other: with that one the channels are taken.
        return tuple(sorted(names | ({REPLACED[HEAD_PART][1]} if HEAD_PART in parts else set())))


def understood(net: nn.Layer) -> Understood:
    """Ask a network what it is made of.

    Args:
        net: As it was trained or freshly built, not slimmed; one that is no `Network` has neither neck nor head.
    """
    if not isinstance(net, Network):
        return Understood(False, False, False, "")
    units = list(net.units())
    head = isinstance(net.head, DBHead) and isinstance(net.head.binarize, MapHead)
    first = head and net.head.binarize.conv1.weight.shape[2:] == [3, 3]
    ends = bool(units) and isinstance(units[-1][1], ConvBNLayer) and units[-1][1].conv.weight.shape[2:] == [1, 1]
    levels = isinstance(net.backbone.out_channels, list) and len(net.backbone.out_channels) == LEVELS
    neck = first and levels
    left = ["the head PFHeadLocal"] if isinstance(net.head, PFHeadLocal) else []
    if head and not neck:
        why = (
            f"since the backbone does not give {LEVELS} maps"
            if first
            else "since the head begins with no 3x3 convolution"
        )
        left.append(f"the form of the neck {type(net.neck).__name__}, {why}")
    return Understood(head, neck, neck and net.linear_neck, units[-1][0] if neck and ends else "", tuple(left))


def backbone_maps(net: nn.Layer) -> list[str]:
    """Return the places where a detector's backbone gives its maps, in it and in whatever slimming makes of it.

    They are those of `ppedge.train.recorder.Recorder`: what the neck is given and, where the backbone's last layer goes
    with the neck, what that layer is given. Empty of a network that is no `Network` with a pyramid.
    """
    parts = understood(net)
    if not parts.neck:
        return []
    return [f"{NECK}{INPUT}", *([f"{parts.last}{INPUT}"] if parts.last else [])]


def told(parts: Understood, sites: Sites) -> str:
    """Return what is left as it is as one sentence; empty if nothing is that could be wondered at.

    Args:
        parts: Of the network.
        sites: Of the network.
    """
    left = list(parts.left_alone)
    odd = {name: why for name, why in sites.left.items() if "refitted" in why or "times" in why}
    if odd:
        some = "; ".join(f"{name} ({why})" for name, why in list(odd.items())[:NAMED])
        left.append(f"{len(odd)} groups of channels, {some}")
    if not sites.found:
        left.append("all channels, none of which least squares could take out")
    return f"left as it is, since slimming by arm does not understand it: {'; '.join(left)}" if left else ""
