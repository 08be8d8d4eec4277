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

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from ppedge.errors import PpedgeError
from ppedge.storage import atomic_write

LEVELS = 127
OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "MatMul": 1}
"""Operators with a quantized weight, and the axis of the weight's output channels."""

# Operators that put out values of their inputs and no others, so that quantizing commutes with them.
MOVES = ("Concat", "MaxPool", "Reshape", "Resize", "Squeeze", "Transpose", "Unsqueeze")
SMALLEST_STEP = np.float32(1e-9)  # of an activation that training has only ever seen as 0
SMALLEST_SCALE = np.float32(1e-25)  # of a weight's channel; times an activation's step it is still a normal float32
HARDSWISH_LEAST = 0.375  # hardswish(-1.5) = -0.375 is its least value
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
    graph = _Graph(onnx.load(str(source)))
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
    def of(cls, graph: _Graph, node: NodeProto, quantizer: Quantizer) -> _Weight:
        """Quantize a weight, and take out of the graph what can be done with it."""
        step = np.maximum(np.float32(quantizer.input_scale) / np.float32(LEVELS), SMALLEST_STEP)
        axis = OUTPUT_AXIS[node.op_type]
        levels, scale = quantize_weight(graph.constants[node.input[1]], axis)
        if node.op_type == "MatMul":
            return cls(node, step, levels, scale, None)
        factor, bias = _behind(graph, node, len(scale))
        levels = np.where(_along(factor, levels, axis) < 0, -levels, levels)
        return cls(node, step, levels, np.maximum(scale * np.abs(factor), SMALLEST_SCALE).astype(np.float32), bias)

    def place(self, graph: _Graph) -> None:
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


def _behind(graph: _Graph, node: NodeProto, channels: int) -> tuple[np.ndarray, np.ndarray | None]:
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


class _Graph:
    """An ONNX network that is being rewritten.

    Attributes:
        nodes: Without the constants.
        constants: Initializers and Constant nodes, by name.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self.nodes: list[NodeProto] = []
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            else:
                self.nodes.append(node)
        self._behind: dict[str, list[NodeProto]] = defaultdict(list)
        self._pairs: dict[tuple[str, np.float32], str] = {}

    def only_consumer(self, name: str) -> NodeProto | None:
        """The node that reads a value, if it is the only one and the value is no output of the network."""
        found = [node for node in self.nodes if name in node.input]
        outputs = {value.name for value in self._model.graph.output}
        return found[0] if len(found) == 1 and name not in outputs else None

    def only_quantized(self, name: str) -> bool:
        """Whether nothing reads a value but one QuantizeLinear."""
        read = any(name in node.input for node in self.nodes)
        return not read and [node.op_type for node in self._behind[name]] == ["QuantizeLinear"]

    def remove(self, node: NodeProto) -> None:
        """Take a node out."""
        self.nodes = [other for other in self.nodes if other is not node]

    def dequantized(self, name: str, scale: np.ndarray, axis: int | None = None) -> str:
        """Put a DequantizeLinear behind a constant and return what it puts out.

        Args:
            name: Of an integer constant.
            scale: The step of each channel.
            axis: Of the channels.
        """
        parameters = self._parameters(name, scale, self.constants[name].dtype)
        return self._append("DequantizeLinear", [name, *parameters], f"{name}.dequantized", axis=axis)

    def quantized(self, name: str, step: np.float32) -> str:
        """Put a QuantizeLinear and a DequantizeLinear behind a value, once, and return what they put out."""
        if (name, step) in self._pairs:
            return self._pairs[name, step]
        prefix = f"{name}.{sum(other == name for other, _ in self._pairs)}"
        parameters = self._parameters(prefix, np.array(step), np.dtype(np.int8))
        producer = next((node for node in self.nodes if name in node.output), NodeProto())
        # What was quantized by another step before reads the value too, behind it.
        alone = self.only_consumer(name) is not None and not self._behind[name]
        source = name
        least: int | None = -LEVELS
        if alone and producer.op_type == "Relu":
            self.remove(producer)
            source, least = producer.input[0], 0
        elif alone and _moves(producer):
            for i in range(len(producer.input) if producer.op_type == "Concat" else 1):
                producer.input[i] = self.quantized(producer.input[i], step)
            least = None  # what comes is clipped already
        elif producer.op_type == "HardSwish" and step * LEVELS > HARDSWISH_LEAST:
            least = None
        levels = self._append("QuantizeLinear", [source, *parameters], f"{prefix}.quantized")
        if least is not None:
            self.constants[f"{prefix}.least"] = np.array(least, np.int8)
            levels = self._append("Clip", [levels, f"{prefix}.least"], f"{prefix}.clipped")
        output = self._append("DequantizeLinear", [levels, *parameters], f"{prefix}.dequantized")
        self._pairs[name, step] = output
        return output

    def _parameters(self, prefix: str, scale: np.ndarray, kind: np.dtype[Any]) -> list[str]:
        self.constants[f"{prefix}.scale"] = scale
        self.constants[f"{prefix}.zero"] = np.zeros(scale.shape, kind)
        return [f"{prefix}.scale", f"{prefix}.zero"]

    def _append(self, kind: str, inputs: list[str], output: str, axis: int | None = None) -> str:
        """Put a node behind the value that is its first input."""
        axes = {} if axis is None else {"axis": axis}
        self._behind[inputs[0]].append(helper.make_node(kind, inputs, [output], name=output, **axes))
        return output

    def model(self) -> onnx.ModelProto:
        """Return the rewritten network: constants as initializers, nodes in an order in which they can run."""
        nodes = [node for name in list(self._sources()) for node in self._emit_behind(name)]
        for node in self.nodes:
            nodes.append(node)
            nodes += [new for name in node.output for new in self._emit_behind(name)]
        used = {name for node in nodes for name in node.input}
        graph = self._model.graph
        tensors = [numpy_helper.from_array(a, name) for name, a in self.constants.items() if name in used]
        made = helper.make_graph(nodes, graph.name, graph.input, graph.output, tensors)
        return helper.make_model(
            made, opset_imports=self._model.opset_import, ir_version=self._model.ir_version, producer_name="ppedge"
        )

    def _sources(self) -> Iterator[str]:
        yield from self.constants
        yield from (value.name for value in self._model.graph.input)

    def _emit_behind(self, name: str) -> Iterator[NodeProto]:
        for node in self._behind.get(name, []):
            yield node
            yield from self._emit_behind(node.output[0])


def _moves(node: NodeProto) -> bool:
    if node.op_type == "Resize":
        return any(a.name == "mode" and a.s == b"nearest" for a in node.attribute)
    return node.op_type in MOVES
