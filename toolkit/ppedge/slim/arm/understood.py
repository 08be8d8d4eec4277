"""What of a network slimming for ARM understands; the rest is left as it is, and named."""

from __future__ import annotations

from dataclasses import dataclass

from ppedge.models.heads.db import DBHead, MapHead
from ppedge.models.heads.pf_local import PFHeadLocal
from ppedge.models.layers import Block, ConvBNLayer
from ppedge.models.network import Network

LEVELS = 4
"""Maps of the pyramid that a linear neck joins."""


@dataclass(frozen=True)
class Understood:
    """What slimming for ARM may change.

    Attributes:
        blocks: Structured names of the blocks whose inner channels may go.
        head: Whether the head is one whose rewrites are known: DB's.
        neck: Whether the neck may become one convolution a level, with the head's first convolution, of 3x3, behind it.
        last: Structured name of the backbone's last layer, which goes with the neck.
        left_alone: What is not understood, as one sentence; empty if all is.
    """

    blocks: tuple[str, ...]
    head: bool
    neck: bool
    last: str
    left_alone: str


def understood(net: Network) -> Understood:
    """Ask a network what it is made of.

    Args:
        net: As it was trained or freshly built, not slimmed; one that is no `Network` has neither neck nor head.
    """
    if not isinstance(net, Network):
        return Understood((), False, False, "", "left as it is: what of a network brought in is a block is not known")
    units = list(net.units())
    blocks = tuple(name for name, unit in units if isinstance(unit, Block))
    unknown = [name for name, unit in units if not isinstance(unit, Block | ConvBNLayer)]
    head = isinstance(net.head, DBHead) and isinstance(net.head.binarize, MapHead)
    first = head and net.head.binarize.conv1.weight.shape[2:] == [3, 3]
    ends = bool(units) and isinstance(units[-1][1], ConvBNLayer) and units[-1][1].conv.weight.shape[2:] == [1, 1]
    levels = isinstance(net.backbone.out_channels, list) and len(net.backbone.out_channels) == LEVELS
    neck = first and net.linear_neck and ends and levels
    left = []
    if not blocks:
        left.append(f"the backbone {type(net.backbone).__name__}, which tells no blocks")
    if unknown:
        left.append(f"{len(unknown)} of the backbone's layers, {unknown[0]} first")
    if isinstance(net.head, PFHeadLocal):
        left.append("the head PFHeadLocal")
    if head and not neck:
        left.append(f"the neck {type(net.neck).__name__}, {_reason(net, first)}")
    sentence = f"left as it is, since slimming by arm does not understand it: {'; '.join(left)}" if left else ""
    return Understood(blocks, head, neck, units[-1][0] if neck else "", sentence)


def _reason(net: Network, first: bool) -> str:
    """Say why a detector's neck has to stay."""
    if not net.linear_neck:
        return "which is not linear"
    return (
        "since the backbone does not end in a 1x1 convolution"
        if first
        else "since the head begins with no 3x3 convolution"
    )
