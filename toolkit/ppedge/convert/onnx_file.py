"""What an ONNX file holds, told without running it, and what it is given to carry.

As a program, this is the child process that looks into one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppedge.errors import PpedgeError
from ppedge.files.onnx import CHARACTERS, require_readable
from ppedge.process import run_module
from ppedge.scratch import scratch
from ppedge.storage import atomic_write, read_json, write_json

if TYPE_CHECKING:
    from onnx import GraphProto, TensorProto

LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def set_characters(path: Path, characters: Sequence[str]) -> bool:
    """Let a recogniser's ONNX file carry what its classes read as: as metadata, one class a line, without the blank.

    A reader takes the lines apart by ``splitlines``, which also splits at characters such as U+2028: where that does
    not give the classes back, they are left out, since all classes behind would be shifted.

    Args:
        path: The file, changed in place.
        characters: What the classes from 1 on read as.

    Returns:
        Whether the file carries them now.
    """
    import onnx

    text = "".join(f"{character}\n" for character in characters)
    if text.splitlines() != list(characters):
        return False
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {CHARACTERS: text})
    with atomic_write(path) as file:
        file.write(model.SerializeToString(deterministic=True))
    return True


def summary(path: Path) -> dict[str, Any]:
    """Return operators, layers by precision and weights of an ONNX file.

    A layer counts as int8 if input and weight both come out of a DequantizeLinear; a runtime may still compute it in
    float. The file is read by a child process: of a damaged one, protobuf's library prints what it likes, or aborts.

    Args:
        path: An ONNX file with its weights inside.

    Raises:
        MissingError: The package onnx is not installed.
        PpedgeError: The file is missing or damaged.
    """
    require_readable(path)
    with scratch("onnx") as folder:
        out = folder / "summary.json"
        run_module(__name__, [path, out], f"Reading {path}", cause="It is damaged or not an ONNX file.")
        found: dict[str, Any] | None = read_json(out)
    if found is None:
        raise PpedgeError(f"{path}: damaged or not an ONNX file.", "Repeat `ppedge convert`.")
    return found


def _summary(path: Path) -> dict[str, Any] | None:
    """Return what `summary` does; None of a damaged file."""
    import onnx
    from google.protobuf.message import DecodeError

    damage = (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, TypeError,
              OverflowError, MemoryError)  # fmt: skip
    try:
        data = path.read_bytes()
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
        weights = _weights(model.graph)
        graph = model.graph
        dequantized = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
        layers = Counter(
            "int8" if dequantized.issuperset(node.input[:2]) else "fp32"
            for node in graph.node
            if node.op_type in LAYERS
        )
        return {
            "file": str(path),
            "bytes": len(data),
            "producer": f"{model.producer_name} {model.producer_version}".strip(),
            "opset": next((opset.version for opset in model.opset_import if not opset.domain), 0),
            "layers": dict(sorted(layers.items())),
            "operators": dict(sorted(Counter(node.op_type for node in graph.node).items())),
            "parameters": {kind: {"count": len(sizes), "bytes": sum(sizes)} for kind, sizes in sorted(weights.items())},
        }
    except damage:
        return None


def _weights(graph: GraphProto) -> dict[str, list[int]]:
    """Return the bytes of each weight by type: of the initializers, and of what Constant nodes hold, in any form.

    Raises:
        ValueError: The data of a weight does not fit its shape, or lies in another file.
    """
    from onnx import AttributeProto, TensorProto

    found: dict[str, list[int]] = {}

    def add(tensor: TensorProto) -> None:
        kind = TensorProto.DataType.Name(tensor.data_type).lower()
        found.setdefault(kind, []).append(_bytes_of(tensor))

    for tensor in graph.initializer:
        add(tensor)
    plain: dict[int, tuple[str, Callable[[Any], int]]] = {
        AttributeProto.FLOAT: ("float", lambda one: 4),
        AttributeProto.FLOATS: ("float", lambda one: 4 * len(one.floats)),
        AttributeProto.INT: ("int64", lambda one: 8),
        AttributeProto.INTS: ("int64", lambda one: 8 * len(one.ints)),
        AttributeProto.STRING: ("string", lambda one: len(one.s)),
        AttributeProto.STRINGS: ("string", lambda one: sum(map(len, one.strings))),
    }
    for attribute in (one for node in graph.node if node.op_type == "Constant" for one in node.attribute):
        if attribute.type == AttributeProto.TENSOR:
            add(attribute.t)
        elif attribute.type == AttributeProto.SPARSE_TENSOR:
            add(attribute.sparse_tensor.values)
            add(attribute.sparse_tensor.indices)
        elif attribute.type in plain:
            kind, size = plain[attribute.type]
            found.setdefault(kind, []).append(size(attribute))
    return found


def _bytes_of(tensor: TensorProto) -> int:
    """Return the bytes of a tensor whose data fit its shape."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError("data in another file")
    if tensor.data_type == TensorProto.STRING:
        if len(tensor.string_data) != prod(tensor.dims):
            raise ValueError("strings that do not fit the shape")
        return sum(map(len, tensor.string_data))
    array = numpy_helper.to_array(tensor)
    return len(tensor.raw_data) if tensor.HasField("raw_data") else int(array.nbytes)


if __name__ == "__main__":
    write_json(Path(sys.argv[2]), _summary(Path(sys.argv[1])))
