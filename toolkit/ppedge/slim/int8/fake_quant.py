"""The fake quantizers of training on a CPU: the numbers of Paddle's, in a fraction of the time.

Paddle's quantizers and PACT's clip are a dozen operators a layer, each of which reads and writes the whole
activation, forward and backward; observers of outputs copy theirs. ``fake_quant.c`` reads each activation twice going
forward (for its largest magnitude, then to round it) and once going backward. It is compiled for the processor on first
use; without a C compiler, on a GPU, in mixed precision and in exported networks Paddle's own serve.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import paddle
from paddle.autograd import PyLayer, PyLayerContext
from paddle.nn.quant.quant_layers import (
    FakeQuantChannelWiseAbsMax,
    FakeQuantMovingAverageAbsMax,
    MovingAverageAbsMaxScale,
)

from ppedge.models.native import library, pointer

SOURCE = Path(__file__).with_name("fake_quant.c")
OPTIONS = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")


class _Activation(PyLayer):
    """Clip to [-clip, clip], then round; the gradient goes straight through the rounding."""

    @staticmethod
    def forward(ctx: PyLayerContext, x: paddle.Tensor, clip: paddle.Tensor, quantizer: Any) -> paddle.Tensor:
        x = x.contiguous()
        ctx.wanted, ctx.clip = not x.stop_gradient, float(clip)
        ctx.save_for_backward(x)
        y = paddle.empty_like(x)
        _library().quantize(
            pointer(x), pointer(y), x.size, ctx.clip, quantizer.training, quantizer._moving_rate, *_averages(quantizer)
        )
        return y

    @staticmethod
    def backward(ctx: PyLayerContext, gradient: paddle.Tensor) -> tuple[paddle.Tensor | None, paddle.Tensor]:
        (x,) = ctx.saved_tensor()
        # Written over in place: nobody but this layer's convolution read y, so its gradient is nobody else's, and fresh
        # memory costs more than the computation.
        gradient = gradient.contiguous()
        of_clip = _library().clip_gradient(pointer(x), pointer(gradient), x.size, ctx.clip)
        return gradient if ctx.wanted else None, paddle.full([1], of_clip, "float32")


class _Weight(PyLayer):
    """Round each channel; the gradient goes straight through."""

    @staticmethod
    def forward(ctx: PyLayerContext, weight: paddle.Tensor, quantizer: Any) -> paddle.Tensor:
        weight = weight.contiguous()
        outer, inner = 1, weight.size // weight.shape[0]
        if quantizer._quant_axis == 1:
            outer, inner = weight.shape[0], inner // weight.shape[1]
        rounded = paddle.empty_like(weight)
        _library().quantize_channels(
            pointer(weight), pointer(rounded), pointer(quantizer._scale), outer, quantizer._scale.size, inner
        )
        return rounded

    @staticmethod
    def backward(ctx: PyLayerContext, gradient: paddle.Tensor) -> paddle.Tensor:
        return gradient


def accelerate_quantizers(net: paddle.nn.Layer) -> None:
    """Let a quantized network with PACT's clips train with the fast form, in place.

    Its parameters, their names and their values are as before. Nothing happens where there is no compiler, or on a GPU;
    a network without clips stays fit for export.

    Args:
        net: As `ppedge.slim.int8.pact.quantize` made it with clips, all of which are above 0.
    """
    compiled = library(SOURCE, *OPTIONS) if paddle.get_device().startswith("cpu") else None
    if compiled is None:
        return
    _declare(compiled)
    for layer in net.sublayers():
        clip = getattr(layer, "_act_preprocess", None)
        if clip is not None:
            layer._act_preprocess.forward = _passed_on
            layer._fake_quant_input.forward = functools.partial(_quantize, layer._fake_quant_input, clip)
            layer._fake_quant_weight.forward = functools.partial(_quantize_weight, layer._fake_quant_weight)
        elif isinstance(layer, MovingAverageAbsMaxScale):
            layer.forward = functools.partial(_observe, layer)


def _passed_on(x: paddle.Tensor) -> paddle.Tensor:
    """Stand for a clip that its quantizer applies."""
    return x


def _quantize(layer: FakeQuantMovingAverageAbsMax, clip: Any, x: paddle.Tensor) -> paddle.Tensor:
    if not _plain(x):
        return type(layer).forward(layer, type(clip).forward(clip, x))
    return _Activation.apply(x, clip.alpha, layer)


def _quantize_weight(layer: FakeQuantChannelWiseAbsMax, weight: paddle.Tensor) -> paddle.Tensor:
    return _Weight.apply(weight, layer) if _plain(weight) else type(layer).forward(layer, weight)


def _observe(layer: MovingAverageAbsMaxScale, x: paddle.Tensor) -> paddle.Tensor:
    if not _plain(x):
        return type(layer).forward(layer, x)
    if layer.training:
        seen = x.contiguous()
        _library().observe(pointer(seen), seen.size, layer._moving_rate, *_averages(layer))
    return x


def _plain(x: paddle.Tensor) -> bool:
    return bool(paddle.in_dynamic_mode() and x.dtype == paddle.float32)


def _averages(layer: Any) -> tuple[ctypes.c_void_p, ...]:
    return pointer(layer._scale), pointer(layer._state), pointer(layer._accum)


def _declare(compiled: ctypes.CDLL) -> None:
    """Say what the functions of ``fake_quant.c`` take and return, which the compiled library does not."""
    address, size, real = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float
    compiled.observe.argtypes = [address, size, real, address, address, address]
    compiled.quantize.argtypes = [address, address, size, real, ctypes.c_int, real, address, address, address]
    compiled.clip_gradient.argtypes = [address, address, size, real]
    compiled.clip_gradient.restype = ctypes.c_double
    compiled.quantize_channels.argtypes = [address, address, address, size, size, size]


def _library() -> ctypes.CDLL:
    found = library(SOURCE, *OPTIONS)
    assert found is not None  # else no layer comes here
    return found
