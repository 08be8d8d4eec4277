"""ONNX models small enough to know by heart: a detector whose map is the picture, a recogniser with one answer."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save_onnx(path, nodes, output, constants):
    """Save a model that takes x, one picture of free size."""
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", [given], [output], initial)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def save_det(path):
    """The map is the picture's first channel."""
    nodes = [helper.make_node("Slice", ["x", "from", "to", "axis"], ["y"])]
    limits = {"from": np.array([0]), "to": np.array([1]), "axis": np.array([1])}
    save_onnx(path, nodes, helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "h", "w"]), limits)


def save_rec(path):
    """Every line reads "车b"; the batch must be 1, as in exported recognisers."""
    answer = np.zeros((1, 3, 4), np.float32)
    answer[0, 0, 1], answer[0, 1, 0], answer[0, 2, 2] = 0.75, 1.0, 0.25
    save_answer(path, answer)


def save_answer(path, answer):
    """A model that always gives this array."""
    nodes = [
        helper.make_node("ReduceMin", ["x"], ["least"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["least", "zero"], ["nothing"]),
        helper.make_node("Add", ["answer", "nothing"], ["y"]),
    ]
    constants = {"zero": np.float32([0]), "answer": answer}
    save_onnx(path, nodes, helper.make_tensor_value_info("y", TensorProto.FLOAT, answer.shape), constants)


def save_network(path, nodes, output, constants, height="h", metadata=None):
    """Save a model with weights, that takes any number of pictures; its output ``y`` has these sides."""
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, height, "w"])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, output)
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", [given], [made], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)


def save_trained_det(path, seed=0):
    """A detector of two convolutions."""
    random = np.random.default_rng(seed)
    weights = {
        f"conv2d_{k}.{part}": random.standard_normal(shape).astype(np.float32) / 4
        for k, (outputs, inputs) in enumerate([(8, 3), (1, 8)])
        for part, shape in (("w_0", (outputs, inputs, 3, 3)), ("b_0", (outputs,)))
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv2d_0.w_0", "conv2d_0.b_0"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "conv2d_1.w_0", "conv2d_1.b_0"], ["d"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["d"], ["y"]),
    ]
    save_network(path, nodes, ["n", 1, "h", "w"], weights)


def save_trained_rec(path, classes, characters=None):
    """A recogniser of lines of 48 pixels, which may carry characters as RapidOCR's files do."""
    random = np.random.default_rng(0)
    weights = {
        "conv2d_0.w_0": random.standard_normal((8, 3, 48, 8)).astype(np.float32) / 8,
        "linear_0.w_0": random.standard_normal((8, classes)).astype(np.float32),
        "axes": np.array([2]),
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv2d_0.w_0"], ["c"], strides=[48, 8]),
        helper.make_node("Squeeze", ["c", "axes"], ["s"]),
        helper.make_node("Transpose", ["s"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["t", "linear_0.w_0"], ["m"]),
        helper.make_node("Softmax", ["m"], ["y"], axis=2),
    ]
    metadata = {"character": "\n".join(characters)} if characters is not None else None
    save_network(path, nodes, ["n", "t", classes], weights, 48, metadata)
