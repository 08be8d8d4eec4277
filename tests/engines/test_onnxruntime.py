import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ppedge.engines import open_engine
from ppedge.engines.onnxruntime import OnnxRuntimeEngine
from ppedge.errors import PpedgeError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Two inputs, two outputs: the difference (a - b) of arrays (n, 2), and a's ReLU."""
    a, b, d, r = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("a", "b", "d", "r"))
    nodes = [helper.make_node("Sub", ["a", "b"], ["d"]), helper.make_node("Relu", ["a"], ["r"])]
    graph = helper.make_graph(nodes, "tiny", [a, b], [d, r])
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_inputs_and_outputs_keep_the_models_order(model):
    a, b = np.float32([[1, -2]]), np.float32([[5, 5]])
    with open_engine("onnxruntime", model) as engine:
        assert isinstance(engine, OnnxRuntimeEngine)
        d, r = engine.run([a, b])
    np.testing.assert_array_equal(d, [[-4, -7]])
    np.testing.assert_array_equal(r, [[1, 0]])


def test_a_later_run_may_have_another_shape(model):
    with OnnxRuntimeEngine(model, threads=1) as engine:
        for rows in (3, 1, 5):
            d, _ = engine.run([np.ones((rows, 2), np.float32), np.zeros((rows, 2), np.float32)])
            np.testing.assert_array_equal(d, np.ones((rows, 2)))


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(PpedgeError, match=r"none\.onnx: no such file"):
        OnnxRuntimeEngine(tmp_path / "none.onnx")


@pytest.mark.parametrize("cut", [0, 20, -20])
def test_a_broken_file_is_one_sentence(model, tmp_path, cut):
    path = tmp_path / "broken.onnx"
    path.write_bytes(model.read_bytes()[:cut])
    with pytest.raises(PpedgeError, match=r"broken\.onnx: onnxruntime cannot load it") as caught:
        OnnxRuntimeEngine(path)
    assert "\n" not in str(caught.value)


def test_other_inputs_are_one_sentence(model):
    one = np.ones((1, 2), np.float32)
    with OnnxRuntimeEngine(model) as engine:
        with pytest.raises(PpedgeError, match="has 2 inputs, 1 were given"):
            engine.run([one])
        with pytest.raises(PpedgeError, match=r"failed on float64 \(1, 2\)"):
            engine.run([one.astype(np.float64), one])
        with pytest.raises(PpedgeError, match=r"failed on float32 \(1, 3\)") as caught:
            engine.run([np.ones((1, 3), np.float32), one])
        assert "\n" not in str(caught.value)


def test_a_failure_inside_the_model_is_one_sentence(model, capfd):
    with OnnxRuntimeEngine(model) as engine, pytest.raises(PpedgeError, match="onnxruntime failed on") as caught:
        engine.run([np.ones((3, 2), np.float32), np.ones((2, 2), np.float32)])
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", ""), "onnxruntime's own log is silent"


def test_a_closed_engine_says_so(model):
    engine = OnnxRuntimeEngine(model)
    engine.close()
    engine.close()
    with pytest.raises(PpedgeError, match="has been closed"):
        engine.run([])
