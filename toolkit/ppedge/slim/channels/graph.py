"""Which channels of a network are one and the same: labels that are followed through its operators.

Every channel that a convolution produces gets a label of its own. Operators that work channel by channel hand labels
on, a concatenation lines them up, an addition makes two labels one, and whatever reads or normalises a channel notes
its label at the index of the parameter that belongs to it. A map (N, C, H, W) may become tokens (N, T, C): which axis
of a variable the labels are of is followed too. Nothing is said of a channel that goes through an operator which is not
known here, comes from outside, or leaves the network: its label is pinned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

Labels = list[int]
Touch = tuple[str, int, int]
"""A parameter's structured name, an axis, and an index on it."""

CHANNELWISE = frozenset(
    "relu relu6 leaky_relu swish hard_swish hard_sigmoid sigmoid tanh gelu silu dropout cast scale clip assign "
    "isnan_v2 fill_any_like".split()
)
SPATIAL = ("pool2d", "nearest_interp_v2", "bilinear_interp_v2")
ELEMENTWISE = frozenset("elementwise_add elementwise_sub elementwise_mul elementwise_div elementwise_max".split())
NORMS = ("batch_norm", "sync_batch_norm")
CONVOLUTIONS = ("conv2d", "depthwise_conv2d")
RESHAPES = ("reshape2", "unsqueeze2")
MOVES = ("transpose2", "reshape2", "squeeze2")


class ChannelGraph:
    """The labels of a program.

    Args:
        program: A static Paddle program of one block, as tracing a network gives it.
        names: Structured names of the network's parameters and buffers by their names in the program.
        outputs: Names of the program's variables that leave the network.

    Attributes:
        produced: (weight, axis) of the convolutions and matrix products that produce labels, in the program's order.
        touches: For each label that may be pruned, by its representative: where it is found, in the program's order.
    """

    def __init__(self, program: Any, names: Mapping[str, str], outputs: Iterable[str]) -> None:
        self._names = names
        self._block = program.global_block()
        self._parent: list[int] = []
        self._pinned: set[int] = set()
        self._of: dict[str, Labels] = {}
        self._axis: dict[str, int] = {}  # of a variable's labels where it is not 1
        self._alias: dict[str, str] = {}
        self._noted: dict[tuple[str, int], Labels] = {}
        self.produced: list[tuple[str, int]] = []
        for op in self._block.ops:
            self._follow(op)
        for name in outputs:
            self._pin(self._labels(name))
        self.touches = self._collect()

    def _collect(self) -> dict[int, list[Touch]]:
        pinned = {self._root(label) for label in self._pinned}
        found: dict[int, list[Touch]] = {}
        for (name, axis), labels in self._noted.items():
            for index, label in enumerate(labels):
                root = self._root(label)
                if root not in pinned:
                    found.setdefault(root, []).append((name, axis, index))
        return found

    def _follow(self, op: Any) -> None:
        kind = op.type
        if kind in CONVOLUTIONS:
            self._convolution(op)
        elif kind == "conv2d_transpose":
            self._transposed(op)
        elif kind == "matmul_v2" and self._is_linear(op):
            self._linear(op)
        elif kind in NORMS and self._axis_of(op.input("X")[0]) == 1:
            labels = self._labels(op.input("X")[0])
            for slot in ("Scale", "Bias", "Mean", "Variance"):
                self._note(op.input(slot)[0], 0, labels)
            self._hand_on(op.input("X")[0], op.output("Y")[0])
        elif kind in ELEMENTWISE:
            self._elementwise(op)
        elif kind in RESHAPES and self._is_channel_vector(op):
            self._alias[op.output("Out")[0]] = op.input("X")[0]
        elif self._is_channelwise(op):
            self._hand_on(op.input("X")[0], op.output("Out")[0])
        elif kind in MOVES and self._moved(op) is not None:
            self._hand_on(op.input("X")[0], op.output("Out")[0], self._moved(op))
        elif kind == "concat" and {int(op.attr("axis")), *map(self._axis_of, op.input("X"))} == {1}:
            self._of[op.output("Out")[0]] = [label for name in op.input("X") for label in self._labels(name)]
        elif kind == "where":
            self._choice(op)
        else:
            self._unknown(op)

    def _convolution(self, op: Any) -> None:
        labels, weight = self._map_labels(op.input("Input")[0]), op.input("Filter")[0]
        shape, groups = self._block.var(weight).shape, int(op.attr("groups"))
        if groups == 1:
            self._note(weight, 1, labels)
            made = self._produce(weight, 0, shape[0])
        elif groups == len(labels) == shape[0]:
            self._note(weight, 0, labels)
            made = labels
        else:
            self._pin(labels)
            made = self._pin(self._fresh(shape[0]))
        self._of[op.output("Output")[0]] = made

    def _transposed(self, op: Any) -> None:
        labels, weight = self._map_labels(op.input("Input")[0]), op.input("Filter")[0]
        shape = self._block.var(weight).shape
        if int(op.attr("groups")) == 1:
            self._note(weight, 0, labels)
            made = self._produce(weight, 1, shape[1])
        else:
            self._pin(labels)
            made = self._pin(self._fresh(shape[1] * int(op.attr("groups"))))
        self._of[op.output("Output")[0]] = made

    def _is_channelwise(self, op: Any) -> bool:
        if op.type in SPATIAL:
            return self._axis_of(op.input("X")[0]) == 1
        return op.type in CHANNELWISE and bool(op.input("X"))

    def _is_linear(self, op: Any) -> bool:
        """Whether an operator multiplies a variable by a matrix that is a parameter, as it stands."""
        weight = op.input("Y")[0]
        return (
            self._parameter(weight) == weight
            and len(self._block.var(weight).shape) == 2
            and not (op.attr("trans_x") or op.attr("trans_y"))
        )

    def _linear(self, op: Any) -> None:
        given, weight, made = op.input("X")[0], op.input("Y")[0], op.output("Out")[0]
        labels = self._labels(given)
        inputs, outputs = self._block.var(weight).shape
        if self._axis_of(given) != self._rank(given) - 1 or len(labels) != inputs:
            self._pin(labels)
            labels = self._pin(self._fresh(inputs))
        self._note(weight, 0, labels)
        self._of[made] = self._produce(weight, 1, outputs)
        self._axis[made] = self._rank(made) - 1

    def _moved(self, op: Any) -> int | None:
        """Return the axis that an operator that moves axes leaves the labels at, or None if it mixes channels."""
        given, made = op.input("X")[0], op.output("Out")[0]
        if self._parameter(given) is not None:
            return None
        axis = self._axis_of(given)
        before, after = (list(self._block.var(name).shape) for name in (given, made))
        if op.type == "transpose2":
            return list(op.attr("axis")).index(axis)
        if op.type == "squeeze2":
            gone = [number % len(before) for number in op.attr("axes")]
            return None if axis in gone or not gone else axis - sum(number < axis for number in gone)
        return axis if before[: axis + 1] == after[: axis + 1] else None

    def _hand_on(self, given: str, made: str, axis: int | None = None) -> None:
        """Give one variable the labels of another, on the same axis unless another one is named."""
        self._of[made] = self._labels(given)
        self._axis[made] = self._axis_of(given) if axis is None else axis

    def _axis_of(self, name: str) -> int:
        return self._axis.get(name, 1)

    def _rank(self, name: str) -> int:
        return len(self._block.var(name).shape)

    def _elementwise(self, op: Any) -> None:
        left, right, made = op.input("X")[0], op.input("Y")[0], op.output("Out")[0]
        if prod(self._block.var(left).shape) == 1:  # one number before a map, which all channels have in common
            left, right = right, left
        first = self._labels(left)
        # A vector that has not been given a channel's shape counts from the axis asked for, mostly the last.
        axis, rank = self._axis_of(left), self._rank(left)
        counted = range(rank)[int(op.attr("axis"))] if abs(int(op.attr("axis"))) < rank else None
        shaped = right in self._alias and axis == 1
        if shaped or (self._parameter(right) == right and self._rank(right) == 1 and counted == axis and first):
            self._note(self._alias.get(right, right), 0, first)
            self._hand_on(left, made)
            return
        second = self._labels(right)
        if first and len(first) == len(second) and axis == self._axis_of(right) and rank == self._rank(right):
            self._join_all(first, second)
            self._hand_on(left, made)
        elif prod(self._block.var(right).shape) == 1:
            self._hand_on(left, made)
        else:  # channels are broadcast, or a map meets something else: none may go
            self._unknown(op)

    def _choice(self, op: Any) -> None:
        """Follow an operator that takes each value from one of two maps, as a third one says."""
        first, *others = (self._labels(op.input(slot)[0]) for slot in ("X", "Y", "Condition"))
        if any(len(labels) != len(first) for labels in others):
            self._unknown(op)
            return
        for labels in others:
            self._join_all(first, labels)
        self._hand_on(op.input("X")[0], op.output("Out")[0])

    def _unknown(self, op: Any) -> None:
        for name in op.input_arg_names:
            parameter = self._parameter(name)
            if parameter is None:
                self._pin(self._labels(name))
            else:
                for axis, size in enumerate(self._block.var(parameter).shape):
                    self._note(parameter, axis, self._pin(self._fresh(size)))

    def _parameter(self, name: str) -> str | None:
        name = self._alias.get(name, name)
        return name if name in self._names else None

    def _is_channel_vector(self, op: Any) -> bool:
        """Whether an operator gives a parameter (C,) the shape (1, C, 1, 1)."""
        parameter = self._parameter(op.input("X")[0])
        if parameter is None:
            return False
        own = tuple(self._block.var(parameter).shape)
        return len(own) == 1 and tuple(self._block.var(op.output("Out")[0]).shape) == (1, *own, 1, 1)

    def _labels(self, name: str) -> Labels:
        """The labels of a variable's channels; what is met for the first time comes from outside."""
        if name not in self._of:
            shape = self._block.var(name).shape
            self._of[name] = self._pin(self._fresh(shape[1] if len(shape) == 4 and shape[1] > 0 else 0))
        return self._of[name]

    def _map_labels(self, name: str) -> Labels:
        """The labels of a map's channels; where labels of another axis have come there, pinned ones."""
        labels = self._labels(name)
        if self._axis_of(name) == 1:
            return labels
        self._pin(labels)
        return self._pin(self._fresh(self._block.var(name).shape[1]))

    def _produce(self, weight: str, axis: int, count: int) -> Labels:
        labels = self._fresh(count)
        self._note(weight, axis, labels)
        self.produced.append((self._names[weight], axis))
        return labels

    def _note(self, parameter: str, axis: int, labels: Labels) -> None:
        """Say that index i of a parameter's axis belongs to the i-th label; a second use makes two labels one."""
        if tuple(self._block.var(parameter).shape[axis : axis + 1]) != (len(labels),):
            self._pin(labels)
            labels = self._pin(self._fresh(self._block.var(parameter).shape[axis]))
        self._join_all(self._noted.setdefault((self._names[parameter], axis), labels), labels)

    def _fresh(self, count: int) -> Labels:
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return list(range(start, start + count))

    def _pin(self, labels: Labels) -> Labels:
        self._pinned.update(labels)
        return labels

    def _root(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label

    def _join_all(self, one: Labels, other: Labels) -> None:
        for pair in zip(one, other, strict=True):
            first, second = sorted(map(self._root, pair))
            self._parent[second] = first


def signatures(touches: Mapping[int, Sequence[Touch]]) -> dict[tuple[tuple[str, int], ...], list[Sequence[Touch]]]:
    """Put channels together that are found on the same axes of the same parameters: they may stand for one another."""
    found: dict[tuple[tuple[str, int], ...], list[Sequence[Touch]]] = {}
    for channel in touches.values():
        found.setdefault(tuple((name, axis) for name, axis, _ in channel), []).append(channel)
    return found
