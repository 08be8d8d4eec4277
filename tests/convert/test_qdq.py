"""int8 ONNX from float ONNX and learned scales, against the same rounding done in float."""

import json
from collections import Counter

import numpy as np
import onnxruntime
import pytest

from ppedge.convert.onnx import check_mean, load_cases, to_onnx
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError

onnx = pytest.importorskip("onnx", reason="writing ONNX needs the package onnx")
from onnx import helper, numpy_helper  # noqa: E402

from ppedge.convert.onnx_file import summary  # noqa: E402
from ppedge.convert.qdq import Quantizer, quantize_weight, to_qdq  # noqa: E402

SIZE = 12


def rounded(x, scale):
    """Quantize and dequantize: halves away from zero, clipped to [-scale, scale]."""
    levels = x / scale * 127
    return (np.sign(levels) * np.floor(np.abs(levels) + 0.5)).clip(-127, 127) * scale / 127


class Builder:
    """A float network, and the same with its rounding written out in float operators."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.exact, self.tensors, self.exact_tensors, self.quantizers = [], [], [], [], []

    def constant(self, name, value, exact=None):
        self.tensors.append(numpy_helper.from_array(np.float32(value), name))
        self.exact_tensors.append(numpy_helper.from_array(np.float32(value if exact is None else exact), name))
        return name

    def both(self, *arguments, **options):
        self.nodes.append(helper.make_node(*arguments, **options))
        self.exact.append(helper.make_node(*arguments, **options))

    def layer(self, kind, source, out, weight, scale, **options):
        axis = 0 if kind == "Conv" else 1
        others = tuple(i for i in range(weight.ndim) if i != axis)
        largest = np.abs(weight).max(axis=others, keepdims=True)
        name = self.constant(f"{out}.w", weight, rounded(weight, largest))
        self.nodes.append(helper.make_node(kind, [source, name], [out], **options))
        parts = [("lo", -scale), ("hi", scale), ("step", scale / 127)]
        lo, hi, step = (self.constant(f"{out}.{part}", value) for part, value in parts)
        self.exact += [
            helper.make_node("Clip", [source, lo, hi], [f"{out}.c"]),
            helper.make_node("Div", [f"{out}.c", step], [f"{out}.d"]),
            helper.make_node("Round", [f"{out}.d"], [f"{out}.r"]),
            helper.make_node("Mul", [f"{out}.r", step], [f"{out}.x"]),
            helper.make_node(kind, [f"{out}.x", name], [out], **options),
        ]
        self.quantizers.append(Quantizer(f"layer_{out}", name, scale))

    def conv(self, source, out, outputs, inputs, scale, kernel=1, gamma=None, beta=None):
        weight = self.random.standard_normal((outputs, inputs, kernel, kernel)) * 0.5
        self.layer("Conv", source, f"{out}.conv", weight, scale, pads=[kernel // 2] * 4)
        gamma = self.random.uniform(-1, 1, outputs) if gamma is None else gamma
        beta = self.random.standard_normal(outputs) if beta is None else beta
        values = [gamma, beta, self.random.standard_normal(outputs), self.random.uniform(0.5, 2, outputs)]
        names = [self.constant(f"{out}.{i}", value) for i, value in enumerate(values)]
        self.both("BatchNormalization", [f"{out}.conv", *names], [out], epsilon=1e-5)

    def save(self, folder, output, channels):
        value = helper.make_tensor_value_info
        inputs = [value("x", onnx.TensorProto.FLOAT, ["n", 3, SIZE, SIZE])]
        outputs = [value(output, onnx.TensorProto.FLOAT, ["n", channels, "h", "w"])]
        for name, nodes, tensors in (("float", self.nodes, self.tensors), ("exact", self.exact, self.exact_tensors)):
            graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
            onnx.save(model, str(folder / f"{name}.onnx"))
        layers = to_qdq(folder / "float.onnx", folder / "int8.onnx", self.quantizers)
        assert layers == len(self.quantizers)
        return folder / "int8.onnx"


def difference(folder, x):
    outputs = []
    for name in ("exact", "int8"):
        with open_engine("onnxruntime", folder / f"{name}.onnx") as engine:
            outputs += engine.run([x])
    assert outputs[0].shape == outputs[1].shape
    return np.abs(outputs[0] - outputs[1]), np.abs(outputs[0]).mean()


def pictures(seed=1):
    """Some values lie far below what has a level."""
    return np.random.default_rng(seed).standard_normal((2, 3, SIZE, SIZE), dtype=np.float32) * 1.5


def operators(path):
    return Counter(node.op_type for node in onnx.load(str(path)).graph.node)


def optimised(path, folder):
    """Operators as onnxruntime runs them when int8 is as welcome as on ARM."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return operators(folder / "optimised.onnx")


def test_weights_are_rounded_by_channel():
    weight = np.float32([[2.54, 0.03, -0.01, 0.0], [-0.0127, 0.00005, -0.00005, 0.0127], [0, 0, 0, 0]])
    levels, step = quantize_weight(weight, 0)
    assert levels.tolist() == [[127, 2, -1, 0], [-127, 1, -1, 127], [0, 0, 0, 0]]  # halves away from zero
    np.testing.assert_allclose(step[:2], [0.02, 0.0001], rtol=1e-6)
    assert step[2] > 0
    assert quantize_weight(weight.T, 1)[0].tolist() == levels.T.tolist()


def test_a_network_computes_what_the_rounding_in_float_computes(tmp_path):
    net = Builder()
    net.conv("x", "a", 8, 3, 2.0, kernel=3)
    net.both("HardSwish", ["a"], ["b"])
    net.conv("b", "c", 8, 8, 1.5)
    net.both("Relu", ["c"], ["d"])
    net.conv("d", "e", 8, 8, 2.5, kernel=3)
    net.both("Add", ["b", "e"], ["f"])
    net.conv("f", "g", 4, 8, 3.0)
    net.layer("ConvTranspose", "g", "h", net.random.standard_normal((4, 6, 2, 2)), 2.0, strides=[2, 2])
    net.constant("h.b", np.arange(6).reshape(1, 6, 1, 1))
    net.both("Add", ["h", "h.b"], ["y"])
    path = net.save(tmp_path, "y", 6)
    found, size = difference(tmp_path, pictures())
    assert found.mean() < 2e-3 * size
    after = operators(path)
    assert not {"BatchNormalization", "Relu"} & set(after)
    assert after["Add"] == 1  # the residual one
    assert summary(path)["layers"] == {"int8": 5}


def test_the_first_layer_is_exact_where_values_are_clipped(tmp_path):
    net = Builder()
    net.conv("x", "y", 4, 3, 1.0)
    net.save(tmp_path, "y", 4)
    found, size = difference(tmp_path, pictures())
    assert found.max() < 1e-5 * size


@pytest.mark.parametrize("beta", [3.0, -1e4])
def test_a_channel_that_is_next_to_nothing_beside_its_bias(beta, tmp_path):
    net = Builder()
    net.conv("x", "a", 3, 3, 2.0, gamma=[1e-9, 0, 0.5], beta=[beta, beta, 0.5])
    net.conv("a", "y", 2, 3, 1e4)
    path = net.save(tmp_path, "y", 2)
    found, size = difference(tmp_path, pictures())
    assert found.mean() < 2e-3 * size
    assert optimised(path, tmp_path)["QLinearConv"] == 1


def test_integers_through_relu_and_moving_operators(tmp_path):
    net = Builder()
    net.conv("x", "a", 8, 3, 2.0)
    net.both("Relu", ["a"], ["b"])
    net.conv("b", "c", 8, 8, 2.0)
    net.constant("none", np.zeros(0))
    net.constant("twice", [1, 1, 2, 2])
    net.both("Resize", ["c", "none", "twice"], ["d"], mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric")  # fmt: skip
    net.conv("x", "e", 8, 3, 2.0)
    net.both("Resize", ["e", "none", "twice"], ["f"], mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric")  # fmt: skip
    net.both("Concat", ["d", "f"], ["g"], axis=1)
    net.conv("g", "y", 8, 16, 2.0)
    path = net.save(tmp_path, "y", 8)
    found, size = difference(tmp_path, pictures())
    assert found.mean() < 2e-3 * size
    assert optimised(path, tmp_path)["QLinearConv"] == 3  # all but the last, whose output is float


def test_a_value_is_quantized_by_one_step_for_a_layer_and_by_another_for_what_moves_it(tmp_path):
    """As in PP-OCRv6's stem: a convolution reads it, and a maximum beside it, which a later convolution reads."""
    net = Builder()
    net.conv("x", "a", 8, 3, 2.0)
    net.both("Relu", ["a"], ["b"])
    net.conv("b", "c", 8, 8, 2.0)
    net.both("MaxPool", ["b"], ["d"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    net.conv("d", "e", 8, 8, 2.5)
    net.both("Sum", ["c", "e"], ["y"])
    net.save(tmp_path, "y", 8)
    found, size = difference(tmp_path, pictures())
    assert found.mean() < 2e-3 * size


def test_consumers_share_a_quantizer_of_the_same_scale(tmp_path):
    net = Builder()
    net.conv("x", "a", 4, 3, 2.0)
    net.conv("x", "b", 4, 3, 2.0)
    net.conv("x", "c", 4, 3, 2.5)
    net.both("Sum", ["a", "b", "c"], ["y"])
    path = net.save(tmp_path, "y", 4)
    assert operators(path)["QuantizeLinear"] == 2
    found, size = difference(tmp_path, pictures())
    assert found.max() < 1e-5 * size


def test_a_missing_layer_is_named_and_nothing_is_written(tmp_path):
    net = Builder()
    net.conv("x", "y", 4, 3, 2.0)
    path = net.save(tmp_path, "y", 4)
    before = path.read_bytes()
    with pytest.raises(PpedgeError, match=r"quantized layers are missing in float.onnx: neck\.lost\."):
        to_qdq(tmp_path / "float.onnx", path, [*net.quantizers, Quantizer("neck.lost", "no.w", 1.0)])
    with pytest.raises(PpedgeError, match="all of them"):
        to_qdq(tmp_path / "float.onnx", path, [])
    assert path.read_bytes() == before


def test_same_input_same_bytes(tmp_path):
    net = Builder()
    net.conv("x", "y", 4, 3, 2.0)
    path = net.save(tmp_path, "y", 4)
    before = path.read_bytes()
    to_qdq(tmp_path / "float.onnx", path, net.quantizers)
    assert path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layers"), [("det-un", 5), ("det-unmixed", 4), ("rec-un", 4)])
def test_paddles_quantized_network(name, layers, export_tiny, forks, tmp_path):
    """Layers that the recipe excludes, LSTMs and heads of training alone are no quantized layers."""
    export_tiny(tmp_path, name)
    to_onnx({tmp_path / "float.onnx": tmp_path / name}, forks)
    quantizers = [Quantizer(**entry) for entry in json.loads((tmp_path / f"{name}.json").read_text())]
    assert to_qdq(tmp_path / "float.onnx", tmp_path / "int8.onnx", quantizers) == layers
    inputs, reference = load_cases(tmp_path / f"{name}.npz")
    assert check_mean(tmp_path / "int8.onnx", inputs, reference) < 1e-4
    wrong = [Quantizer(q.layer, q.weight, q.input_scale * (0.3 if i == 1 else 1)) for i, q in enumerate(quantizers)]
    to_qdq(tmp_path / "float.onnx", tmp_path / "wrong.onnx", wrong)
    with pytest.raises(PpedgeError, match="mean difference"):
        check_mean(tmp_path / "wrong.onnx", inputs, reference, tolerance=1e-4)
