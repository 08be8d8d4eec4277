"""Cross-layer equalization: channels of one map get ranges alike before one clip is chosen for all of them.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019. There weights
have one step a layer and it is their ranges that are made alike. Here weights have a step an output channel, and what
loses precision is the map, which has one clip: so the ranges measured on the map take the place of the writer's
weights. A depthwise convolution has a step for each channel that it reads, so its map can be equalized entirely and for
nothing; for other readers it is the paper's compromise between the ranges of map and weights.

The network computes the same: what a BatchNorm makes smaller, the one convolution that reads it makes larger. That
holds only if nothing but positively homogeneous functions stand between, f(s x) = s f(x) for s > 0: ReLU and leaky
ReLU. It does not hold for hardswish, swish and ReLU6, nor through squeeze and excitation, whose gate reads the map too:
such places are left as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle

from ppedge.slim.channels.groups import program_of

HOMOGENEOUS = ("relu", "leaky_relu")
NORMS = ("batch_norm", "sync_batch_norm")
READERS = {"conv2d": 1, "depthwise_conv2d": 0, "conv2d_transpose": 0}
"""Operators, and the axis of the weight's input channels."""
SMALLEST = 1 / 64
"""Of a channel's factor: what is nearly always 0 is not made large."""


@dataclass(frozen=True)
class Place:
    """Where channels can be scaled without any change of what the network computes.

    Attributes:
        norm: Structured name of the BatchNorm that writes the map.
        reader: Structured name of the one convolution that reads it.
        axis: Of the reader's weight, its input channels.
        depthwise: The reader filters each channel by itself.
    """

    norm: str
    reader: str
    axis: int
    depthwise: bool


def places(net: paddle.nn.Layer, input_shape: Sequence[int]) -> list[Place]:
    """Return where a network can be equalized, in its own order.

    Args:
        net: A freshly built network; tracing leaves it changed, so it should serve no other purpose.
        input_shape: Of an input, for instance (1, 3, 64, 64).
    """
    program, names, outputs = program_of(net, input_shape)
    operators = program.global_block().ops
    read = Counter(name for op in operators for name in op.input_arg_names) + Counter(outputs)
    writer = {name: op for op in operators for name in op.output_arg_names}
    found = []
    for op in operators:
        place = _place(op, program.global_block(), names, read, writer) if op.type in READERS else None
        if place is not None:
            found.append(place)
    return found


def _place(op: Any, block: Any, names: dict[str, str], read: Counter[str], writer: dict[str, Any]) -> Place | None:
    """Return the place before a convolution, if there is one."""
    groups = int(op.attr("groups"))
    depthwise = op.type != "conv2d_transpose" and groups > 1 and groups == block.var(op.input("Filter")[0]).shape[0]
    if groups > 1 and not depthwise:
        return None
    variable = op.input("Input")[0]
    while read[variable] == 1 and variable in writer:
        before = writer[variable]
        if before.type in NORMS:
            norm, reader = (
                names[one].removesuffix(".weight") for one in (before.input("Scale")[0], op.input("Filter")[0])
            )
            return Place(norm, reader, 0 if depthwise else READERS[op.type], depthwise)
        if before.type not in HOMOGENEOUS:
            return None
        variable = before.input("X")[0]
    return None


def equalize(net: paddle.nn.Layer, where: Sequence[Place], pictures: Iterable[paddle.Tensor]) -> dict[str, float]:
    """Equalize a network in place.

    Args:
        net: A float network in eval mode.
        where: As `places` finds it.
        pictures: Inputs (N, 3, H, W).

    Returns:
        By reader, the largest range of a channel of its map divided by the median one, before.
    """
    layers = dict(net.named_sublayers())
    ranges = _ranges({place.reader: layers[place.reader] for place in where}, net, pictures)
    found = {}
    for place in (one for one in where if one.reader in ranges):  # a head of training alone does not run
        norm, reader, largest = layers[place.norm], layers[place.reader], ranges[place.reader]
        weight = reader.weight.numpy()
        factors = _factors(largest, weight, place)
        for part in (norm.weight, norm.bias):
            part.set_value(part.numpy() / factors)
        reader.weight.set_value(weight * factors.reshape([-1 if i == place.axis else 1 for i in range(weight.ndim)]))
        found[place.reader] = float(largest.max() / max(np.median(largest), 1e-12))
    return found


def _factors(largest: np.ndarray, weight: np.ndarray, place: Place) -> np.ndarray:
    """Return what the channels of a map are divided by: at most 1, so that none becomes smaller."""
    others = tuple(i for i in range(weight.ndim) if i != place.axis)
    factors = largest if place.depthwise else np.sqrt(largest / np.maximum(np.abs(weight).max(axis=others), 1e-12))
    whole = factors.max()
    alike = np.clip(factors / whole, SMALLEST, 1.0) if whole > 0 else np.ones_like(factors)
    return np.asarray(np.where(largest > 0, alike, 1.0), np.float32)


def _ranges(
    readers: dict[str, paddle.nn.Layer], net: paddle.nn.Layer, pictures: Iterable[paddle.Tensor]
) -> dict[str, np.ndarray]:
    """Return the largest magnitude of each channel that a layer is given, by layer."""
    found: dict[str, np.ndarray] = {}

    def watch(name: str) -> Callable[[paddle.nn.Layer, tuple[paddle.Tensor, ...]], None]:
        def hook(layer: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> None:
            largest = inputs[0].abs().max(axis=[0, 2, 3]).numpy()
            found[name] = np.maximum(found.get(name, largest), largest)

        return hook

    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in readers.items()]
    with paddle.no_grad():
        for picture in pictures:
            net(picture)
    for handle in handles:
        handle.remove()
    return found
