"""An inference model in memory: its operators and weights, to be rewritten and written again.

The program is held as Paddle describes it, so that what no rewrite touches is written as it was read, to the byte.
Importing this module loads Paddle, whose description of programs it uses.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from paddle.base.proto import framework_pb2

from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel, Weight
from ppedge.program.operator import Operator
from ppedge.storage import atomic_write

_TENSOR, _FLOAT32 = 7, 5  # of Paddle's VarType.Type
_TYPES = {
    "bool": 0, "int16": 1, "int32": 2, "int64": 3, "float16": 4, "float32": 5, "float64": 6, "uint8": 20, "int8": 21,
}  # fmt: skip


class Program:
    """A network of one block of operators, and its weights.

    Args:
        description: Of the program, of one block; it is copied.
        weights: Its arrays by name.

    A pass of rewrites may rely on this: a variable of which `writer` returns an operator is written by that one alone,
    and `readers` are all that read it, ``fetch`` for an output of the network.

    Attributes:
        operators: In the order in which they run.
        weights: Arrays by name, never changed in place, so that copies of a program may share them. bfloat16 is held as
            uint16.
        origins: By the name of a weight that a rewrite has added, the name of the one that the network had for its
            layer.
    """

    def __init__(self, description: framework_pb2.ProgramDesc, weights: Mapping[str, np.ndarray]) -> None:
        self._description = framework_pb2.ProgramDesc()
        self._description.CopyFrom(description)
        block = self._description.blocks[0]
        self.operators = [Operator(one).copy() for one in block.ops]
        self._variables = {variable.name: _copied(variable) for variable in block.vars}
        self.weights = dict(weights)
        self.origins: dict[str, str] = {}

    @classmethod
    def read(cls, files: InferenceModel) -> Program:
        """Read an inference model.

        Raises:
            PpedgeError: A file is missing or damaged, or the network has control flow.
        """
        arrays = files.weights()  # checks that both files are whole
        description = framework_pb2.ProgramDesc()
        description.ParseFromString(files.model.read_bytes())
        if len(description.blocks) != 1:
            raise PpedgeError(
                f"{files.model}: has control flow, {len(description.blocks)} blocks of operators.",
                "Convert it as it is: --rewrite none.",
            )
        return cls(description, {one.name: _array(one) for one in arrays})

    def copy(self) -> Program:
        """Return a program of its own with the same operators and weights."""
        made = Program(self.described(), self.weights)
        made.origins = dict(self.origins)
        return made

    def described(self) -> framework_pb2.ProgramDesc:
        """Return Paddle's ``ProgramDesc`` of the program as it is now."""
        description = framework_pb2.ProgramDesc()
        description.CopyFrom(self._description)
        block = description.blocks[0]
        for field, content in (
            ("ops", [one.description for one in self.operators]),
            ("vars", self._variables.values()),
        ):
            block.ClearField(field)
            getattr(block, field).extend(content)
        return description

    def write(self, files: InferenceModel) -> None:
        """Write the program; equal programs give equal bytes. Each file appears whole or not at all."""
        with atomic_write(files.params) as file:
            for name in sorted(self.weights):
                file.write(self._tensor(name))
        with atomic_write(files.model) as file:
            file.write(self.described().SerializeToString(deterministic=True))

    def _tensor(self, name: str) -> bytes:
        """Return a weight as the weights file holds it."""
        array = self.weights[name]
        kind = self._variables[name].type.lod_tensor.tensor.data_type
        tensor = framework_pb2.VarType.TensorDesc(data_type=kind, dims=array.shape).SerializeToString()
        values = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        return struct.pack("<IQIi", 0, 0, 0, len(tensor)) + tensor + values

    @property
    def inputs(self) -> list[str]:
        """Names of the network's inputs, in order."""
        return [one.output("Out") for one in self.operators if one.type == "feed"]

    @property
    def outputs(self) -> list[str]:
        """Names of the network's outputs, in order."""
        return [one.input("X") for one in self.operators if one.type == "fetch"]

    @property
    def quantized(self) -> bool:
        """Whether it computes in part with values that are rounded to 8 bits."""
        return any(one.type.startswith("fake_") for one in self.operators)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a variable's shape as the exporter noted it: -1 is a side that differs by input; () if unknown."""
        variable = self._variables.get(name)
        return tuple(variable.type.lod_tensor.tensor.dims) if variable is not None else ()

    def writer(self, name: str) -> Operator | None:
        """Return the one operator that writes a variable; None if there is none, or several."""
        found = [one for one in self.operators if name in one.writes]
        return found[0] if len(found) == 1 else None

    def readers(self, name: str) -> list[Operator]:
        """Return the operators that read a variable, in their order."""
        return [one for one in self.operators if name in one.reads]

    def only_reader(self, name: str) -> Operator | None:
        """Return the operator that alone reads a variable, once; None for others, and if it is written repeatedly."""
        readers = self.readers(name)
        if len(readers) != 1 or readers[0].reads.count(name) != 1 or self.writer(name) is None:
            return None
        return readers[0]

    def constant(self, name: str) -> np.ndarray | None:
        """Return a weight's float32 array, or None if it is no weight, of another type, or changed by an operator."""
        array = self.weights.get(name)
        if array is None or self._variables[name].type.lod_tensor.tensor.data_type != _FLOAT32:
            return None
        # In inference a BatchNorm names its statistics as outputs too, and leaves them as they are.
        changing = [one for one in self.operators if name in one.writes and one.type != "batch_norm"]
        return None if changing else array

    def zeros(self, name: str) -> bool:
        """Whether a variable is filled with zeros, whatever the input."""
        writer = self.writer(name)
        if writer is None or not writer.type.startswith("fill_constant") or writer.inputs.get("ValueTensor"):
            return False
        return float(writer.get("str_value") or writer.get("value")) == 0  # of both, Paddle goes by the former

    def insert(self, operators: Sequence[Operator], before: Operator) -> None:
        """Put operators before another one."""
        at = self._at(before)
        self.operators[at:at] = operators

    def remove(self, operator: Operator) -> None:
        """Take an operator out; what reads its outputs must be given others."""
        del self.operators[self._at(operator)]

    def _at(self, operator: Operator) -> int:
        return next(k for k, one in enumerate(self.operators) if one is operator)

    def read_instead(self, old: str, new: str) -> None:
        """Let all that read a variable read another one; the network's outputs too."""
        for one in self.operators:
            for slot, names in one.inputs.items():
                if old in names:
                    one.set_input(slot, [new if name == old else name for name in names])

    def add_variable(self, stem: str, like: str, shape: Sequence[int] | None = None) -> str:
        """Declare an intermediate variable.

        Args:
            stem: What its name begins with.
            like: The variable that it is like: its type, and its shape.
            shape: If it has another one; -1 is a free side.

        Returns:
            Its name, which no other variable has.
        """
        variable = _copied(self._variables[like])
        variable.name = self._free(stem)
        variable.persistable = False
        for flag in ("is_parameter", "stop_gradient", "need_check_feed"):
            variable.ClearField(flag)
        if shape is not None:
            _set_shape(variable, shape)
        self._variables[variable.name] = variable
        return variable.name

    def add_weight(self, stem: str, array: np.ndarray, origin: str) -> str:
        """Add a weight.

        Args:
            stem: What its name begins with.
            array: Its values, of a type that Paddle has.
            origin: A weight of the layer that it belongs to, for reports.

        Returns:
            Its name, which no other variable has.
        """
        variable = framework_pb2.VarDesc(name=self._free(stem), persistable=True)
        variable.type.type = _TENSOR
        variable.type.lod_tensor.tensor.data_type = _TYPES[array.dtype.name]
        _set_shape(variable, array.shape)
        self._variables[variable.name] = variable
        self.weights[variable.name] = array
        self.origins[variable.name] = self.origins.get(origin, origin)
        return variable.name

    def set_weight(self, name: str, array: np.ndarray) -> None:
        """Give a weight other values, of its own type; its shape may change.

        Raises:
            TypeError: The array is of another type.
        """
        if array.dtype != self.weights[name].dtype:
            raise TypeError(f"{name} is {self.weights[name].dtype}, not {array.dtype}")
        self.weights[name] = array
        _set_shape(self._variables[name], array.shape)

    def drop_dead(self) -> list[Operator]:
        """Take out operators that no output depends on, and then variables and weights that none names.

        Returns:
            The operators that are gone.
        """
        needed: set[str] = set()
        dead = []
        for one in reversed(self.operators):
            if one.type in ("feed", "fetch") or not one.writes or needed.intersection(one.writes):
                needed.update(one.reads)
            else:
                dead.append(one)
        for one in dead:
            self.remove(one)
        named = {name for one in self.operators for name in (*one.reads, *one.writes)}
        self._variables = {name: variable for name, variable in self._variables.items() if name in named}
        self.weights = {name: array for name, array in self.weights.items() if name in named}
        return dead[::-1]

    def _free(self, stem: str) -> str:
        if stem not in self._variables:
            return stem
        return next(name for name in (f"{stem}.{k}" for k in range(1, len(self._variables) + 2))
                    if name not in self._variables)  # fmt: skip


def _array(weight: Weight) -> np.ndarray:
    kind = np.dtype("uint16" if weight.type == "bfloat16" else weight.type)
    return np.frombuffer(weight.values, kind.newbyteorder("<")).reshape(weight.shape)


def _copied(variable: framework_pb2.VarDesc) -> framework_pb2.VarDesc:
    made = framework_pb2.VarDesc()
    made.CopyFrom(variable)
    return made


def _set_shape(variable: framework_pb2.VarDesc, shape: Sequence[int]) -> None:
    dims = variable.type.lod_tensor.tensor.dims
    del dims[:]
    dims.extend(shape)
