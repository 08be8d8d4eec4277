"""What slimming for ARM leaves goes through the converters."""

import numpy as np
import paddle
import pytest

from ppedge.convert.export import export_float
from ppedge.convert.lite import to_nb
from ppedge.convert.onnx import to_onnx
from ppedge.engines import open_engine
from ppedge.slim.plan import Plan, apply_plan
from ppedge.slim.rewrites import Rewrite

HEAD = "head.binarize"


@pytest.mark.slow
def test_a_rewritten_detector_is_the_same_as_nb_and_onnx(examples, forks, tmp_path):
    pytest.importorskip("paddlelite")
    pytest.importorskip("paddle2onnx")
    example = examples["det"]
    net = example.build()
    last = "backbone.stage3.3"
    channels = [example.shapes[f"neck.in{k}_conv.weight"][1] for k in (2, 3, 4)]
    channels.append(example.shapes[f"{last}.conv.weight"][1])
    rewrites = (
        Rewrite("fold_bias", HEAD),
        Rewrite("shuffle_head", HEAD),
        Rewrite("linear_neck", "neck", {"in_channels": channels, "width": 8}),
        Rewrite("narrow_head", HEAD, {"width": 8}),
    )
    apply_plan(net, Plan("test", {}, {}, ("head.thresh", last), rewrites))
    net.eval()
    export_float(net, tmp_path / "net", "det")
    nb = to_nb(tmp_path / "net", tmp_path / "net.nb", "fp32")
    assert nb is not None
    to_onnx({tmp_path / "net.onnx": tmp_path / "net"}, forks)
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 96), dtype=np.float32)
    with paddle.no_grad():
        expected = net(paddle.to_tensor(x)).numpy()
    with open_engine("onnxruntime", tmp_path / "net.onnx") as engine:
        np.testing.assert_allclose(engine.run([x])[0], expected, atol=1e-5)
