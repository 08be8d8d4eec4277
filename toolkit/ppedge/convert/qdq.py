"""An int8 ONNX file from a float one and the scales that quantization-aware training learned.

Each quantized layer's weight becomes an int8 initializer with a DequantizeLinear per output channel, each quantized
tensor passes a QuantizeLinear and a DequantizeLinear with one scale. No scale is made up: what training left in float
(LSTM, excluded layers, the way from a convolution to its hardswish) stays float.

onnxruntime computes a convolution in integers if int8 goes in and comes out. Three rewritings, which change no result,
bring it there more often: BatchNormalization goes into the scales of the weight and into the bias; a QuantizeLinear
moves up through operators that only move values (nearest Resize, Concat and the like), to the convolutions above them;
and it moves up through a ReLU, which becomes a Clip of integers.

Paddle clips activations to [-127, 127]; QuantizeLinear's own lower end is -128, so a Clip of integers follows it where
a value may be that low. A Clip of floats before it would keep onnxruntime from computing the convolution above in
integers. Halves, which Paddle rounds away from zero and ONNX to even, are too rare to matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto

from ppedge.convert.qdq_graph import LEVELS, Graph
from ppedge.errors import PpedgeError
from ppedge.storage import atomic_write

OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "MatMul": 1}
"""Operators with a quantized weight, and the axis of the weight's output channels."""

SMALLEST_STEP = np.float32(1e-9)  # of an activation that training has only ever seen as 0
SMALLEST_SCALE = np.float32(1e-25)  # of a weight's channel; times an activation's step it is still a normal float32
LARGEST_BIAS = 2.0**30  # in steps, which an int32 holds twice over


@dataclass(frozen=True)
class Quantizer:
    """What training learned of one layer's 8 bits.

    Attributes:
        layer: The layer's name in the network.
        weight: Name of its weight in the float ONNX file.
        input_scale: Largest magnitude of its input that has a level: the input is rounded to multiples of
            ``input_scale / 127``.
    """

    layer: str
    weight: str
    input_scale: float


def to_qdq(source: Path, out: Path, quantizers: Iterable[Quantizer]) -> int:
    """Quantize a float ONNX file. Equal inputs give equal bytes.

    Args:
        source: The float network with the weights of quantization-aware training, opset 13 or newer.
        out: The int8 file.
        quantizers: Of all layers that are quantized.

    Returns:
        The number of quantized layers.

    Raises:
        PpedgeError: A quantized layer is not in the float file as a convolution or a matrix product; ``out`` is as
            before.
    """
    graph = Graph(onnx.load(str(source)))
    waiting = {quantizer.weight: quantizer for quantizer in quantizers}
    layers = [
        (node, waiting.pop(node.input[1]))
        for node in graph.nodes
        if node.op_type in OUTPUT_AXIS and node.input[1] in waiting
    ]
    if waiting or not layers:
        lost = ", ".join(sorted(quantizer.layer for quantizer in waiting.values())) or "all of them"
        raise PpedgeError(
            f"{out}: quantized layers are missing in {source.name}: {lost}.",
            "Leave onnx out of convert.formats, or int8 out of convert.precisions.",
        )
    weights = [_Weight.of(graph, node, quantizer) for node, quantizer in layers]
    for weight in weights:
        weight.node.input[0] = graph.quantized(weight.node.input[0], weight.step)
    for weight in weights:
        weight.place(graph)
    model = graph.model()
    onnx.checker.check_model(model, full_check=True)
    with atomic_write(out) as file:
        file.write(model.SerializeToString(deterministic=True))
    return len(layers)


def quantize_weight(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Round a weight to int8 by the largest magnitude of each channel, as Paddle does: halves away from zero.

    Args:
        weight: float32.
        axis: Of its output channels.

    Returns:
        The int8 weight, -127 to 127, and the float32 step of each channel, above 0.
    """
    others = tuple(i for i in range(weight.ndim) if i != axis)
    largest = np.maximum(np.abs(weight).max(axis=others, keepdims=True), SMALLEST_SCALE)
    levels = weight / largest * np.float32(LEVELS)
    rounded = np.trunc(levels + np.copysign(np.float32(0.5), levels))
    return rounded.astype(np.int8), largest.ravel() / np.float32(LEVELS)


@dataclass
class _Weight:
    """A layer's weight in 8 bits, with the bias and BatchNormalization behind the layer in it.

    Attributes:
        node: The layer.
        step: Of its input.
        levels: int8.
        scale: float32, the step of each output channel.
        bias: float64, for each output channel, if there is any.
    """

    node: NodeProto
    step: np.float32
    levels: np.ndarray
    scale: np.ndarray
    bias: np.ndarray | None

    @classmethod
    def of(cls, graph: Graph, node: NodeProto, quantizer: Quantizer) -> _Weight:
        """Quantize a weight, and take out of the graph what can be done with it."""
        step = np.maximum(np.float32(quantizer.input_scale) / np.float32(LEVELS), SMALLEST_STEP)
        axis = OUTPUT_AXIS[node.op_type]
        levels, scale = quantize_weight(graph.constants[node.input[1]], axis)
        if node.op_type == "MatMul":
            return cls(node, step, levels, scale, None)
        factor, bias = _behind(graph, node, len(scale))
        levels = np.where(_along(factor, levels, axis) < 0, -levels, levels)
        return cls(node, step, levels, np.maximum(scale * np.abs(factor), SMALLEST_SCALE).astype(np.float32), bias)

    def place(self, graph: Graph) -> None:
        """Put weight and bias into the graph: the bias in integers if onnxruntime can compute the layer so.

        Elsewhere a float bias is exact, and an integer one would turn some roundings over.
        """
        name, bias = self.node.input[1], self.bias
        integers = self.node.op_type == "Conv" and graph.only_quantized(self.node.output[0])
        if bias is not None and integers:
            self._make_room(bias)
        axis = OUTPUT_AXIS[self.node.op_type]
        graph.constants[name] = self.levels
        self.node.input[1] = graph.dequantized(name, self.scale, axis)
        if bias is None:
            return
        del self.node.input[2:]
        added = f"{name}.bias"
        if integers:
            steps = self.step * self.scale
            graph.constants[added] = np.rint(bias / steps).astype(np.int32)
            added = graph.dequantized(added, steps, 0)
        else:
            graph.constants[added] = bias.astype(np.float32)
        self.node.input.append(added)

    def _make_room(self, bias: np.ndarray) -> None:
        """Widen the step of a channel whose weights are next to nothing beside its bias.

        The bias would need more steps than an int32 has. What the weights lose is less than a millionth of the bias.
        """
        wider = np.maximum(self.scale, (np.abs(bias) / (self.step * LARGEST_BIAS)).astype(np.float32))
        self.levels = np.rint(self.levels * _along(self.scale / wider, self.levels, 0)).astype(np.int8)
        self.scale = wider


def _along(values: np.ndarray, like: np.ndarray, axis: int) -> np.ndarray:
    """Shape one value for each channel so that it broadcasts."""
    return values.reshape([-1 if i == axis else 1 for i in range(like.ndim)])


def _behind(graph: Graph, node: NodeProto, channels: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Take bias and BatchNormalization that follow a convolution out of the graph: what they do to each channel.

    Returns:
        float64: a factor and, if there is any, what is added after it.
    """
    factor = np.ones(channels)
    bias = graph.constants[node.input[2]].astype(np.float64) if len(node.input) > 2 else None
    while (follower := graph.only_consumer(node.output[0])) is not None:
        others = [name for name in follower.input if name != node.output[0]]
        if not others or not all(name in graph.constants for name in others):
            break
        if follower.op_type == "BatchNormalization":
            gamma, beta, mean, variance = (graph.constants[name].astype(np.float64) for name in others)
            epsilon = next((a.f for a in follower.attribute if a.name == "epsilon"), 1e-5)
            times = gamma / np.sqrt(variance + epsilon)
            factor, bias = factor * times, beta + times * ((0 if bias is None else bias) - mean)
        elif follower.op_type == "Add" and _per_channel(graph.constants[others[0]], channels):
            bias = (0 if bias is None else bias) + graph.constants[others[0]].astype(np.float64).ravel()
        else:
            break
        graph.remove(follower)
        node.output[0] = follower.output[0]
    return factor, bias


def _per_channel(constant: np.ndarray, channels: int) -> bool:
    """Whether a constant holds one value for each channel of NCHW."""
    return constant.size == channels and constant.shape[-3:] == (channels, 1, 1)
