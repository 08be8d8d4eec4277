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
