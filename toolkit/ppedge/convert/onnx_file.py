"""What an ONNX file holds, told without running it, and what it is given to carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ppedge.errors import MissingError, PpedgeError
from ppedge.runs import atomic_write

LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
CHARACTERS = "character"
"""The key of the metadata under which RapidOCR looks for a recogniser's characters."""


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
    float.

    Args:
        path: An ONNX file with its weights inside.

    Raises:
        MissingError: The package onnx is not installed.
        PpedgeError: The file is missing or damaged.
    """
    if find_spec("onnx") is None:
        raise MissingError("onnx is not installed, which reading ONNX needs.", "Run `make setup`.")
    import onnx
    from google.protobuf.message import DecodeError

    try:
        data = path.read_bytes()
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).") from error
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise PpedgeError(f"{path}: damaged or not an ONNX file.", "Repeat `ppedge convert`.") from error
    graph = model.graph
    dequantized = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    layers = Counter(
        "int8" if dequantized.issuperset(node.input[:2]) else "fp32" for node in graph.node if node.op_type in LAYERS
    )
    constants = [attribute.t for node in graph.node if node.op_type == "Constant" for attribute in node.attribute]
    weights: dict[str, list[int]] = {}
    for tensor in [*graph.initializer, *constants]:
        kind = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        weights.setdefault(kind, []).append(len(onnx.numpy_helper.to_array(tensor).tobytes()))
    return {
        "file": str(path),
        "bytes": len(data),
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "opset": next((opset.version for opset in model.opset_import if not opset.domain), 0),
        "layers": dict(sorted(layers.items())),
        "operators": dict(sorted(Counter(node.op_type for node in graph.node).items())),
        "parameters": {kind: {"count": len(sizes), "bytes": sum(sizes)} for kind, sizes in sorted(weights.items())},
    }
