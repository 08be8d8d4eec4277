"""Small networks as inference programs, and what Paddle computes of a program."""

import numpy as np
import paddle
from paddle.static import InputSpec
from paddle.utils import unique_name

from ppedge.engines import open_engine
from ppedge.files.inference_model import InferenceModel
from ppedge.program.operator import Operator
from ppedge.program.program import Program


class Function(paddle.nn.Layer):
    """A network whose forward is a function of its sublayers."""

    def __init__(self, layers, forward):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


def exported(folder, make, forward, shape=(-1, 3, -1, -1)):
    """Export a network; ``make`` returns its sublayers by name, ``forward`` is given the network and its input."""
    folder.mkdir(parents=True, exist_ok=True)
    paddle.seed(3)
    with unique_name.guard():
        net = Function(make(), forward)
        # Biases and running statistics that change numbers, as those of a trained network.
        for name, array in (*net.named_buffers(), *net.named_parameters()):
            if (array.ndim == 1 and array.size > 1) or name.endswith(".bias"):
                array.set_value(paddle.rand(array.shape) + (0.5 if "variance" in name else -0.4))
        net.eval()
        paddle.jit.save(net, str(folder / "net"), input_spec=[InputSpec(list(shape), "float32", name="x")])
    return InferenceModel.at(folder / "net")


def program_of(folder, make, forward, shape=(-1, 3, -1, -1)):
    """Likewise, read."""
    return Program.read(exported(folder, make, forward, shape))


def outputs_of(program, folder, shape=(1, 3, 9, 14)):
    """What Paddle makes of a program and a seeded input."""
    folder.mkdir(parents=True, exist_ok=True)
    files = InferenceModel.at(folder / "out")
    program.write(files)
    x = np.random.default_rng(5).standard_normal(shape, dtype=np.float32)
    with open_engine("paddle", files.model) as engine:
        return engine.run([x])


def types(program):
    """The types of a program's operators, but for its doors."""
    return [one.type for one in program.operators if one.type not in ("feed", "fetch")]


def round_to_8_bits(program, layers):
    """Compute convolutions in 8 bits, by the operators that the quantizers of training export.

    ``layers``: their types. What they are given reaches from -3 to 3.
    """
    for op in [one for one in program.operators if one.type in layers]:
        source, weight = op.input("Input"), op.input("Filter")
        bits = {"bit_length": 8}
        scale = program.add_weight(f"{source}.scale", np.array([3.0], np.float32), origin=weight)
        given, rounded = (program.add_variable(f"{name}.rounded", source) for name in (source, weight))
        axis = 1 if op.type == "conv2d_transpose" else 0
        largest = np.abs(program.weights[weight]).max(axis=tuple({0, 1, 2, 3} - {axis}))
        scales = program.add_weight(f"{weight}.scales", largest, origin=weight)
        program.insert(
            [
                Operator.make(
                    "fake_quantize_dequantize_moving_average_abs_max",
                    {"X": [source], "InScale": [scale]},
                    {"Out": [given], "OutScale": [scale]},
                    {**bits, "is_test": True, "moving_rate": 0.9},
                ),
                Operator.make(
                    "fake_channel_wise_quantize_dequantize_abs_max",
                    {"X": [weight]},
                    {"Out": [rounded], "OutScale": [scales]},
                    {**bits, "quant_axis": axis},
                ),
            ],
            before=op,
        )
        op.set_input("Input", [given])
        op.set_input("Filter", [rounded])
