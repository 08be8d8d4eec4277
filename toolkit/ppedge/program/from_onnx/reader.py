"""Reading an ONNX file: its operators, its constants, and the sides of what is between them.

The sides are not derived operator by operator: onnxruntime runs the network on a few inputs of different sizes, and
tells every value. What differs from one to the next is free; what is computed from sizes alone is known by its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from ppedge.errors import PpedgeError, cut
from ppedge.program.from_onnx.model import FREE, Node, OnnxModel

_HANDING_ON = ("Identity", "Dropout")
_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
_HINT = "Export the network again, as one ONNX file with its weights inside."
# Batch, and height and width in units of 32 pixels: no two sides of all three are the same, nor multiples throughout.
_PROBES = ((1, 2, 3), (2, 3, 5), (3, 5, 2))
_UNIT = 32
_LINE_HEIGHTS = (48, 32)


def read_model(path: Path) -> OnnxModel:
    """Read an ONNX file.

    Raises:
        PpedgeError: It is damaged, has another form than one network from pictures to one result, or onnxruntime
            cannot run it.
    """
    model = _parsed(path)
    graph = model.graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    given = [one for one in graph.input if one.name not in constants]
    if len(given) != 1 or len(graph.output) != 1:
        raise PpedgeError(
            f"{path}: has {len(given)} inputs and {len(graph.output)} outputs.", "Networks for text have one of each."
        )
    nodes, constants = _nodes(graph.node, constants)
    about = OnnxModel(
        where=str(path),
        opset=_opset(model),
        constants=constants,
        types={given[0].name: "float32"},
        input=given[0].name,
        output=graph.output[0].name,
        metadata={one.key: one.value for one in model.metadata_props},
    )
    free = [_side(one) for one in given[0].type.tensor_type.shape.dim]
    if len(free) != 4 or free[1] not in (3, FREE):
        raise PpedgeError(f"{path}: its input {given[0].name!r} is not pictures (N, 3, height, width).")
    results = _probe(about, model, nodes, free)
    _sort(about, nodes, results)
    return about


def _parsed(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).") from error
    except (DecodeError, onnx.checker.ValidationError, ValueError, TypeError) as error:
        reason = cut((str(error).strip().splitlines() or ["no reason given"])[0])
        raise PpedgeError(f"{path}: damaged or not an ONNX file ({reason}).", _HINT) from error
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise PpedgeError(f"{path}: its weights lie in another file.", _HINT)
    return model


def _opset(model: onnx.ModelProto) -> int:
    return max((one.version for one in model.opset_import if not one.domain), default=0)


def _side(dimension: Any) -> int:
    return dimension.dim_value if dimension.dim_value > 0 else FREE


def _nodes(
    protos: Iterable[onnx.NodeProto], constants: dict[str, np.ndarray]
) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Return the operators, and the constants with those that operators hold."""
    nodes = []
    for proto in protos:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in proto.attribute}
        if proto.op_type == "Constant":
            constants[proto.output[0]] = _constant(attributes)
            continue
        kind = proto.op_type if not proto.domain else f"{proto.domain}.{proto.op_type}"
        plain = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
        nodes.append(Node(kind, tuple(proto.input), tuple(filter(None, proto.output)), plain, proto.name))
    return nodes, constants


def _constant(attributes: Mapping[str, Any]) -> np.ndarray:
    (name, value), *_ = attributes.items()
    if name == "value":
        return numpy_helper.to_array(value)
    return np.asarray(value, np.float32 if name.startswith("value_float") else np.int64)


Results = list[dict[str, np.ndarray]]


def _probe(about: OnnxModel, model: onnx.ModelProto, nodes: Sequence[Node], free: Sequence[int]) -> Results:
    """Return every value that the network computes, of each of a few inputs; only the shape of those from pictures.

    A height that the file leaves free is that of a line where the network does not take others; so is a batch.
    """
    names = [name for node in nodes for name in node.outputs]
    every = onnx.ModelProto()
    every.CopyFrom(model)
    del every.graph.output[:]
    every.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(every.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class but this
        raise PpedgeError(f"{about.where}: onnxruntime cannot load it ({_reason(error)}).", _HINT) from error
    lines = len(model.graph.output[0].type.tensor_type.shape.dim) != 4
    problem: Exception | None = None
    for height in [FREE] if free[2] != FREE or not lines else [*_LINE_HEIGHTS, FREE]:
        for batch in [FREE] if free[0] != FREE else [FREE, 1]:
            sizes = [free[0] if batch == FREE else batch, 3, free[2] if height == FREE else height, free[3]]
            try:
                found = [_computed(session, about.input, names, _sized(sizes, k)) for k in range(len(_PROBES))]
            except Exception as error:  # likewise
                problem = problem or error
                continue
            _note(about, free, sizes)
            about.sides[about.input] = [_sized(sizes, k) for k in range(len(_PROBES))]
            about.shapes[about.input] = (sizes[0], 3, sizes[2], sizes[3])
            return found
    assert problem is not None
    raise PpedgeError(f"{about.where}: onnxruntime cannot run it ({_reason(problem)}).") from problem


def _note(about: OnnxModel, free: Sequence[int], taken: Sequence[int]) -> None:
    if free[2] == FREE and taken[2] != FREE:
        about.notes.append(f"the file leaves the height of lines free: {taken[2]} pixels are taken")
    if free[0] == FREE and taken[0] != FREE:
        about.notes.append("the file calls its batch free, and the network takes one line at a time")


def _sized(sizes: Sequence[int], probe: int) -> tuple[int, ...]:
    batch, height, width = _PROBES[probe]
    units = (batch, 3, height * _UNIT, width * _UNIT)
    return tuple(unit if side == FREE else side for side, unit in zip(sizes, units, strict=True))


def _computed(
    session: onnxruntime.InferenceSession, given: str, names: Sequence[str], shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return dict(zip(names, session.run(names, {given: x}), strict=True))


def _reason(error: Exception) -> str:
    return cut((str(error).strip().splitlines() or [type(error).__name__])[-1])


def _sort(about: OnnxModel, nodes: Sequence[Node], results: Results) -> None:
    """Keep the operators that compute with pictures, and the values of all others."""
    from_pictures, from_sizes, same = {about.input}, set[str](), dict[str, str]()
    for node in nodes:
        inputs = tuple(same.get(name, name) for name in node.inputs)
        if node.type in ("Shape", "Size") and inputs[0] in from_pictures:
            from_sizes.update(node.outputs)
        elif from_pictures.intersection(inputs) or node.type in _RANDOM:
            from_pictures.update(node.outputs)
            for name in node.outputs:
                about.sides[name] = [one[name].shape for one in results]
                about.shapes[name] = _shape(about.sides[name])
                about.types[name] = results[0][name].dtype.name
            if _hands_on(about, node, inputs):
                same[node.outputs[0]] = inputs[0]
            else:
                about.nodes.append(Node(node.type, inputs, node.outputs, node.attributes, node.name))
            continue
        elif from_sizes.intersection(inputs):
            from_sizes.update(node.outputs)
        for name in node.outputs:
            values = [one[name] for one in results]
            if name in from_sizes:
                about.sizes[name] = values
            else:
                about.constants[name] = values[0]
    about.output = same.get(about.output, about.output)
    if about.output not in from_pictures - {about.input}:
        raise PpedgeError(f"{about.where}: what it gives is not computed from the picture.")
    about.nodes = _needed(about)


def _hands_on(about: OnnxModel, node: Node, inputs: Sequence[str]) -> bool:
    """Whether an operator gives what it is given: also a reshape to the same sides, and a cast to the same type."""
    if node.type in _HANDING_ON:
        return True
    made = node.outputs[0]
    if node.type == "Cast":
        return about.types[made] == about.types.get(inputs[0])
    return node.type == "Reshape" and about.sides[made] == about.sides.get(inputs[0])


def _shape(found: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if len({len(one) for one in found}) != 1:
        return ()
    return tuple(sides[0] if len(set(sides)) == 1 else FREE for sides in zip(*found, strict=True))


def _needed(about: OnnxModel) -> list[Node]:
    """Return the operators that the output depends on."""
    needed, kept = {about.output}, []
    for node in reversed(about.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return kept[::-1]
