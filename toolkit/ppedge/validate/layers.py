"""What quantizing costs, layer by layer: the quantized network beside the same weights without quantizers.

Run it in a process of its own (``python -m ppedge.validate.layers RUN INPUTS.npz OUT.json``), since the validate stage
does without Paddle.

The two networks have the same weights, those that quantization-aware training left, so that all they differ by is
quantization: 8-bit weights, inputs that are clipped and rounded. What training itself changed of the weights is no
error, and is given apart (``weight_change_db``), against the pruned float network. Of each layer:

    own           the quantized layer on the float network's input to it, against the float layer
    accumulated   its output when the whole quantized network runs, against the float network's

A layer's output is that of the operator itself, before BatchNorm and activation.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import paddle

from ppedge.data.kept import kept_recipe
from ppedge.errors import PpedgeError
from ppedge.metrics.tensors import TensorStatistics, finite
from ppedge.runs import Run
from ppedge.slim.int8.pact import QUANTIZED
from ppedge.slim.network import load_float, load_quantized, load_unquantized
from ppedge.storage import write_json
from ppedge.train.task import Task

Hook = Callable[[paddle.nn.Layer, tuple[paddle.Tensor, ...], paddle.Tensor], None]


@dataclass
class Row:
    """What is known of one layer.

    Attributes:
        layer: Its structured name in the float network: ``backbone.stage2.1.bottleneck_conv.conv``.
        operator: What it computes.
        quantized: Whether it is; others have no own error, but pass on what reaches them.
        input_scale: The magnitude that its input is clipped to and that 127 stands for; None if it is not quantized.
        input_max: Largest magnitude of its input in the float network.
        clipped: Values of its input beyond ``input_scale``.
        values: Values of its input.
        own: The quantized layer by itself.
        accumulated: The quantized network as a whole, up to this layer.
        weight_change: Its weights against the pruned float network's.
    """

    layer: str
    operator: str
    quantized: bool
    input_scale: float | None
    input_max: float = 0.0
    clipped: int = 0
    values: int = 0
    own: TensorStatistics = field(default_factory=TensorStatistics)
    accumulated: TensorStatistics = field(default_factory=TensorStatistics)
    weight_change: TensorStatistics = field(default_factory=TensorStatistics)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON values; a ratio that is infinite or not a number is null, see its cosine."""
        own, accumulated = self.own.result(), self.accumulated.result()
        return {
            "layer": self.layer,
            "operator": self.operator,
            "quantized": self.quantized,
            "own_snr_db": finite(own.snr_db),
            "own_cosine": finite(own.cosine),
            "accumulated_snr_db": finite(accumulated.snr_db),
            "accumulated_cosine": finite(accumulated.cosine),
            "input_scale": self.input_scale,
            "input_max": finite(self.input_max),
            "input_clipped": self.clipped / max(self.values, 1),
            "weight_change_db": finite(self.weight_change.result().snr_db),
        }

    def badness(self) -> tuple[float, float]:
        """What rows are sorted by: what is not finite is worst, then the lowest ratios."""
        ratios = [each.result().snr_db for each in (self.own, self.accumulated)]
        own, accumulated = (-math.inf if math.isnan(ratio) else ratio for ratio in ratios)
        return own, accumulated


def layer_table(
    plain: paddle.nn.Layer,
    quantized: paddle.nn.Layer,
    inputs: Sequence[np.ndarray],
    before: paddle.nn.Layer | None = None,
) -> list[dict[str, Any]]:
    """Compare two networks of the same weights on the same inputs.

    Args:
        plain: The float network.
        quantized: The same with quantizers, in the form that is exported.
        inputs: (N, 3, H, W) float32 each.
        before: The float network whose weights quantization-aware training began with.

    Returns:
        `Row.to_dict` of every convolution, linear layer and LSTM that eval mode uses, the largest own error first.
    """
    layers, others = _named(plain), dict(quantized.named_sublayers())
    rows = {name: _row(name, layer, others[name]) for name, layer in layers.items()}
    with paddle.no_grad():
        for x in inputs:
            outputs = _watch_plain(plain, layers, others, rows, x)
            _watch_quantized(quantized, others, rows, outputs, x)
    earlier = {} if before is None else _named(before)
    for name, layer in layers.items():
        for parameter, start in zip(layer.parameters(), earlier[name].parameters() if earlier else [], strict=False):
            rows[name].weight_change.add(start.numpy(), parameter.numpy())
    used = [row for row in rows.values() if row.values]  # a head that training alone uses never runs
    return [row.to_dict() for row in sorted(used, key=Row.badness)]


def _named(net: paddle.nn.Layer) -> dict[str, paddle.nn.Layer]:
    net.eval()
    return {name: layer for name, layer in net.named_sublayers() if isinstance(layer, (*QUANTIZED, paddle.nn.LSTM))}


def _row(name: str, layer: paddle.nn.Layer, other: paddle.nn.Layer) -> Row:
    operator = type(layer).__name__
    if isinstance(layer, paddle.nn.Conv2D) and layer._groups > 1:
        operator = "depthwise Conv2D"
    # Paddle's quantized layer lies in a wrapper that measures its output.
    quantizer = getattr(getattr(other, "_layer", other), "_fake_quant_input", None)
    scale = None if quantizer is None else quantizer._scale.item()
    return Row(name, operator, quantizer is not None, scale)


@contextmanager
def _hooked(layers: dict[str, paddle.nn.Layer], hook: Callable[[str], Hook]) -> Iterator[None]:
    handles = [layer.register_forward_post_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _watch_plain(
    net: paddle.nn.Layer,
    layers: dict[str, paddle.nn.Layer],
    others: dict[str, paddle.nn.Layer],
    rows: dict[str, Row],
    x: np.ndarray,
) -> dict[str, np.ndarray]:
    """Run the float network, and each quantized layer on the float layer's input; return the float layers' outputs."""
    outputs = {}

    def watch(name: str) -> Hook:
        def hook(layer: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...], output: Any) -> None:
            row, taken = rows[name], np.abs(inputs[0].numpy())
            row.input_max = max(row.input_max, float(taken.max(initial=0.0)))
            row.values += taken.size
            if row.input_scale is not None:
                row.clipped += int((taken > row.input_scale).sum())
            outputs[name] = _array(output)
            row.own.add(outputs[name], _array(others[name](*inputs)))

        return hook

    with _hooked(layers, watch):
        net(paddle.to_tensor(x))
    return outputs


def _watch_quantized(
    net: paddle.nn.Layer,
    layers: dict[str, paddle.nn.Layer],
    rows: dict[str, Row],
    outputs: dict[str, np.ndarray],
    x: np.ndarray,
) -> None:
    def watch(name: str) -> Hook:
        def hook(layer: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...], output: Any) -> None:
            rows[name].accumulated.add(outputs[name], _array(output))

        return hook

    with _hooked({name: layers[name] for name in outputs}, watch):
        net(paddle.to_tensor(x))


def _array(output: Any) -> np.ndarray:
    """Return a layer's output; an LSTM gives its last states beside it."""
    return np.asarray((output[0] if isinstance(output, tuple) else output).numpy())


def read_inputs(path: Path) -> list[np.ndarray]:
    """Read the arrays that the parent wrote.

    Raises:
        PpedgeError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[name] for name in arrays.files]
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise PpedgeError(f"{path}: no inputs for the layer table ({error}).") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the layer table of a run's quantized network: the child process of the validate stage."""
    parser = argparse.ArgumentParser(prog="python -m ppedge.validate.layers")
    parser.add_argument("run", type=Path)
    parser.add_argument("inputs", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        run, inputs = Run(options.run), read_inputs(options.inputs)
        task = Task.of_run(kept_recipe(run), run)
        plain, quantized = load_unquantized(run, task)[0], load_quantized(run, task)
        table = layer_table(plain, quantized, inputs, load_float(run, task, "slim"))
        write_json(options.out, table)
    except PpedgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
