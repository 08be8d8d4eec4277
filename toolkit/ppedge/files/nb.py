"""Reading Paddle Lite's ``.nb`` file ("naive buffer", meta version 2), with the standard library alone.

    u16 meta version = 2 | char[16] version of opt | u64 size of the topology | topology (FlatBuffers)
    u16 = 0 | u16 = 0 | u16 size of the next two = 6 | u16 number of parameters | u32 bytes of the largest
    for each parameter: u32 size | u32 offset = 4 | description and values (FlatBuffers)

What opt 2.13-rc makes of a network trained with quantization (every Conv2D, Conv2DTranspose and Linear quantized):
conv2d, depthwise_conv2d, conv2d_transpose and fc all get int8 kernels and int8 weights. Hardswish is fused into an int8
conv2d, but not into a depthwise_conv2d, which then gives float (``fp32_out``) and is followed by hard_swish in float
and a calib operator. conv2d_transpose always gives float, and its bias and BatchNorm stay separate float operators.
LSTM (``rnn``) stays float.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ppedge.errors import PpedgeError
from ppedge.files.flat import Buffer, DamagedError, Table

META_VERSION = 2
_HEADER = struct.Struct("<H16sQ")
_PARAMS_HEADER = struct.Struct("<HHHHI")
_PARAM_HEADER = struct.Struct("<II")
_OLD_META = (b"\0\0", b"\1\0")  # meta versions 0 and 1, as the first bytes of a file
_MAX_BYTES = 1 << 30  # No OCR model comes near; a file of this size is something else.
_MAX_RANK = 16

_KERNEL = "__@kernel_type_attr@__"
_TARGETS = {0: "unknown", 1: "host", 2: "x86", 3: "cuda", 4: "arm", 5: "opencl", 6: "any"}
_PRECISIONS = {0: "unknown", 1: "fp32", 2: "int8", 3: "int32", 4: "any", 5: "fp16", 6: "bool", 7: "int64", 8: "int16"}
_LAYOUTS = {0: "unknown", 1: "nchw", 2: "any", 3: "nhwc"}
# Data type of a parameter: name, bytes an element.
_TYPES = {0: ("bool", 1), 1: ("int16", 2), 2: ("int32", 4), 3: ("int64", 8), 4: ("fp16", 2), 5: ("fp32", 4),
          6: ("fp64", 8), 20: ("uint8", 1), 21: ("int8", 1)}  # fmt: skip
# Kind of an attribute: number of the field that holds its value, format letter.
_SCALARS = {0: (2, "i"), 1: (3, "f"), 6: (8, "?"), 8: (10, "i"), 9: (11, "q")}
_VECTORS = {3: (5, "i"), 4: (6, "f"), 7: (9, "?"), 11: (13, "q")}


@dataclass(frozen=True)
class Kernel:
    """What runs an operator: the variant of the implementation, and where and in which precision it works."""

    alias: str
    target: str
    precision: str
    layout: str

    def __str__(self) -> str:
        return f"{self.target}/{self.precision}/{self.alias}"


@dataclass(frozen=True)
class Operator:
    """One operator of the network.

    Attributes:
        type: Its name, for instance ``conv2d``.
        inputs: Variable names by slot.
        outputs: Variable names by slot.
        attributes: Values by name; None for a kind of value that is not known here.
        kernel: None in a file that was not optimized.
    """

    type: str
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    attributes: dict[str, Any]
    kernel: Kernel | None

    @property
    def precision(self) -> str:
        """Precision in which it computes: ``fp32``, ``fp16``, ``int8``, ``any``, ..."""
        return self.kernel.precision if self.kernel else "unknown"

    @property
    def int8(self) -> bool:
        """Whether it computes in int8; ``calib``, which only converts, does not."""
        return self.precision == "int8" and self.type != "calib"


@dataclass(frozen=True)
class Parameter:
    """One weight array; its values are not kept."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Variable:
    """One variable of the network; a parameter is a persistable one."""

    name: str
    persistable: bool


@dataclass(frozen=True)
class NbFile:
    """What a ``.nb`` file says of itself.

    Attributes:
        path: Where it was read.
        meta_version: Of the file format.
        opt_version: Of the opt that wrote it. An older runtime may load it and give wrong outputs.
        size: Of the file, in bytes.
        operators: In the order in which they run.
        parameters: In the order of the file.
        variables: Of all blocks.
    """

    path: Path
    meta_version: int
    opt_version: str
    size: int
    operators: list[Operator]
    parameters: list[Parameter]
    variables: list[Variable]


def read_nb(path: Path) -> NbFile:
    """Read a ``.nb`` file.

    Raises:
        PpedgeError: The file is missing, or is not a whole and undamaged ``.nb`` file of meta version 2.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            size = path.stat().st_size
            if size > _MAX_BYTES or head[:2] != struct.pack("<H", META_VERSION):
                raise PpedgeError(f"{path}: not a .nb file of meta version {META_VERSION}.", _foreign(head, size))
            data = head + file.read(size)  # not more: as much as is asked for is reserved at once
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).") from error
    return parse_nb(data, path)


def opt_version_of(path: Path) -> str | None:
    """Return the version of the opt that wrote a ``.nb`` file, from its header alone; None for any other file.

    Raises:
        PpedgeError: The file cannot be read, or has the header of an old Paddle Lite, before meta version 2.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).") from error
    if head[:2] in _OLD_META:
        raise PpedgeError(f"{path}: not a .nb file of meta version {META_VERSION}.", _foreign(head, len(head)))
    if len(head) < _HEADER.size or _HEADER.unpack(head)[0] != META_VERSION:
        return None
    return str(_HEADER.unpack(head)[1].split(b"\0")[0].decode("ascii", "replace"))


def parse_nb(data: bytes, path: Path) -> NbFile:
    """Read the bytes of a ``.nb`` file; ``path`` is only named in errors.

    Raises:
        PpedgeError: They are not a whole and undamaged ``.nb`` file of meta version 2.
    """
    try:
        return _parse(memoryview(data), path)
    except DamagedError as error:
        raise PpedgeError(f"{path}: damaged or not a .nb file: {error}.", "Convert the model again.") from error


def _foreign(head: bytes, size: int) -> str:
    if size == 0:
        return "It is empty; convert the model again."
    if len(head) >= 2 and head[:2] in _OLD_META:
        return "It may come from a Paddle Lite before 2.9; convert the model again."
    return "Name a file that `ppedge convert` or Paddle Lite's opt wrote."


def _parse(data: memoryview, path: Path) -> NbFile:
    meta, version, topology_size = _unpack(_HEADER, data, 0, "header")
    if meta != META_VERSION:
        raise DamagedError(f"its meta version is {meta}, not {META_VERSION}")
    opt_version = version.split(b"\0")[0]
    if not opt_version or not all(32 < byte < 127 for byte in opt_version):
        raise DamagedError("its header names no version of opt")
    start, end = _HEADER.size, _HEADER.size + topology_size
    if end > len(data):
        raise DamagedError(f"the topology ends at byte {end}, the file at {len(data)}")
    operators, variables = _topology(Buffer(data[start:end], "topology").root())
    return NbFile(
        path=path,
        meta_version=meta,
        opt_version=opt_version.decode(),
        size=len(data),
        operators=operators,
        parameters=_parameters(data, end),
        variables=variables,
    )


def _unpack(form: struct.Struct, data: memoryview, at: int, what: str) -> tuple[Any, ...]:
    if at + form.size > len(data):
        raise DamagedError(f"the file ends in the {what}, at byte {len(data)}")
    return form.unpack_from(data, at)


def _topology(root: Table) -> tuple[list[Operator], list[Variable]]:
    operators, variables = [], []
    for block in root.tables(0):
        variables += [Variable(v.text(0), v.number(2, "?", False)) for v in block.tables(2)]
        operators += [_operator(table) for table in block.tables(3)]
    if not operators:
        raise DamagedError("the topology has no operators")
    return operators, variables


def _operator(table: Table) -> Operator:
    attributes = {a.text(0): _attribute(a) for a in table.tables(3)}
    return Operator(
        type=table.text(0),
        inputs={v.text(0): v.texts(1) for v in table.tables(1)},
        outputs={v.text(0): v.texts(1) for v in table.tables(2)},
        attributes=attributes,
        kernel=_kernel(attributes.get(_KERNEL)),
    )


def _attribute(table: Table) -> Any:
    kind = table.number(1, "i")
    if kind in _SCALARS:
        return table.number(*_SCALARS[kind])
    if kind in _VECTORS:
        return table.numbers(*_VECTORS[kind])
    if kind == 2:
        return table.text(4)
    return table.texts(7) if kind == 5 else None


def _kernel(text: Any) -> Kernel | None:
    """Take apart ``conv2d/int8_out/4/2/1``: operator, alias, target, precision, layout."""
    if text is None:
        return None
    parts = text.split("/") if isinstance(text, str) else []
    if len(parts) != 5 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts[2:]):
        raise DamagedError(f"the kernel {str(text)[:80]!r} is not understood")
    return Kernel(parts[1], *kernel_place(*(int(part) for part in parts[2:])))


def kernel_place(target: int, precision: int, layout: int) -> tuple[str, str, str]:
    """Return the names of where, in which precision and on which layout a kernel works, by Paddle Lite's numbers."""
    return (
        _TARGETS.get(target, f"target {target}"),
        _PRECISIONS.get(precision, f"precision {precision}"),
        _LAYOUTS.get(layout, f"layout {layout}"),
    )


def _parameters(data: memoryview, at: int) -> list[Parameter]:
    version, meta, header_size, count, _ = _unpack(_PARAMS_HEADER, data, at, "header of the parameters")
    if (version, meta, header_size) != (0, 0, 6):
        raise DamagedError(f"the header of the parameters, at byte {at}, is not understood")
    at += _PARAMS_HEADER.size
    parameters = []
    for index in range(count):
        what = f"parameter {index + 1} of {count}"
        size, offset = _unpack(_PARAM_HEADER, data, at, what)
        begin, end = at + 4 + offset, at + 4 + size
        if offset != 4 or begin > end:
            raise DamagedError(f"the size of {what}, at byte {at}, is not understood")
        if end > len(data):
            raise DamagedError(f"{what} ends at byte {end}, the file at {len(data)}")
        parameters.append(_parameter(Buffer(data[begin:end], what).root(), what))
        at = end
    if at != len(data):
        raise DamagedError(f"{len(data) - at} bytes are left over after the last parameter")
    return parameters


def _parameter(table: Table, what: str) -> Parameter:
    tensor = table.table(3)
    kind, shape, size = tensor.number(3, "i"), tuple(tensor.numbers(2, "q")), tensor.blob(4)
    if kind not in _TYPES:
        raise DamagedError(f"{what} has the unknown data type {kind}")
    dtype, item = _TYPES[kind]
    if len(shape) > _MAX_RANK or any(side < 0 for side in shape) or prod(shape) * item != size:
        raise DamagedError(f"{what} has {size} bytes, which its shape and type do not give")
    return Parameter(name=table.text(1), dtype=dtype, shape=shape, bytes=size)


def zero_header_tail(data: bytes) -> bytes:
    """Clear the rest of the version string in the header, so that equal models give equal bytes.

    opt leaves there what lay in its memory.
    """
    version = data[2:18].split(b"\0")[0]
    return data[:2] + version.ljust(16, b"\0") + data[18:]
