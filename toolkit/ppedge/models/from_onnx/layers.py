"""The layers of an ONNX file that have weights.

As a program, this is the child process that reads one: of a damaged file, protobuf's library prints what it likes, or
aborts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppedge.files.onnx import characters_of, require_readable
from ppedge.process import run_module
from ppedge.scratch import scratch
from ppedge.storage import read_json, write_json

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

CONVOLUTIONS = ("Conv", "ConvTranspose")
_COUNTER = re.compile(r"_(\d+)\.w_\d+$")
_SAME = ("Identity", "Dropout", "Squeeze", "Unsqueeze")
"""Operators that hand values on as they are."""
_NORM = ("scale", "offset", "mean", "variance")


@dataclass
class FileLayer:
    """A layer of a file.

    Attributes:
        kind: ``Conv``, ``ConvTranspose``, ``MatMul``, or ``Affine``: a product with one number or one for each channel,
            and a sum, as a layer norm ends with.
        number: Paddle's running number in the weight's name, which counts layers of a kind as they were made; None
            where the name has been lost.
        arrays: ``weight`` and perhaps ``bias``; with BatchNorm behind it ``scale``, ``offset``, ``mean``, ``variance``.
        epsilon: Of that BatchNorm.
    """

    kind: str
    number: int | None
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    epsilon: float = 0.0


@dataclass(frozen=True)
class FileLayers:
    """What a file holds.

    Attributes:
        layers: In the order of running.
        characters: What a recogniser's classes from 1 on read as, if the file says it.
    """

    layers: list[FileLayer]
    characters: list[str] | None


def read_layers(path: Path) -> FileLayers:
    """Read the layers of an ONNX file that have weights.

    Args:
        path: The file, with its weights inside.

    Raises:
        MissingError: The package onnx is not installed.
        PpedgeError: The file is missing or damaged.
    """
    require_readable(path, "Name an .onnx file.")
    with scratch("onnx") as folder:
        table, arrays = folder / "layers.json", folder / "arrays.npz"
        run_module(__name__, [path, table, arrays], f"Reading {path}", cause="It is damaged or not an ONNX file.")
        found: dict[str, Any] = read_json(table)
        with np.load(arrays, allow_pickle=False) as kept:
            layers = [
                FileLayer(
                    row["kind"],
                    row["number"],
                    {part: kept[f"{place}.{part}"] for part in row["arrays"]},
                    row["epsilon"],
                )
                for place, row in enumerate(found["layers"])
            ]
    return FileLayers(layers, found["characters"])


class _Graph:
    """Constants and connections of a model's graph."""

    def __init__(self, model: ModelProto) -> None:
        from onnx import numpy_helper

        self.nodes = list(model.graph.node)
        tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in self.nodes:
            values = [one.t for one in node.attribute if one.name == "value"]
            if node.op_type == "Constant" and values:
                tensors[node.output[0]] = values[0]
        arrays = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
        self.constants: dict[str, np.ndarray] = {
            name: array.astype(np.float32) for name, array in arrays.items() if array.dtype.kind == "f" and array.size
        }
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            if node.op_type in _SAME and node.input[0] in self.constants:
                self.constants[node.output[0]] = self.constants[node.input[0]]
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def after(self, name: str) -> NodeProto | None:
        """Return the only node that reads a value, past those that hand it on as it is; None if there are several."""
        while True:
            nodes = self.readers.get(name, [])
            if len(nodes) != 1:
                return None
            if nodes[0].op_type not in _SAME:
                return nodes[0]
            name = nodes[0].output[0]

    def constant_of(self, node: NodeProto | None, kind: str, size: int) -> np.ndarray | None:
        """Return what a node of a kind adds or multiplies for each of so many channels; None if it is no such node."""
        if node is None or node.op_type != kind:
            return None
        [*found] = [self.constants[name] for name in node.input if name in self.constants]
        return found[0].ravel() if len(found) == 1 and found[0].size == size and found[0].ndim else None


def layers_of(model: ModelProto) -> Iterator[FileLayer]:
    """Yield the layers of a model that have weights, in the order of running."""
    graph = _Graph(model)
    for node in graph.nodes:
        weights = [name for name in node.input[1:2] if name in graph.constants and graph.constants[name].ndim > 1]
        if node.op_type in (*CONVOLUTIONS, "MatMul") and weights:
            yield _layer(graph, node, weights[0])
        elif node.op_type == "Mul":
            yield from _affine(graph, node)


def _layer(graph: _Graph, node: NodeProto, name: str) -> FileLayer:
    weight = graph.constants[name]
    layer = FileLayer(node.op_type, running_number(name), {"weight": weight})
    groups = next((one.i for one in node.attribute if one.name == "group"), 1)
    size = {"Conv": weight.shape[0], "ConvTranspose": weight.shape[1] * groups}.get(node.op_type, weight.shape[-1])
    if len(node.input) > 2 and node.input[2] in graph.constants:
        layer.arrays["bias"] = graph.constants[node.input[2]]
    behind = graph.after(node.output[0])
    added = graph.constant_of(behind, "Add", size)
    if behind is not None and added is not None:
        layer.arrays["bias"] = layer.arrays.get("bias", 0) + added
        behind = graph.after(behind.output[0])
    if behind is not None and behind.op_type == "BatchNormalization":
        layer.arrays |= {part: graph.constants[name] for part, name in zip(_NORM, behind.input[1:5], strict=True)}
        layer.epsilon = next((one.f for one in behind.attribute if one.name == "epsilon"), 1e-5)
    return layer


def _affine(graph: _Graph, node: NodeProto) -> Iterator[FileLayer]:
    """Yield a product with a weight of its own and the sum behind it, if that is what a product is."""
    for name in node.input:
        weight = graph.constants.get(name)
        if weight is None or weight.ndim != 1:
            continue
        bias = graph.constant_of(graph.after(node.output[0]), "Add", weight.size)
        if bias is not None:
            yield FileLayer("Affine", running_number(name), {"weight": weight, "bias": bias})


def running_number(name: str) -> int | None:
    """Return the number in a weight's name in Paddle, such as ``conv2d_12.w_0``; None if there is none."""
    match = _COUNTER.search(name)
    return int(match[1]) if match else None


def _main(path: Path, table: Path, arrays: Path) -> None:
    import onnx

    model = onnx.load(str(path))
    found = list(layers_of(model))
    rows = [
        {"kind": one.kind, "number": one.number, "arrays": list(one.arrays), "epsilon": one.epsilon} for one in found
    ]
    carried = {entry.key: entry.value for entry in model.metadata_props}
    kept = {f"{place}.{part}": array for place, one in enumerate(found) for part, array in one.arrays.items()}
    np.savez(arrays, **kept)
    write_json(table, {"layers": rows, "characters": characters_of(carried)})


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
