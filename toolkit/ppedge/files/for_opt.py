"""What Paddle Lite's opt 2.13-rc misses in programs of Paddle 2.6, added: the same network, and opt does not die of it.

- ``swish`` without its attribute ``beta``, which Paddle has fixed at 1: opt aborts. The attribute is added with that
  value.
- ``flatten_contiguous_range`` without its output ``XShape``, which only its gradient reads: opt reads it and dies of
  SIGSEGV. The output is added, with a variable that nothing else names.

Both are additions to one operator each; everything else stays the same to the byte.

And what opt would take for something else: it joins a convolution with the activation behind it, and then a ``scale``
behind both with the convolution, as if it stood before the activation. Standard library only.
"""

from __future__ import annotations

import struct

from ppedge.files.inference_model import Operation
from ppedge.files.protobuf import parts_of

_BLOCK, _VARIABLE, _OPERATOR, _NAME = 1, 3, 4, 1
_OUTPUT, _ATTRIBUTE, _NUMBER = 2, 4, 4
_CONVOLUTIONS = ("conv2d", "depthwise_conv2d", "conv2d_transpose")
JOINED = ("relu", "relu6", "leaky_relu", "hard_swish")
"""Activations that opt joins with the convolution before them."""


def complete(program: bytes) -> tuple[bytes, list[str]]:
    """Return a program with what opt misses, and a sentence on each kind of addition.

    Args:
        program: Of a whole ``.pdmodel`` file; see `ppedge.files.inference_model.InferenceModel.check`.
    """
    told: list[str] = []
    edited = b"".join(
        _message(number, _block(content, told)) if number == _BLOCK else raw
        for number, content, raw in parts_of(program)
    )
    return (edited, list(dict.fromkeys(told))) if told else (program, [])


def misread(program: bytes) -> list[str]:
    """Return the outputs of ``scale`` operators that opt would compute before the activation that they stand behind.

    Args:
        program: As of `complete`.
    """
    described = [
        content
        for number, block, _ in parts_of(program)
        if number == _BLOCK
        for kind, content, _ in parts_of(block)
        if kind == _OPERATOR
    ]
    operations = [(Operation.parse(content), content) for content in described]
    writers = {name: one for one, _ in operations for names in one.outputs.values() for name in names}
    return [
        one.outputs["Out"][0]
        for one, content in operations
        if one.type == "scale"
        and _behind_activation(writers.get(one.inputs["X"][0]), writers)
        and (_float(content, "scale", 1.0), _float(content, "bias", 0.0)) != (1.0, 0.0)
    ]


def _float(operator: bytes, name: str, default: float) -> float:
    """Return a number among an operator's attributes."""
    for number, attribute, _ in parts_of(operator):
        if number == _ATTRIBUTE:
            fields = {field: (content, raw) for field, content, raw in parts_of(attribute)}
            if fields[_NAME][0] == name.encode() and _NUMBER in fields:
                return float(struct.unpack("<f", fields[_NUMBER][1][1:])[0])
    return default


def _behind_activation(writer: Operation | None, writers: dict[str, Operation]) -> bool:
    """Whether an operator is an activation that opt may make a part of a convolution."""
    if writer is None or writer.type not in JOINED:
        return False
    writer = writers.get(writer.inputs["X"][0])
    while writer is not None and writer.type in ("batch_norm", "elementwise_add", "scale"):
        # A bias that is a weight as it stands is joined; the sum of two maps, or a bias that is reshaped first, is not.
        if any(name in writers for name in writer.inputs.get("Y", ())):
            return False
        writer = writers.get(writer.inputs["X"][0])
    return writer is not None and writer.type in _CONVOLUTIONS


def _block(block: bytes, told: list[str]) -> bytes:
    return b"".join(_completed(block, content, raw, told) if number == _OPERATOR else raw
                    for number, content, raw in parts_of(block))  # fmt: skip


def _completed(block: bytes, content: bytes, raw: bytes, told: list[str]) -> bytes:
    operation = Operation.parse(content)
    addition = ADDITIONS.get(operation.type)
    return raw if addition is None else addition(block, operation, content, told) or raw


def _swished(block: bytes, operation: Operation, content: bytes, told: list[str]) -> bytes:
    if "beta" in operation.attributes:
        return b""
    told.append("swish has got its attribute beta = 1, which opt misses")
    beta = _message(_NAME, b"beta") + b"\x10\x01" + b"\x25" + struct.pack("<f", 1.0)
    return _message(_OPERATOR, content + _message(_ATTRIBUTE, beta))


def _flattened(block: bytes, operation: Operation, content: bytes, told: list[str]) -> bytes:
    if "XShape" in operation.outputs:
        return b""
    told.append("flatten_contiguous_range has got its output XShape, which opt misses")
    name = f"{operation.outputs['Out'][0]}.xshape".encode()
    output = _message(_NAME, b"XShape") + _message(2, name)
    variable = _renamed(block, operation.inputs["X"][0], name)
    return _message(_VARIABLE, variable) + _message(_OPERATOR, content + _message(_OUTPUT, output))


ADDITIONS = {"swish": _swished, "flatten_contiguous_range": _flattened}
"""What an operator gets, by its type: its description anew, with what is declared beside it; nothing if it has all."""


def _renamed(block: bytes, name: str, new: bytes) -> bytes:
    """Return the description of a variable under another name."""
    for number, content, _ in parts_of(block):
        if number == _VARIABLE:
            inner = list(parts_of(content))
            if (_NAME, name.encode()) in [(field, value) for field, value, _ in inner]:
                return b"".join(_message(_NAME, new) if field == _NAME else raw for field, _, raw in inner)
    raise KeyError(name)


def _message(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
