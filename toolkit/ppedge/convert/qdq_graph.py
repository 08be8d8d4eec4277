"""An ONNX network into which QuantizeLinear and DequantizeLinear are put.

A QuantizeLinear moves up through operators that only move values (nearest Resize, Concat and the like), to the
convolutions above them, and through a ReLU, which becomes a Clip of integers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

LEVELS = 127
# Operators that put out values of their inputs and no others, so that quantizing commutes with them.
_MOVES = ("Concat", "MaxPool", "Reshape", "Resize", "Squeeze", "Transpose", "Unsqueeze")
_HARDSWISH_LEAST = 0.375  # hardswish(-1.5) = -0.375 is its least value


class Graph:
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
        elif producer.op_type == "HardSwish" and step * LEVELS > _HARDSWISH_LEAST:
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
    return node.op_type in _MOVES
