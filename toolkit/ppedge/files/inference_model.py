"""Checking an inference model (``.pdmodel`` and ``.pdiparams``) before a converter reads it.

Converters die of a damaged file, or worse: of a truncated ``.pdmodel``, opt 2.13-rc makes a ``.nb`` without operators
and ends well. So the files are read here first: the whole ``.pdmodel`` must be a protobuf message, and the
``.pdiparams`` must hold exactly the arrays that it names, in order and shape. Standard library only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path

from ppedge.errors import PpedgeError
from ppedge.files.protobuf import DamagedError, fields, integers, messages, text

# By Paddle's VarType.Type: type and bytes of one value.
_TYPES = {
    0: ("bool", 1), 1: ("int16", 2), 2: ("int32", 4), 3: ("int64", 8), 4: ("float16", 2), 5: ("float32", 4),
    6: ("float64", 8), 20: ("uint8", 1), 21: ("int8", 1), 22: ("bfloat16", 2),
}  # fmt: skip
_FEED, _FETCH = 9, 10
_TENSOR_HEADER = struct.Struct("<IQIi")  # version, levels of detail, version of the tensor, bytes of its description
_HINT = "Export the model again."
REMEMBERED = 4096
"""Descriptions of operators and of variables that are parsed once: programs that differ little are read one by one."""


@dataclass(frozen=True)
class Signature:
    """What a network takes and gives, and what it is made of.

    Attributes:
        inputs: Shape of each input; -1 is a free side.
        outputs: Shape of each output, likewise, as far as the exporter knew it.
        operators: Types of its operators.
    """

    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    operators: frozenset[str]


@dataclass(frozen=True)
class Weight:
    """An array of the weights file.

    Attributes:
        name: Of the network's variable, such as ``conv2d_0.w_0``; the file itself holds none.
        type: Of its values, as NumPy names it, or ``bfloat16``.
        shape: Of the array.
        values: In C order, little-endian.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    values: memoryview


@dataclass(frozen=True)
class InferenceModel:
    """The two files of an exported network.

    Attributes:
        model: The ``.pdmodel`` file: the network.
        params: The ``.pdiparams`` file: its weights.
    """

    model: Path
    params: Path

    @classmethod
    def at(cls, prefix: Path) -> InferenceModel:
        """The files whose names start with ``prefix``, as `paddle.jit.save` names them."""
        return cls(prefix.with_name(f"{prefix.name}.pdmodel"), prefix.with_name(f"{prefix.name}.pdiparams"))

    @property
    def info(self) -> Path:
        """The file that `paddle.jit.save` leaves beside the weights: a pickle of the names they had in the network."""
        return self.params.with_name(f"{self.params.name}.info")

    def check(self) -> None:
        """Check that both files are whole and belong together.

        Raises:
            PpedgeError: They are not; the sentence names the file and the cause.
        """
        self.weights()

    def weights(self) -> list[Weight]:
        """Return the arrays of the weights file, in its order, after checking that both files belong together.

        Raises:
            PpedgeError: As `check`.
        """
        program, weights = (_read(path) for path in (self.model, self.params))
        try:
            wanted = _parameters_of_program(program)
        except DamagedError as error:
            raise PpedgeError(f"{self.model}: damaged or not a .pdmodel file: {error}.", _HINT) from error
        try:
            found = list(_tensors(weights))
        except DamagedError as error:
            raise PpedgeError(f"{self.params}: damaged or not a .pdiparams file: {error}.", _HINT) from error
        if len(found) != len(wanted):
            cause = f"it holds {len(found)} arrays, the network has {len(wanted)}"
            raise PpedgeError(f"{self.params}: does not belong to {self.model}: {cause}.", _HINT)
        for (name, shape), (_, array, _) in zip(wanted, found, strict=True):
            if shape != array:
                cause = f"{name} has shape {list(array)}, the network wants {list(shape)}"
                raise PpedgeError(f"{self.params}: does not belong to {self.model}: {cause}.", _HINT)
        return [Weight(name, *tensor) for (name, _), tensor in zip(wanted, found, strict=True)]

    def signature(self) -> Signature:
        """Read what the network takes and gives.

        Raises:
            PpedgeError: The ``.pdmodel`` file is missing or damaged.
        """
        try:
            return _signature(_main_block(_read(self.model)))
        except DamagedError as error:
            raise PpedgeError(f"{self.model}: damaged or not a .pdmodel file: {error}.", _HINT) from error


def _read(path: Path) -> memoryview:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).", _HINT) from error
    if not data:
        raise PpedgeError(f"{path}: empty.", _HINT)
    return memoryview(data)


@dataclass(frozen=True)
class Operation:
    """One operator of a program.

    Attributes:
        type: Its name.
        inputs: Names of variables by slot.
        outputs: Likewise.
        attributes: Names of those that it has.
    """

    type: str
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    attributes: frozenset[str]

    @classmethod
    def parse(cls, message: bytes) -> Operation:
        """Read an operator's description."""
        return _parsed(message)


@lru_cache(maxsize=REMEMBERED)
def _parsed(message: bytes) -> Operation:
    kinds: list[str] = []
    slots: dict[int, dict[str, list[str]]] = {1: {}, 2: {}}
    attributes: list[str] = []
    for number, value in fields(memoryview(message)):
        if isinstance(value, int):
            continue
        if number in slots:  # what it reads, what it writes
            slot = "".join(text(name) for name in messages(value, 1))
            slots[number][slot] = [text(name) for name in messages(value, 2)]
        elif number == 3:
            kinds.append(text(value))
        elif number == 4:
            attributes += [text(name) for name in messages(value, 1)]
    return Operation("".join(kinds), slots[1], slots[2], frozenset(attributes))


def _parameters_of_program(data: memoryview) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of the parameters, in the order of the weights file, which is that of their names."""
    block = _main_block(data)
    if not {"feed", "fetch"} <= _signature(block).operators:
        raise DamagedError("its network has no input or no output")
    return sorted((name, shape) for name, shape, kept in _variables(block) if kept)


def _main_block(data: memoryview) -> memoryview:
    blocks = messages(data, 1)
    if not blocks:
        raise DamagedError("it holds no network")
    return blocks[0]


def _variables(block: memoryview) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Yield name and shape of each variable, and whether the weights file holds it."""
    return (_variable(bytes(message)) for message in messages(block, 3))


@lru_cache(maxsize=REMEMBERED)
def _variable(message: bytes) -> tuple[str, tuple[int, ...], bool]:
    variable = memoryview(message)
    persistable, name, kind = integers(variable, 3), messages(variable, 1), messages(variable, 2)
    if not name or not kind:
        raise DamagedError("a variable has no name or no type")
    tensors = [tensor for lod in messages(kind[0], 3) for tensor in messages(lod, 1)]
    shape = tuple(integers(tensors[0], 2)) if tensors else ()
    kept = any(persistable) and integers(kind[0], 1)[:1] not in ([_FEED], [_FETCH])
    return text(name[0]), shape, kept


def _signature(block: memoryview) -> Signature:
    shapes = {name: shape for name, shape, _ in _variables(block)}
    fed, fetched, operators = [], [], set()
    for message in messages(block, 4):
        operator = Operation.parse(bytes(message))
        operators.add(operator.type)
        if operator.type == "feed":
            fed += [name for names in operator.outputs.values() for name in names]
        elif operator.type == "fetch":
            fetched += [name for names in operator.inputs.values() for name in names]
    inputs, outputs = (tuple(shapes.get(name, ()) for name in names) for names in (fed, fetched))
    return Signature(inputs, outputs, frozenset(operators))


def _tensors(data: memoryview) -> Iterator[tuple[str, tuple[int, ...], memoryview]]:
    """Yield type, shape and values of each array of a weights file."""
    at = 0
    while at < len(data):
        start = at
        at += _TENSOR_HEADER.size
        if at > len(data):
            raise DamagedError(f"it ends too early, in the array at byte {start}")
        version, levels, tensor_version, size = _TENSOR_HEADER.unpack_from(data, start)
        if (version, levels, tensor_version) != (0, 0, 0) or not 0 < size <= 256:
            raise DamagedError(f"no array begins at byte {start}")
        if at + size > len(data):
            raise DamagedError(f"it ends too early, in the array at byte {start}")
        description = data[at : at + size]
        kinds, shape = integers(description, 1), tuple(integers(description, 2))
        if len(kinds) != 1 or kinds[0] not in _TYPES or any(side < 0 for side in shape):
            raise DamagedError(f"the array at byte {start} has no known type and shape")
        kind, item = _TYPES[kinds[0]]
        values, at = at + size, at + size + prod(shape) * item
        if at > len(data):
            raise DamagedError(f"it ends too early, in the array at byte {start}")
        yield kind, shape, data[values:at]
