"""onnxruntime under the emulator against onnxruntime here."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from ppedge.engines import open_engine
from ppedge.errors import PpedgeError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A convolution, ReLU and a reduction; free height and width; two outputs."""
    weights = np.random.default_rng(0).standard_normal((16, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["y"]),
        helper.make_node("ArgMax", ["y"], ["k"], axis=1, keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16, "h", "w"]),
        helper.make_tensor_value_info("k", TensorProto.INT64, [1, "h", "w"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def picture(height, width):
    return np.random.default_rng(height * width).standard_normal((1, 3, height, width)).astype(np.float32)


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a76"])
def test_arm_gives_what_the_pc_gives(model, cpu):
    here = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
    with open_engine("arm-onnxruntime", model, cpu=cpu) as engine:
        assert engine.runtime == "onnxruntime 1.19.2"
        for image in (picture(32, 32), picture(16, 48), picture(32, 32)):
            y, k = here.run(None, {"x": image})
            arm_y, arm_k = engine.run([image])
            np.testing.assert_allclose(arm_y, y, atol=1e-5)
            np.testing.assert_array_equal(arm_k, k)
            assert arm_k.dtype == np.int64
        assert engine.last_counts is None


def counts_of(model, sizes):
    found = []
    with open_engine("arm-onnxruntime", model, count=True) as engine:
        for size in sizes:
            engine.run([picture(*size)])
            found.append(engine.last_counts)
    return found


@pytest.mark.slow
def test_two_processes_count_the_same(model):
    sizes = [(32, 32), (32, 32), (64, 32)]
    first, again = counts_of(model, sizes), counts_of(model, sizes)
    assert first == again
    for counts in first:
        assert sum(counts.values()) == 2 * counts["total"]
    # Set-up is not in it, and the multiply-accumulates are those of the convolution: 4 lanes at a time.
    per_lane = 16 * 3 * 9 / 4
    assert 0.9 < first[0]["fma"] / (32 * 32 * per_lane) < 1.3
    assert first[2]["fma"] == 2 * first[0]["fma"]
    assert abs(first[1]["total"] / first[0]["total"] - 1) < 0.01


def test_the_count_survives_a_run_that_fails(model):
    with open_engine("arm-onnxruntime", model, count=True) as engine:
        engine.run([picture(32, 32)])
        before = engine.last_counts["fma"]
        with pytest.raises(PpedgeError, match=r"tiny\.onnx: running the network on cortex-a53: .*x"):
            engine.run([np.zeros((1, 5, 32, 32), np.float32)])
        assert engine.last_counts is None
        engine.run([picture(32, 32)])
        assert engine.last_counts["fma"] == before


def test_a_guest_goes_on_without_counting_and_with_another_model(model, tmp_path):
    other = onnx.load(model)
    weights = other.graph.initializer[0]
    weights.CopyFrom(numpy_helper.from_array(-2 * numpy_helper.to_array(weights), weights.name))
    onnx.save(other, tmp_path / "other.onnx")
    image = picture(32, 32)
    wanted = [
        onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"]).run(None, {"x": image})[0]
        for path in (model, tmp_path / "other.onnx")
    ]
    with open_engine("arm-onnxruntime", model, count=True) as engine:
        counting = engine.run([image])[0]
        assert engine.last_counts is not None
        engine.stop_counting()
        asked, run = [], engine._guest.run
        engine._guest.run = lambda *arguments: asked.append(arguments) or run(*arguments)
        np.testing.assert_array_equal(engine.run([picture(32, 64)])[0].shape, (1, 16, 32, 64))
        assert len(asked) == 1 and engine.last_counts is None  # a shape that is new is run once, not first to warm up
        np.testing.assert_array_equal(engine.run([image])[0], counting)
        engine.reopen(tmp_path / "other.onnx")
        np.testing.assert_allclose(engine.run([image])[0], wanted[1], atol=1e-5)
        assert np.abs(wanted[1] - wanted[0]).max() > 1
        (tmp_path / "broken.onnx").write_bytes(b"broken")
        with pytest.raises(PpedgeError, match=r"broken\.onnx: opening the model on cortex-a53"):
            engine.reopen(tmp_path / "broken.onnx")


def test_wrong_inputs_and_files(model, tmp_path):
    with open_engine("arm-onnxruntime", model) as engine:
        with pytest.raises(PpedgeError, match="the model has 1 inputs, 2 were given"):
            engine.run([picture(8, 8), picture(8, 8)])
        assert engine.run([picture(8, 8)])[0].shape == (1, 16, 8, 8)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model.read_bytes()[:100])
    with pytest.raises(PpedgeError, match=r"broken\.onnx: opening the model on cortex-a53"):
        open_engine("arm-onnxruntime", broken)
    with pytest.raises(PpedgeError, match="Did you mean cortex-a5"):
        open_engine("arm-onnxruntime", model, cpu="cortex-a5")
