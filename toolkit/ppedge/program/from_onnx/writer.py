"""A program that grows operator by operator, from values by the names that an ONNX model has for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from paddle.base.proto import framework_pb2

from ppedge.program.from_onnx.model import OnnxModel
from ppedge.program.operator import Operator, Value
from ppedge.program.program import Program

_TENSOR, _FEED, _FETCH, _FLOAT32 = 7, 9, 10, 5  # of Paddle's VarType.Type
_OWN_NAME = re.compile(r"[\w/]+(\.[wb]_\d+)?")


class UnknownError(Exception):
    """An operator, or a form of one, that is not translated; the text goes on after the operator's name."""


class Writer:
    """A program with the input of an ONNX model, to which operators are added.

    Args:
        model: Where values come from.

    Attributes:
        model: Likewise.
        program: What has been written so far.
    """

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.program = Program(_empty(model), {})
        self._variables = {model.input: model.input}
        self._weights: dict[tuple[str, tuple[int, ...]], str] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a value's shape; -1 is a side that differs by input.

        Raises:
            UnknownError: It is computed from the picture's size alone.
        """
        constant = self.model.constant(name)
        if constant is None and name not in self.model.shapes:
            raise _computed(name)
        return tuple(constant.shape) if constant is not None else self.model.shapes[name]

    def constant(self, name: str) -> np.ndarray:
        """Return the array of an input that must be a constant.

        Raises:
            UnknownError: It is none.
        """
        array = self.model.constant(name)
        if array is None:
            raise UnknownError(f"with {name!r} computed from the picture, which must be a constant")
        return array

    def read(self, name: str) -> str:
        """Return the variable that holds a value, or the weight that holds a constant.

        Raises:
            UnknownError: Nothing has written it.
        """
        if name in self._variables:
            return self._variables[name]
        array = self.model.constant(name)
        if array is None:
            raise _computed(name)
        return self.weight(name, array)

    def weight(self, name: str, array: np.ndarray) -> str:
        """Return the weight that holds an array, float32, under a constant's name; equal ones are one weight.

        Raises:
            UnknownError: It is of another type.
        """
        if array.dtype != np.float32:
            raise UnknownError(f"with {name!r} of {array.dtype}; networks in float32 are brought in")
        array = np.array(array if array.ndim else array.reshape(1), order="C")
        key = (name, array.shape)
        kept = self._weights.get(key)
        if kept is None or not np.array_equal(self.program.weights[kept], array):
            kept = self._weights[key] = self.program.add_weight(_named(name), array, origin=name)
        return kept

    def variable(self, name: str) -> str:
        """Declare the variable of a value that an operator makes.

        Raises:
            UnknownError: It is not float32, or its number of axes differs by input.
        """
        kind, shape = self.model.types[name], self.model.shapes[name]
        if kind != "float32":
            raise UnknownError(f"which makes {kind}; networks in float32 are brought in")
        if not shape and any(self.model.sides[name]):
            raise UnknownError("which makes another number of axes of each input")
        made = self.program.add_variable(_named(name), self.model.input, shape)
        self._variables[name] = made
        return made

    def between(self, name: str, shape: Sequence[int]) -> str:
        """Declare a variable that the ONNX model does not have, after one that it has."""
        return self.program.add_variable(f"{_named(name)}.part", self.model.input, shape)

    def same(self, name: str, variable: str) -> None:
        """Let a value be a variable that is there already."""
        self._variables[name] = variable

    def put(
        self,
        kind: str,
        inputs: Mapping[str, Sequence[str]],
        outputs: Mapping[str, Sequence[str]],
        attributes: Mapping[str, Value] | None = None,
    ) -> None:
        """Add an operator, of variables and weights of the program."""
        self.program.operators.append(Operator.make(kind, inputs, outputs, attributes))

    def finish(self) -> Program:
        """Return the program, with its output."""
        attributes: dict[str, Value] = {"col": 0}
        self.put("fetch", {"X": [self.read(self.model.output)]}, {"Out": ["fetch"]}, attributes)
        self.program.origins.clear()  # these are the network's own weights
        return self.program


def _computed(name: str) -> UnknownError:
    return UnknownError(f"which reads {name!r}, a number computed from the picture's size")


def _named(name: str) -> str:
    """Return the name of a variable for that of a value: layers keep theirs, as ``conv2d_7.w_0``.

    Paddle2ONNX gives what it adds names such as ``Add.165``, and would take a value of that name for its own.
    """
    return name if _OWN_NAME.fullmatch(name) else f"onnx.{name}"


def _empty(model: OnnxModel) -> framework_pb2.ProgramDesc:
    """Return the description of a program that takes the model's input and does nothing with it."""
    description = framework_pb2.ProgramDesc()
    block = description.blocks.add(idx=0, parent_idx=-1)
    for name, kind in (("feed", _FEED), ("fetch", _FETCH)):
        variable = block.vars.add(name=name, persistable=True)
        variable.type.type = kind
    given = block.vars.add(name=model.input, need_check_feed=True)
    given.type.type = _TENSOR
    given.type.lod_tensor.tensor.data_type = _FLOAT32
    given.type.lod_tensor.tensor.dims.extend(model.shapes[model.input])
    feed = Operator.make("feed", {"X": ["feed"]}, {"Out": [model.input]}, {"col": 0})
    block.ops.append(feed.description)
    return description
