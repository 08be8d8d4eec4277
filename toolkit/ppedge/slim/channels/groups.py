"""Which parameters must lose a channel together: the pruning groups of a network, with explicit index maps.

A channel of a group is found at one index of each member. The indices differ where maps are concatenated: there a
group's channels begin somewhere in the middle of the parameter that reads the whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import paddle
from paddle.static import InputSpec

from ppedge.slim.channels.graph import ChannelGraph, signatures
from ppedge.slim.channels.outlets import Outlet, outlets


class Member(NamedTuple):
    """Where the channels of a group are in one parameter or buffer.

    Attributes:
        name: Structured name.
        axis: Of the parameter.
        indices: For each channel of the group, its index on the axis.
    """

    name: str
    axis: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Channels that may go one by one, each from all members at once.

    Attributes:
        name: Structured name of the first weight that produces the channels.
        channels: How many there are.
        producers: Where the weights of convolutions and linear layers produce them (several where branches are added).
        members: Every parameter and buffer that loses the channel, the producers among them.
    """

    name: str
    channels: int
    producers: tuple[Member, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Traced:
    """What a network's program tells of its channels.

    Attributes:
        groups: That can be pruned, in the network's order.
        outlets: Of its convolutions and linear layers, by structured name, in the order in which they first run.
    """

    groups: list[Group]
    outlets: dict[str, Outlet]


def trace(net: paddle.nn.Layer, input_shape: Sequence[int], exclude: Sequence[str] = ()) -> Traced:
    """Follow a network's channels.

    Args:
        net: A freshly built network; tracing leaves it changed, so it should serve no other purpose.
        input_shape: Of an input, for instance (1, 3, 64, 64).
        exclude: Starts of layer names; a group with a producer among them is left out.
    """
    program, names, outputs = program_of(net, input_shape)
    graph = ChannelGraph(program, names, outputs)
    order = {produced: number for number, produced in enumerate(graph.produced)}
    groups = []
    for axes, channels in signatures(graph.touches).items():
        members = tuple(
            Member(name, axis, tuple(channel[number][2] for channel in channels))
            for number, (name, axis) in enumerate(axes)
        )
        producers = tuple(sorted((m for m in members if m[:2] in order), key=lambda m: order[m[:2]]))
        if producers and not any(m.name.startswith(tuple(exclude)) for m in producers):
            groups.append(Group(producers[0].name, len(channels), producers, members))
    groups.sort(key=lambda group: (order[group.producers[0][:2]], group.producers[0].indices))
    return Traced(groups, outlets(program, names))


def program_of(net: paddle.nn.Layer, input_shape: Sequence[int]) -> tuple[Any, dict[str, str], list[str]]:
    """Return a network's static program, its structured names by the program's, and the variables that leave it.

    Args:
        net: A freshly built network; tracing leaves it changed, so it should serve no other purpose.
        input_shape: Of an input, for instance (1, 3, 64, 64).
    """
    net.train()  # in eval mode DB's threshold head is not part of the program
    names = {tensor.name: name for name, tensor in net.state_dict().items()}
    spec = InputSpec(list(input_shape), "float32", name="x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of each BatchNorm, that its statistics are tracked
        concrete = paddle.jit.to_static(net, input_spec=[spec], full_graph=True).forward.concrete_program
    outputs = [variable.name for variable in paddle.utils.flatten(concrete.outputs)]
    return concrete.main_program, names, outputs


def filters(member: Member, weight: np.ndarray) -> np.ndarray:
    """Return what of a producer's weight makes each channel of its group: (channels, ...)."""
    return np.moveaxis(weight, member.axis, 0)[list(member.indices)]


def group_of(groups: Sequence[Group], weight: str, axis: int = 0) -> Group | None:
    """Return the group that all of a weight's outputs are in, if there is one."""
    for group in groups:
        if any(m.name == weight and m.axis == axis for m in group.producers):
            return group
    return None
