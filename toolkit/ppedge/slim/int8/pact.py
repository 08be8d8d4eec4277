"""PACT quantization-aware training on Paddle's fake quantizers, with a symmetric clip whose start is measured.

Source: Choi et al., "PACT: Parameterized Clipping Activation for Quantized Neural Networks", 2018. The original clips
to [0, a]; hardswish has a negative lobe, so here the clip is [-a, a]. LSTM layers stay in float: Paddle has no
quantizer for them, nor has Paddle Lite an int8 kernel.

Paddle's `ImperativeQuantAware`, which PaddleSlim's QAT calls too, puts the quantizers in: networks, names and numbers
are those of PaddleSlim 2.6.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle.quantization import ImperativeQuantAware
from paddle.utils import unique_name

from ppedge.errors import PpedgeError
from ppedge.models.depthwise import accelerate
from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.network import Network
from ppedge.slim.int8.fake_quant import accelerate_quantizers
from ppedge.train.losses.base import Loss
from ppedge.train.trainees.base import Trainee

QUANTIZED = (paddle.nn.Conv2D, paddle.nn.Conv2DTranspose, paddle.nn.Linear)
CLIP = "_act_preprocess.alpha"
WRAPPED = "._layer."  # between a layer's name and what Paddle's wrapper around it holds
INPUT_SCALE = f"{WRAPPED}_fake_quant_input._scale"
SAMPLED = 200_000


class SymmetricPACT(paddle.nn.Layer):
    """Clips to [-a, a] with a learned a: y = x - relu(x - a) + relu(-a - x)."""

    def __init__(self) -> None:
        super().__init__()
        start = paddle.nn.initializer.Constant(20.0)  # `set_clips` puts what was measured in its place
        attribute = paddle.ParamAttr(name=unique_name.generate("pact"), initializer=start)
        self.alpha = self.create_parameter([1], attr=attribute)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Clip x, of any shape."""
        return x - F.relu(x - self.alpha) + F.relu(-self.alpha - x)


def quantize(
    net: paddle.nn.Layer,
    *,
    exclude: Sequence[str] = (),
    float_names: Collection[str] = (),
    clip_l2: float | None = None,
) -> None:
    """Put fake quantizers (int8, weights per channel, activations per tensor) around a network's layers, in place.

    Args:
        net: A float network, pruned or not.
        exclude: Starts of names of layers that stay in float.
        float_names: Whole names of further ones.
        clip_l2: Also put a learned clip before each quantizer of an activation, with this L2 decay, and on a CPU let
            all of them compute in the fast form of `fake_quant`. None for the form that is exported.
    """
    for name, layer in net.named_sublayers():
        if isinstance(layer, QUANTIZED) and (name in float_names or name.startswith(tuple(exclude))):
            layer.skip_quant = True
    quantizer = ImperativeQuantAware(
        quantizable_layer_type=[kind.__name__ for kind in QUANTIZED],
        weight_quantize_type="channel_wise_abs_max",
        act_preprocess_layer=None if clip_l2 is None else SymmetricPACT,
    )
    with unique_name.guard("quant_"):  # the same names whatever was built before
        quantizer.quantize(net)
    for name, parameter in net.named_parameters():
        if name.endswith(CLIP):
            parameter.regularizer = paddle.regularizer.L2Decay(clip_l2 or 0.0)
    if clip_l2 is not None:
        accelerate_quantizers(net)


def float_layers(net: paddle.nn.Layer, exclude: Sequence[str] = ()) -> list[str]:
    """Return the names of the layers with weights that `quantize` leaves in float: excluded ones, and LSTMs."""
    return [
        name
        for name, layer in net.named_sublayers()
        if isinstance(layer, paddle.nn.LSTM)
        or (isinstance(layer, QUANTIZED) and exclude and name.startswith(tuple(exclude)))
    ]


def precisions(net: paddle.nn.Layer, exclude: Sequence[str] = ()) -> dict[str, str]:
    """Return ``fp32`` or ``int8`` by layer, of the layers that `quantize` knows."""
    excluded = float_layers(net, exclude)
    return {
        name: "fp32" if name in excluded else "int8"
        for name, layer in net.named_sublayers()
        if isinstance(layer, QUANTIZED)
    }


def left_in_float(net: paddle.nn.Layer, precision: Mapping[str, str]) -> list[str]:
    """Return the names of the layers with weights that a plan's precisions leave in float, LSTMs among them."""
    return [
        name
        for name, layer in net.named_sublayers()
        if isinstance(layer, paddle.nn.LSTM) or precision.get(name) == "fp32"
    ]


def measure_clips(
    net: paddle.nn.Layer, batches: Iterable[paddle.Tensor], percentile: float, floor: float
) -> dict[str, float]:
    """Return where each layer's clip should start: the mean over batches of a percentile of its input's magnitude.

    Args:
        net: The float network; its BatchNorm is frozen and it is in eval mode afterwards.
        batches: Inputs.
        percentile: 50 to 100.
        floor: Least clip; a layer whose input is always 0 would get 0, which training drives negative.

    Raises:
        PpedgeError: A layer is given what is no finite number, for which 8 bits have no range.
    """
    found: dict[str, list[float]] = {}

    def watch(name: str) -> Callable[[paddle.nn.Layer, tuple[paddle.Tensor, ...]], None]:
        def hook(layer: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> None:
            flat = np.abs(inputs[0].numpy()).ravel()
            # The whole's maximum stands for 100; below it a sample is as good and much faster.
            value = flat.max() if percentile == 100 else np.percentile(flat[:: flat.size // SAMPLED + 1], percentile)
            found.setdefault(name, []).append(float(value))

        return hook

    freeze_batch_norm(net)
    accelerate(net)
    handles = [
        layer.register_forward_pre_hook(watch(name))
        for name, layer in net.named_sublayers()
        if isinstance(layer, QUANTIZED)
    ]
    net.train()  # so that every branch runs, those of training included
    with paddle.no_grad():
        for batch in batches:
            net(batch)
    for handle in handles:
        handle.remove()
    net.eval()
    means = {name: float(np.mean(values)) for name, values in found.items()}
    if lost := [name for name, mean in means.items() if not np.isfinite(mean)]:
        raise PpedgeError(
            f"{lost[0]}: on training pictures this layer is given values that are infinite or no numbers, for which 8 "
            "bits have no range.",
            "Train the network again, by a smaller learning rate; a network that is sound gives no such values.",
        )
    return {name: max(mean, floor) for name, mean in means.items()}


def set_clips(net: paddle.nn.Layer, clips: dict[str, float]) -> None:
    """Start the clips of a quantized network at the given values, by the float network's layer names."""
    parameters = dict(net.named_parameters())
    for name, clip in clips.items():
        parameter = parameters.get(f"{name}._layer.{CLIP}")
        if parameter is not None:
            parameter.set_value(np.full([1], clip, np.float32))


def set_scales(net: paddle.nn.Layer, scales: Mapping[str, float]) -> None:
    """Set the largest magnitude that has a level of the inputs of a quantized network's layers, by layer."""
    state = net.state_dict()
    for name, scale in scales.items():
        state[f"{name}{INPUT_SCALE}"].set_value(np.full([1], scale, np.float32))


def clips_of(net: paddle.nn.Layer) -> dict[str, float]:
    """Return the clips of a network in training, by layer."""
    suffix = f"._layer.{CLIP}"
    return {name.removesuffix(suffix): float(p) for name, p in net.named_parameters() if name.endswith(suffix)}


def describe_course(first: Mapping[str, float], last: Mapping[str, float]) -> str:
    """Say in one line how far training or learning moved the clips; both are by layer, above 0 and not empty."""
    ratios = {name: last[name] / first[name] for name in first}
    farthest = max(ratios, key=lambda name: abs(np.log(ratios[name])))
    clips = f"{len(ratios)} clips, the ranges of what layers are given in 8 bits, end"
    if f"{ratios[farthest]:.3f}" == "1.000":
        return f"{clips} where calibration put them"
    return (
        f"{clips} at {min(ratios.values()):.3f} to {max(ratios.values()):.3f} of their start; "
        f"farthest {farthest}: {first[farthest]:.4g} to {last[farthest]:.4g}"
    )


class Quantized(Trainee):
    """A network with quantizers, whose clips are kept above a floor and told at each evaluation.

    Args:
        net: With quantizers and clips.
        loss: What is minimised.
        floor: Least clip; training drives one that is near 0 negative.
    """

    def __init__(self, net: Network, loss: Loss, floor: float) -> None:
        super().__init__(net, loss)
        self._floor = floor
        self._clips = [p for name, p in net.named_parameters() if name.endswith(CLIP)]

    def after_step(self) -> None:
        """Lift clips to the floor."""
        with paddle.no_grad():
            for clip in self._clips:
                if float(clip) < self._floor:
                    clip.set_value(np.full([1], self._floor, np.float32))

    def log(self) -> dict[str, Any]:
        """Return the clips, by layer."""
        return {"clips": clips_of(self.net)}


def calibrate(net: paddle.nn.Layer, batches: Iterable[paddle.Tensor]) -> None:
    """Let the quantizers see data: their scales are moving averages of what passes; weights stay as they are."""
    freeze_batch_norm(net)
    accelerate(net)
    net.train()
    for name, value in net.state_dict().items():
        # Paddle starts the averages as if a largest magnitude of 1 had been seen once; a few batches do not outweigh
        # that.
        if name.endswith(("._state", "._accum")):
            value.set_value(np.zeros(value.shape, np.float32))
    with paddle.no_grad():
        for batch in batches:
            net(batch)


def without_clips(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the state of the exported form: no clips, since the learned scales already bound the activations."""
    return {name: value for name, value in state.items() if not name.endswith(CLIP)}


def without_quantizers(state: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Take a quantized network's state apart.

    Returns:
        The state of the float network with the same weights, and by name of each quantized layer the largest magnitude
        of its input that has a level.
    """
    added = (CLIP, "._scale", "._state", "._accum")
    weights = {name.replace(WRAPPED, "."): value for name, value in state.items() if not name.endswith(added)}
    scales = {
        name.removesuffix(INPUT_SCALE): float(value.item())
        for name, value in state.items()
        if name.endswith(INPUT_SCALE)
    }
    return weights, scales
