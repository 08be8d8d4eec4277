"""Run as a program, ``paddleslim_peer.py FOLDER``: what `tiny` and `clipped` make where PaddleSlim's QAT quantizes."""

import sys
from pathlib import Path

import numpy as np
import tiny

from ppedge.convert import export
from ppedge.models.weights import state_of
from ppedge.slim.int8 import pact

import paddle  # isort: skip - export's import of zlib must come first
from paddle.utils import unique_name  # isort: skip

NAMES = ("det-quantized", "det-mixed", "rec-quantized")
CONFIG = {
    "weight_quantize_type": "channel_wise_abs_max",
    "activation_quantize_type": "moving_average_abs_max",
    "weight_bits": 8,
    "activation_bits": 8,
    "moving_rate": 0.9,
    "quantizable_layer_type": ["Conv2D", "Linear", "Conv2DTranspose"],
    "onnx_format": False,
}


def clipped():
    """State, names of parameters and output of a network with clips, after it has seen a picture in training."""
    net = tiny.build("rec")
    pact.quantize(net, clip_l2=1e-4)
    net.train()
    output = net(paddle.ones([1, 3, 32, 64]))
    names = [f"{name} {parameter.name}" for name, parameter in net.named_parameters()]
    return {**state_of(net), "names": np.array(names), "output": output.numpy()}


if __name__ == "__main__":
    from paddleslim.dygraph.quant import QAT

    folder = Path(sys.argv[1])
    pact.ImperativeQuantAware = export.ImperativeQuantAware = lambda act_preprocess_layer=None, **_: QAT(
        config=CONFIG, act_preprocess=act_preprocess_layer
    )
    for name in NAMES:
        with unique_name.guard():
            tiny.export_tiny(*name.split("-"), folder / name)
    np.savez(folder / "clipped.npz", **clipped())
