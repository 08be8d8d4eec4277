"""ONNX graphs as inference programs: each operator against onnxruntime, and what is refused."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("paddle", reason="programs are run in Paddle")

from ppedge.engines import open_engine  # noqa: E402
from ppedge.errors import PpedgeError  # noqa: E402
from ppedge.files.inference_model import InferenceModel  # noqa: E402
from ppedge.program.from_onnx.convert import OPERATORS, translate  # noqa: E402

RANDOM = np.random.default_rng(7)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32) * 0.5


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def save(path, nodes, constants=None, opset=13, shape=(None, 3, None, None)):
    """Save a graph from ``x`` to ``y``, where ``x`` are the pictures times a weight: networks have some."""
    given = helper.make_tensor_value_info(
        "pictures", TensorProto.FLOAT, [side or f"side{k}" for k, side in enumerate(shape)]
    )
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    held = {"unit": np.float32([1.25]), **(constants or {})}
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]
    graph = helper.make_graph([node("Mul", "pictures unit", "x"), *nodes], "graph", [given], [made], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)  # the checker wants the output's shape
    sides = model.graph.output[0].type.tensor_type.shape
    if not sides.dim:
        sides.dim.extend([onnx.TensorShapeProto.Dimension(dim_param=f"out{k}") for k in range(4)])
    onnx.save(model, path)
    return path


def difference(path, folder, shapes=((1, 3, 32, 64), (2, 3, 64, 32))):
    """Write a file's program; return it, and how far apart Paddle and onnxruntime are on noise, relative above 1."""
    program = translate(path).program
    height = program.shape("pictures")[2]
    files = InferenceModel.at(folder / "out")
    program.write(files)
    files.check()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    with open_engine("paddle", files.model) as engine:
        for shape in shapes:
            batch, channels, high, wide = shape
            x = RANDOM.standard_normal((batch, channels, height if height > 0 else high, wide), dtype=np.float32)
            (wanted,), (found,) = session.run(None, {"pictures": x}), engine.run([x])
            assert found.shape == wanted.shape
            noted = files.signature().outputs[0]
            assert len(noted) == wanted.ndim and all(a in (-1, b) for a, b in zip(noted, wanted.shape, strict=True))
            worst = max(worst, float(np.abs(found - wanted).max() / max(1, np.abs(wanted).max())))
    return program, worst


def kinds(program):
    """The types of a program's operators, but for its doors and the first, see `save`."""
    return [one.type for one in program.operators if one.type not in ("feed", "fetch")][1:]


def unary(kind, **attributes):
    return [node(kind, "x", "y", **attributes)], {}


def with_constants(kind, *arrays, **attributes):
    names = [f"c{k}" for k in range(len(arrays))]
    return [node(kind, " ".join(["x", *names]), "y", **attributes)], dict(zip(names, arrays, strict=True))


def resized(scales, **attributes):
    """A ``Resize`` by factors."""
    return [node("Resize", "x none scales", "y", **attributes)], {"none": np.float32([]), "scales": np.float32(scales)}


NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
ONE_ROW = [node("ReduceMean", "x", "row", axes=[2], keepdims=1)]

GRAPHS = {
    "relu": unary("Relu"),
    "sigmoid": unary("Sigmoid"),
    "tanh": unary("Tanh"),
    "hard sigmoid": unary("HardSigmoid", alpha=0.3, beta=0.4),
    "leaky relu": unary("LeakyRelu", alpha=0.1),
    "negative": unary("Neg"),
    "erf": unary("Erf"),
    "softmax": unary("Softmax", axis=1),
    "relu6": with_constants("Clip", np.float32(0), np.float32(6)),
    "clip": with_constants("Clip", np.float32(-1), np.float32(0.5)),
    "clip below": with_constants("Clip", np.float32(-1)),
    "add a number": with_constants("Add", np.float32(0.3)),
    "add to each channel": with_constants("Add", normal(1, 3, 1, 1)),
    "multiply each row": ([node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Mul", "t c", "y")], {"c": normal(3)}),
    "subtract": with_constants("Sub", normal(3, 1, 1)),
    "divide": with_constants("Div", np.float32([4.5])),
    "square": with_constants("Pow", np.float32(2)),
    "cube": with_constants("Pow", np.float32(3)),
    "constant first": ([node("Mul", "c x", "y")], {"c": normal(1, 3, 1, 1)}),
    "gate": ([node("GlobalAveragePool", "x", "g"), node("Mul", "g x", "y")], {}),
    "two maps": ([node("Sigmoid", "x", "s"), node("Sub", "x s", "d"), node("Div", "d s", "y")], {}),
    "convolution": with_constants("Conv", normal(4, 3, 3, 3), normal(4), pads=[1, 1, 1, 1], strides=[2, 2]),
    "uneven padding": with_constants("Conv", normal(4, 3, 3, 3), pads=[0, 1, 2, 1]),
    "same padding": with_constants("Conv", normal(4, 3, 2, 2), normal(4), auto_pad="SAME_UPPER"),
    "same padding below": with_constants("Conv", normal(4, 3, 2, 4), auto_pad="SAME_LOWER"),
    "same padding, stride 2": with_constants("Conv", normal(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    "dilated": with_constants("Conv", normal(4, 3, 3, 3), pads=[2, 2, 2, 2], dilations=[2, 2]),
    "depthwise": with_constants("Conv", normal(3, 1, 5, 5), normal(3), pads=[2, 2, 2, 2], group=3),
    "transposed": with_constants("ConvTranspose", normal(3, 4, 2, 2), normal(4), strides=[2, 2]),
    "transposed, padded": with_constants(
        "ConvTranspose", normal(3, 4, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2], output_padding=[1, 1]
    ),
    "batch norm": with_constants("BatchNormalization", normal(3), normal(3), normal(3), np.abs(normal(3)) + 0.1),
    "max pool": unary("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "max pool of stride 1": unary("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
    "average pool": unary("AveragePool", kernel_shape=[3, 2], strides=[3, 2]),
    "average pool, border": unary("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average pool, border counted": unary("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "global max": unary("GlobalMaxPool"),
    "mean of maps": unary("ReduceMean", axes=[2, 3], keepdims=1),
    "mean of rows": unary("ReduceMean", axes=[-2], keepdims=0),
    "largest": unary("ReduceMax", axes=[1], keepdims=1),
    "nearest": resized([1, 1, 2, 4], **NEAREST),
    "nearest, half pixels": resized([1, 1, 2, 2], mode="nearest"),
    "linear": resized([1, 1, 2, 2], mode="linear"),
    "linear, asymmetric": resized([1, 1, 2, 2], mode="linear", coordinate_transformation_mode="asymmetric"),
    "concat": ([node("Relu", "x", "r"), node("Concat", "x r", "y", axis=-3)], {}),
    "split": (
        [node("Split", "x sizes", "a b", axis=1), node("Concat", "b a", "y", axis=1)], {"sizes": np.array([1, 2])}
    ),
    "slice": with_constants("Slice", np.array([1]), np.array([1 << 62]), np.array([1])),
    "slice by steps": with_constants("Slice", np.array([0]), np.array([30]), np.array([2]), np.array([2])),
    "entry": ([node("Gather", "x i", "y", axis=1)], {"i": np.array(-1)}),
    "transpose": unary("Transpose", perm=[0, 3, 1, 2]),
    "squeeze": ([*ONE_ROW, node("Squeeze", "row axes", "y")], {"axes": np.array([2])}),
    "unsqueeze": ([*ONE_ROW, node("Squeeze", "row axes", "s"), node("Unsqueeze", "s axes", "u"),
                   node("Relu", "u", "y")], {"axes": np.array([2])}),
    "flatten": ([node("GlobalAveragePool", "x", "g"), node("Flatten", "g", "y")], {}),
    "reshape": with_constants("Reshape", np.array([0, -1, 3, 4])),
    "product": ([node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("MatMul", "x t", "y")], {}),
    "linear layer": ([node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("MatMul", "t w", "m"),
                      node("Add", "m b", "y")], {"w": normal(3, 5), "b": normal(5)}),
    "gemm": ([node("GlobalAveragePool", "x", "g"), node("Flatten", "g", "f"),
              node("Gemm", "f w b", "y", transB=1, alpha=0.5, beta=2.0)], {"w": normal(5, 3), "b": normal(5)}),
    "handed on": ([node("Identity", "x", "i"), node("Dropout", "i", "d"), node("Cast", "d", "c", to=1),
                   node("Relu", "c", "r"), node("Identity", "r", "y")], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_an_operator_computes_what_onnxruntime_does(name, tmp_path):
    nodes, constants = GRAPHS[name]
    assert difference(save(tmp_path / "one.onnx", nodes, constants), tmp_path)[1] < 5e-6


NEWER = {
    "HardSwish": (unary("HardSwish"), 14),
    "LayerNormalization": (([node("Conv", "x w", "c"), node("Transpose", "c", "t", perm=[0, 2, 3, 1]),
                             node("LayerNormalization", "t g b", "y")],
                            {"w": normal(40, 3, 1, 1), "g": normal(40), "b": normal(40)}), 17),
    "Gelu": (unary("Gelu"), 20),
    "Upsample": (with_constants("Upsample", np.float32([1, 1, 2, 2])), 9),
    "Softmax": (unary("Softmax", axis=3), 11),
}  # fmt: skip


@pytest.mark.parametrize("name", NEWER)
def test_operators_of_other_versions(name, tmp_path):
    (nodes, constants), opset = NEWER[name]
    assert difference(save(tmp_path / "one.onnx", nodes, constants, opset), tmp_path)[1] < 5e-6


def gelu(order):
    """GELU as exporters write it, its factors in several orders."""
    root, half = np.float32(2**0.5), np.float32(0.5)
    start = [node("Div", "x root", "d"), node("Erf", "d", "e"), node("Add", "e one", "a")]
    ends = {
        "x first": [node("Mul", "x a", "m"), node("Mul", "m half", "y")],
        "half first": [node("Mul", "half a", "m"), node("Mul", "x m", "y")],
        "half x": [node("Mul", "x half", "h"), node("Mul", "h a", "y")],
    }
    return [*start, *ends[order]], {"root": root, "half": half, "one": np.float32(1)}


def layer_norm(square):
    nodes = [
        node("Conv", "x w", "wide"),
        node("Transpose", "wide", "t", perm=[0, 2, 3, 1]),
        node("ReduceMean", "t", "mean", axes=[-1]),
        node("Sub", "t mean", "c"),
        node(*square),
        node("ReduceMean", "s", "v", axes=[-1]),
        node("Add", "v eps", "ve"),
        node("Sqrt", "ve", "r"),
        node("Div", "c r", "n"),
        node("Mul", "n g", "ng"),
        node("Add", "ng b", "y"),
    ]
    constants = {"w": normal(40, 3, 1, 1), "g": normal(40), "b": normal(40)}
    return nodes, {**constants, "two": np.float32(2), "eps": np.float32(1e-5)}


def hard_swish():
    nodes = [
        node("Add", "x three", "a"),
        node("Clip", "a zero six", "c"),
        node("Mul", "x c", "m"),
        node("Div", "m six", "y"),
    ]
    return nodes, {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}


def entries():
    nodes = []
    for k in range(2):
        nodes += [node("Slice", f"x k{k} k{k + 1} axis", f"s{k}"), node("Squeeze", f"s{k} axis", f"e{k}")]
    return [*nodes, node("Add", "e0 e1", "y")], {**{f"k{k}": np.array([k]) for k in range(3)}, "axis": np.array([1])}


@pytest.mark.parametrize(
    ("graph", "becomes"),
    [
        (gelu("x first"), ["gelu"]),
        (gelu("half first"), ["gelu"]),
        (gelu("half x"), ["gelu"]),
        (layer_norm(("Pow", "c two", "s")), ["conv2d", "transpose2", "layer_norm"]),
        (layer_norm(("Mul", "c c", "s")), ["conv2d", "transpose2", "layer_norm"]),
        (hard_swish(), ["hard_swish"]),
        (([node("HardSigmoid", "x", "h", alpha=1 / 6), node("Mul", "h x", "y")], {}), ["hard_swish"]),
        (entries(), ["slice", "slice", "elementwise_add"]),
    ],
)
def test_what_exporters_take_apart_is_put_together(graph, becomes, tmp_path):
    program, worst = difference(save(tmp_path / "one.onnx", *graph), tmp_path)
    assert kinds(program) == becomes
    assert worst < 5e-6


@pytest.mark.parametrize(
    "graph",
    [
        ([*gelu("x first")[0][:-1], node("Mul", "m half", "g"), node("Add", "g e", "y")], gelu("x first")[1]),
        (hard_swish()[0], {**hard_swish()[1], "three": np.float32(2)}),
    ],
)
def test_what_only_looks_like_it_stays_apart(graph, tmp_path):
    program, worst = difference(save(tmp_path / "one.onnx", *graph), tmp_path)
    assert not {"gelu", "hard_swish", "layer_norm"} & set(kinds(program))
    assert worst < 5e-6


def test_shapes_that_are_computed_become_free_sides(tmp_path):
    """Flattening by the input's own shape, as Paddle2ONNX writes it, and going back."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Slice", "shape zero two", "front"),
        node("Concat", "front rest", "flat_shape", axis=0),
        node("Reshape", "x flat_shape", "flat"),
        node("Relu", "flat", "r"),
        node("Shape", "r", "again"),
        node("Reshape", "r again", "same"),
        node("Reshape", "same shape", "y"),
    ]
    constants = {"zero": np.array([0]), "two": np.array([2]), "rest": np.array([-1])}
    path = save(tmp_path / "one.onnx", nodes, constants, shape=(None, 3, 48, None))
    program, worst = difference(path, tmp_path, [(1, 3, 48, 40), (2, 3, 48, 200)])
    assert (kinds(program), worst) == (["reshape2", "relu", "reshape2"], 0)
    assert [one.get("shape") for one in program.operators if one.type == "reshape2"] == [[0, 3, -1], [0, 3, 48, -1]]


def test_a_size_that_is_computed_is_a_factor(tmp_path):
    nodes = [
        node("Shape", "x", "shape"),
        node("Mul", "shape factors", "size"),
        node("Resize", "x none none size", "y", **NEAREST),
    ]
    constants = {"factors": np.array([1, 1, 2, 2]), "none": np.float32([])}
    program, worst = difference(save(tmp_path / "one.onnx", nodes, constants), tmp_path)
    assert [one.get("scale") for one in program.operators if one.type == "nearest_interp_v2"] == [[2.0, 2.0]]
    assert worst == 0


def test_weights_keep_their_names_and_others_cannot_meet_those_of_a_converter(tmp_path):
    """Paddle2ONNX names what it adds ``Add.1``, and takes a variable of that name for its own."""
    nodes = [node("Conv", "x conv2d_7.w_0", "Conv.1"), node("Add", "Conv.1 helper.constant.0", "y")]
    constants = {"conv2d_7.w_0": normal(4, 3, 1, 1), "helper.constant.0": normal(1, 4, 1, 1)}
    program, _ = difference(save(tmp_path / "one.onnx", nodes, constants), tmp_path)
    assert set(program.weights) - {"unit"} == {"conv2d_7.w_0", "onnx.helper.constant.0"}
    assert "onnx.Conv.1" in [name for one in program.operators for name in one.writes]


def test_equal_files_give_equal_programs(tmp_path):
    path = save(tmp_path / "one.onnx", *GRAPHS["convolution"])
    written = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files = InferenceModel.at(tmp_path / folder / "net")
        translate(path).program.write(files)
        written.append((files.model.read_bytes(), files.params.read_bytes()))
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("nodes", "constants", "told"),
    [
        ([node("Cos", "x", "c"), node("Relu", "c", "y", name="last")], {}, "the node of 'c', operator Cos,"),
        ([node("Softsign", "x", "y", name="odd one")], {}, "for node 'odd one', operator Softsign, which is not one"),
        ([node("Cast", "x", "i", to=7), node("Cast", "i", "y", to=1)], {}, "Cast"),
        ([node("Conv", "x x2", "y")], None, "cannot"),
        (*with_constants("Slice", np.array([4]), np.array([-9]), np.array([2]), np.array([-1])), "runs backwards"),
        (*resized([1, 1, 1.5, 1.5], **NEAREST), "whole factors"),
        (*resized([1, 1, 2, 2], mode="cubic"), "mode cubic"),
        ([node("Shape", "x", "s"), node("Cast", "s", "f", to=1), node("Slice", "f zero one", "n"),
          node("Mul", "x n", "y")], {"zero": np.array([0]), "one": np.array([1])}, "computed from the picture's size"),
        ([node("Shape", "x", "s"), node("Cast", "s", "y", to=1)], {}, "is not computed from the picture"),
        (*with_constants("Reshape", np.array([7, 7])), "onnxruntime cannot run it"),
    ],
)  # fmt: skip
def test_what_cannot_be_brought_in_is_one_sentence(nodes, constants, told, tmp_path):
    path = save(tmp_path / "one.onnx", nodes, constants)
    with pytest.raises(PpedgeError) as caught:
        translate(path)
    assert told in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_and_networks(tmp_path):
    path = tmp_path / "one.onnx"
    with pytest.raises(PpedgeError, match="cannot be read"):
        translate(path)
    for content in (b"", b"no model", save(path, *unary("Relu")).read_bytes()[:-9]):
        path.write_bytes(content)
        with pytest.raises(PpedgeError, match="damaged or not an ONNX file"):
            translate(path)
    with pytest.raises(PpedgeError, match=r"input 'pictures' is not pictures \(N, 3, height, width\)"):
        translate(save(path, *unary("Relu"), shape=(None, 7)))


def test_a_height_that_only_seems_free(tmp_path):
    """A network of lines, whose rows are pooled by a window of 48 of them."""
    nodes = [
        node("AveragePool", "x", "p", kernel_shape=[48, 1]),
        node("Reshape", "p shape", "q"),
        node("Transpose", "q", "y", perm=[0, 2, 1]),
    ]
    path = save(tmp_path / "one.onnx", nodes, {"shape": np.array([1, 3, -1])})
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None, 3]))
    onnx.save(model, path)
    translated = translate(path)
    assert translated.program.shape("pictures") == (-1, 3, 48, -1)
    assert translated.notes == ["the file leaves the height of lines free: 48 pixels are taken"]


def test_every_operator_has_a_graph():
    """What is translated is tried here, alone or as what patterns become."""
    tried = {one.op_type for nodes, _ in GRAPHS.values() for one in nodes} | set(NEWER)
    assert set(OPERATORS) - tried <= {"Sqrt", "Exp", "Log", "Abs", "Floor", "Max", "Min", "Sum", "ReduceSum"}
