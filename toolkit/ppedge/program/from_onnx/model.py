"""What an ONNX file holds, in the form that is translated: operators, constants, and sides of what is between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FREE = -1
"""A side that differs by input."""


@dataclass(frozen=True)
class Node:
    """One operator.

    Attributes:
        type: As ONNX calls it.
        inputs: Names of values; empty for one that is left out.
        outputs: Likewise.
        attributes: By name.
        name: Of the node, for messages.
    """

    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        named = f"node {self.name!r}" if self.name else f"the node of {self.outputs[0]!r}"
        return f"{named}, operator {self.type}"


@dataclass
class OnnxModel:
    """A network of one input and one output.

    Attributes:
        where: The file, for messages.
        opset: Version of ONNX's operators.
        constants: By name.
        types: Of the values between operators, as NumPy names them.
        input: Name of the network's input.
        output: Of its output.
        metadata: What the file says of itself.
        nodes: In running order, without those that compute constants or sizes, or only hand a value on.
        sizes: Values computed from sizes alone, of each of the inputs that were tried.
        shapes: Of the values between operators; `FREE` for a side that differs by input.
        sides: Shapes of each of the inputs that were tried.
        notes: What the file leaves open and was decided here, for people.
    """

    where: str
    opset: int
    constants: dict[str, np.ndarray]
    types: dict[str, str]
    input: str
    output: str
    metadata: dict[str, str]
    nodes: list[Node] = field(default_factory=list)
    sizes: dict[str, list[np.ndarray]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    sides: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def constant(self, name: str) -> np.ndarray | None:
        """Return a constant's array; also of a size that was the same for all inputs. None for all others."""
        if name in self.constants:
            return self.constants[name]
        values = self.sizes.get(name)
        return values[0] if values and all(np.array_equal(one, values[0]) for one in values) else None

    def writer(self, name: str) -> Node | None:
        """Return the operator that makes a value."""
        return next((node for node in self.nodes if name in node.outputs), None)

    def readers(self, name: str) -> list[Node]:
        """Return the operators that read a value."""
        return [node for node in self.nodes if name in node.inputs]

    def only_reader(self, name: str) -> Node | None:
        """Return the operator that alone reads a value, once; None for others, and for the network's output."""
        readers = self.readers(name)
        if len(readers) != 1 or readers[0].inputs.count(name) != 1 or name == self.output:
            return None
        return readers[0]
