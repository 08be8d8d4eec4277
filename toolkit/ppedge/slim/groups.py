"""Which parameters must lose a channel together: the pruning groups of a network.

PaddleSlim traces them from the network's program. Only parameters whose channels map one to one are kept; a group that
goes through anything else (a concat, the output of a transposed convolution) is left out rather than pruned wrongly.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import paddle

PRODUCERS = ("conv2d",)
ONE_TO_ONE: tuple[dict[str, int], ...] = ({"repeat": 1},)


@dataclass(frozen=True)
class Group:
    """Channels that go together.

    Attributes:
        name: Structured name of the first convolution whose filters produce the channels.
        channels: How many there are.
        producers: Structured names of the weights whose axis 0 produces them (several where branches are added).
        members: Every parameter and buffer that loses the channel, with the axis.
    """

    name: str
    channels: int
    producers: tuple[str, ...]
    members: tuple[tuple[str, int], ...]


def trace(net: paddle.nn.Layer, input_shape: Sequence[int], exclude: Sequence[str] = ()) -> list[Group]:
    """Return the groups that can be pruned, in the network's order.

    Args:
        net: A freshly built network; tracing may leave it changed, so it should serve no other purpose.
        input_shape: Of an input, for instance (1, 3, 64, 64).
        exclude: Starts of layer names; a group with a producer among them is left out.
    """
    from paddleslim.dygraph import FPGMFilterPruner

    net.train()  # in eval mode DB's threshold head is not part of the program
    with _silence():
        pruner = FPGMFilterPruner(net, list(input_shape))
    names = {tensor.name: name for name, tensor in net.state_dict().items()}
    shapes = {name: tensor.shape for name, tensor in net.state_dict().items()}
    groups, seen = [], set()
    for collection in pruner.collections:
        details = [d for d in collection.all_pruning_details() if d.name in names]
        members = tuple(dict.fromkeys((names[d.name], int(d.axis)) for d in details))
        producers = tuple(
            dict.fromkeys(names[d.name] for d in details if d.op.type() in PRODUCERS and int(d.axis) == 0)
        )
        simple = all(t in ONE_TO_ONE for d in details for t in d.transform)
        excluded = any(name.startswith(tuple(exclude)) for name in producers) if exclude else False
        if not producers or not simple or excluded or members in seen:
            continue
        sizes = {shapes[name][axis] for name, axis in members}
        if len(sizes) == 1:
            seen.add(members)
            groups.append(Group(producers[0], sizes.pop(), producers, members))
    return groups


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep PaddleSlim's page of remarks about what it does not prune from the user."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
