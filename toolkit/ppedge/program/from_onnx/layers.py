"""Operators with weights, and pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ppedge.program.from_onnx.arithmetic import Translate, global_pool
from ppedge.program.from_onnx.model import FREE, Node
from ppedge.program.from_onnx.writer import UnknownError, Writer
from ppedge.program.operator import Value


def _map(w: Writer, node: Node) -> tuple[int, ...]:
    """Return the shape (N, C, H, W) that a layer is given.

    Raises:
        UnknownError: It is given something else.
    """
    shape = w.shape(node.inputs[0])
    if len(shape) != 4 or shape[1] == FREE:
        raise UnknownError(f"of {list(shape)}; of maps (N, C, H, W) it is brought in")
    return shape


def _convolution(w: Writer, node: Node) -> None:
    _map(w, node)
    filters = w.constant(node.inputs[1])
    groups, dilations = node.attributes.get("group", 1), list(node.attributes.get("dilations", [1, 1]))
    strides = list(node.attributes.get("strides", [1, 1]))
    algorithm, paddings = _paddings(node, filters.shape[2:], strides, dilations)
    attributes: dict[str, Value] = {
        "data_format": "NCHW", "dilations": dilations, "groups": groups, "padding_algorithm": algorithm,
        "paddings": paddings, "strides": strides,
    }  # fmt: skip
    depthwise = groups == filters.shape[0] > 1 and filters.shape[1] == 1
    _layer(w, node, "depthwise_conv2d" if depthwise else "conv2d", filters, len(filters), attributes)


def _transposed_convolution(w: Writer, node: Node) -> None:
    _map(w, node)
    filters, groups = w.constant(node.inputs[1]), node.attributes.get("group", 1)
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or node.attributes.get("output_shape"):
        raise UnknownError("to a size of its own")
    more = node.attributes.get("output_padding", [])
    attributes: dict[str, Value] = {
        "data_format": "NCHW", "dilations": list(node.attributes.get("dilations", [1, 1])), "groups": groups,
        "padding_algorithm": "EXPLICIT", "paddings": _explicit(node.attributes.get("pads", [0, 0, 0, 0])),
        "strides": list(node.attributes.get("strides", [1, 1])), "output_size": [],
        "output_padding": list(more) if any(more) else [],
    }  # fmt: skip
    depthwise = groups == filters.shape[0] > 1 and filters.shape[1] == 1
    kind = "depthwise_conv2d_transpose" if depthwise else "conv2d_transpose"
    _layer(w, node, kind, filters, filters.shape[1] * groups, attributes)


def _layer(
    w: Writer, node: Node, kind: str, filters: np.ndarray, channels: int, attributes: Mapping[str, Value]
) -> None:
    """Write a convolution, and the addition of its bias as converters join it."""
    inputs = {"Input": [w.read(node.inputs[0])], "Filter": [w.weight(node.inputs[1], filters)]}
    has_bias = len(node.inputs) > 2 and node.inputs[2] != ""
    if not has_bias:
        w.put(kind, inputs, {"Output": [w.variable(node.outputs[0])]}, attributes)
        return
    bias, made = w.weight(node.inputs[2], w.constant(node.inputs[2]).reshape(channels)), node.outputs[0]
    plain = w.between(made, w.shape(made))
    w.put(kind, inputs, {"Output": [plain]}, attributes)
    w.put("elementwise_add", {"X": [plain], "Y": [bias]}, {"Out": [w.variable(made)]}, {"axis": 1})


def _paddings(
    node: Node, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[str, list[int]]:
    """Return Paddle's way of padding, and its rows and columns: top, bottom, left, right.

    Padding to the same size does not depend on the input where the stride is 1, and is written as what it is.
    """
    how = node.attributes.get("auto_pad", "NOTSET")
    if how == "NOTSET":
        return "EXPLICIT", _explicit(node.attributes.get("pads", [0, 0, 0, 0]))
    if how == "VALID":
        return "EXPLICIT", [0, 0]
    if list(strides) != [1, 1]:
        if how == "SAME_UPPER":
            return "SAME", [0, 0]
        raise UnknownError(f"with auto_pad {how} and strides {list(strides)}")
    both = [dilation * (side - 1) for side, dilation in zip(kernel, dilations, strict=True)]
    less = [one // 2 for one in both]
    before = less if how == "SAME_UPPER" else [one - half for one, half in zip(both, less, strict=True)]
    after = [one - first for one, first in zip(both, before, strict=True)]
    return "EXPLICIT", _explicit([*before, *after])


def _explicit(pads: Sequence[int]) -> list[int]:
    """Return ONNX's paddings (top, left, bottom, right) as Paddle's, two where both ends have the same."""
    if len(pads) != 4 or min(pads) < 0:
        raise UnknownError(f"with the paddings {list(pads)}")
    top, left, bottom, right = pads
    return [top, left] if (top, left) == (bottom, right) else [top, bottom, left, right]


def _pool(kind: str) -> Translate:
    def translate(w: Writer, node: Node) -> None:
        _map(w, node)
        if len(node.outputs) > 1 or any(one != 1 for one in node.attributes.get("dilations", [])):
            raise UnknownError("with indices or dilations")
        kernel = list(node.attributes["kernel_shape"])
        strides = list(node.attributes.get("strides", [1, 1]))
        algorithm, paddings = _paddings(node, kernel, strides, [1, 1])
        attributes: dict[str, Value] = {
            "adaptive": False, "ceil_mode": bool(node.attributes.get("ceil_mode", 0)), "data_format": "NCHW",
            "exclusive": not node.attributes.get("count_include_pad", 0), "global_pooling": False, "ksize": kernel,
            "padding_algorithm": algorithm, "paddings": paddings, "pooling_type": kind, "strides": strides,
        }  # fmt: skip
        w.put("pool2d", {"X": [w.read(node.inputs[0])]}, {"Out": [w.variable(node.outputs[0])]}, attributes)

    return translate


def _batch_norm(w: Writer, node: Node) -> None:
    if node.attributes.get("training_mode", 0) or len(node.outputs) > 1:
        raise UnknownError("in its form for training")
    slots = dict(zip(("Scale", "Bias", "Mean", "Variance"), node.inputs[1:], strict=True))
    held = {slot: [w.weight(name, w.constant(name))] for slot, name in slots.items()}
    made = w.variable(node.outputs[0])
    channels = w.constant(slots["Mean"]).shape
    aside = {slot: [w.between(node.outputs[0], channels)] for slot in ("SavedMean", "SavedVariance")}
    attributes: dict[str, Value] = {
        "epsilon": node.attributes.get("epsilon", 1e-5), "momentum": node.attributes.get("momentum", 0.9),
        "is_test": True, "use_global_stats": True, "data_layout": "NCHW", "trainable_statistics": False,
    }  # fmt: skip
    outputs = {"Y": [made], "MeanOut": held["Mean"], "VarianceOut": held["Variance"], **aside}
    w.put("batch_norm", {"X": [w.read(node.inputs[0])], **held}, outputs, attributes)


def _layer_norm(w: Writer, node: Node) -> None:
    given = w.shape(node.inputs[0])
    axis = node.attributes.get("axis", -1) % len(given)
    if len(node.inputs) < 3 or len(node.outputs) > 1 or min(given[axis:]) == FREE:
        raise UnknownError("without a bias, or over a free side")
    gain, bias = (w.weight(name, w.constant(name).reshape(-1)) for name in node.inputs[1:3])
    made = w.variable(node.outputs[0])
    outputs = {"Y": [made], **{slot: [w.between(node.outputs[0], (FREE,))] for slot in ("Mean", "Variance")}}
    attributes: dict[str, Value] = {"begin_norm_axis": axis, "epsilon": node.attributes.get("epsilon", 1e-5)}
    w.put("layer_norm", {"X": [w.read(node.inputs[0])], "Scale": [gain], "Bias": [bias]}, outputs, attributes)


def _product(w: Writer, node: Node) -> None:
    attributes: dict[str, Value] = {"trans_x": False, "trans_y": False}
    inputs = {"X": [w.read(node.inputs[0])], "Y": [w.read(node.inputs[1])]}
    w.put("matmul_v2", inputs, {"Out": [w.variable(node.outputs[0])]}, attributes)


def _linear(w: Writer, node: Node) -> None:
    """A product with a matrix of weights, factors and turns in the weights, and a bias."""
    if node.attributes.get("transA", 0) or w.model.constant(node.inputs[0]) is not None:
        raise UnknownError("with its first matrix turned or constant")
    matrix = w.constant(node.inputs[1])
    matrix = matrix.T if node.attributes.get("transB", 0) else matrix
    alpha, beta = (np.float32(node.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    made, shape = node.outputs[0], w.shape(node.outputs[0])
    weight = w.weight(node.inputs[1], matrix * alpha)
    inputs, attributes = {"X": [w.read(node.inputs[0])], "Y": [weight]}, {"trans_x": False, "trans_y": False}
    if len(node.inputs) < 3 or node.inputs[2] == "":
        w.put("matmul_v2", inputs, {"Out": [w.variable(made)]}, attributes)
        return
    bias = w.weight(node.inputs[2], np.broadcast_to(w.constant(node.inputs[2]) * beta, (matrix.shape[1],)))
    plain = w.between(made, shape)
    w.put("matmul_v2", inputs, {"Out": [plain]}, attributes)
    w.put("elementwise_add", {"X": [plain], "Y": [bias]}, {"Out": [w.variable(made)]}, {"axis": 1})


LAYERS: dict[str, Translate] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "MaxPool": _pool("max"),
    "AveragePool": _pool("avg"),
    "GlobalAveragePool": lambda w, node: global_pool(w, node, "avg"),
    "GlobalMaxPool": lambda w, node: global_pool(w, node, "max"),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "MatMul": _product,
    "Gemm": _linear,
}
"""By the name that ONNX has for an operator: what writes it."""
