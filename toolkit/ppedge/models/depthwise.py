"""Depthwise convolutions for training on a CPU, several times as fast as Paddle's own.

Most of MobileNet's training time on a CPU goes into Paddle's depthwise convolution, which works an element at a time.
``depthwise.c`` works on whole blocks of a row. It is compiled for the processor on first use; without a C compiler, on
a GPU and in exported networks Paddle's own serves.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import paddle
from paddle.autograd import PyLayer, PyLayerContext
from paddle.nn.quant.quant_layers import QuantizedConv2D

from ppedge.models import dense
from ppedge.models.native import library, pointer

SOURCE = Path(__file__).with_name("depthwise.c")
KERNELS = (3, 5)


class _Shape(ctypes.Structure):
    """The C side's ``shape``."""

    _fields_: ClassVar = [
        (name, ctypes.c_int)
        for name in "samples channels height width kernel stride_y stride_x padding out_height out_width".split()
    ]


class _Depthwise(PyLayer):
    @staticmethod
    def forward(
        ctx: PyLayerContext, x: paddle.Tensor, weight: paddle.Tensor, stride: tuple[int, int], padding: int
    ) -> paddle.Tensor:
        samples, channels, height, width = x.shape
        kernel = weight.shape[2]
        out = [(side + 2 * padding - kernel) // step + 1 for side, step in zip((height, width), stride, strict=True)]
        ctx.stops = x.stop_gradient, weight.stop_gradient
        x, weight = x.contiguous(), weight.contiguous()
        ctx.shape = _Shape(samples, channels, height, width, kernel, *stride, padding, *out)
        ctx.save_for_backward(x, weight)
        result = paddle.empty([samples, channels, *out], dtype="float32")
        _call("depthwise_forward", ctx.shape, x, weight, result)
        return result

    @staticmethod
    def backward(ctx: PyLayerContext, gradient: paddle.Tensor) -> tuple[paddle.Tensor | None, paddle.Tensor | None]:
        x, weight = ctx.saved_tensor()
        gradient = gradient.contiguous()
        of_input = None if ctx.stops[0] else paddle.empty_like(x)
        of_weight = None if ctx.stops[1] else paddle.empty_like(weight)
        if of_input is not None:
            _call("depthwise_input_gradient", ctx.shape, gradient, weight, of_input)
        if of_weight is not None:
            _call("depthwise_weight_gradient", ctx.shape, x, gradient, of_weight)
        return of_input, of_weight


def _call(name: str, shape: _Shape, *tensors: paddle.Tensor) -> None:
    if getattr(library(SOURCE), name)(ctypes.byref(shape), *map(pointer, tensors)):
        raise MemoryError(name)


def depthwise_conv2d(x: paddle.Tensor, weight: paddle.Tensor, stride: tuple[int, int], padding: int) -> paddle.Tensor:
    """Convolve each channel with its own kernel, differentiably, on the CPU.

    Args:
        x: (N, C, H, W), float32.
        weight: (C, 1, k, k), float32, k being 3 or 5.
        stride: Of height and width.
        padding: On all sides, (k - 1) / 2.

    Returns:
        (N, C, (H + 2 padding - k) // stride + 1, likewise for W).
    """
    return _Depthwise.apply(x, weight, stride, padding)


def accelerate(net: paddle.nn.Layer) -> None:
    """Let a network's convolutions compute faster on a CPU, in place.

    Depthwise ones, quantized ones too, use the fast kernels where there is a compiler; dense ones in the
    forms of `ppedge.models.dense`. Nothing happens on a GPU; calling it twice does no harm. Export sees
    Paddle's own convolutions.
    """
    if not paddle.get_device().startswith("cpu"):
        return
    compiled = library(SOURCE) is not None
    for layer in net.sublayers(include_self=True):
        if compiled and isinstance(layer, paddle.nn.Conv2D | QuantizedConv2D) and _fits(layer):
            layer.forward = functools.partial(_forward, layer, type(layer).forward)
        elif type(layer) is paddle.nn.Conv2D and dense.fits(layer):
            layer.forward = functools.partial(dense.forward, layer)


def _fits(layer: Any) -> bool:
    weight = layer.weight
    return (
        layer._groups == weight.shape[0]
        and weight.shape[1] == 1
        and weight.shape[2] == weight.shape[3] in KERNELS
        and layer._padding_mode == "zeros"
        and _pair(layer._padding) == (weight.shape[2] // 2,) * 2
        and _pair(layer._dilation) == (1, 1)
        and layer._data_format == "NCHW"
    )


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else tuple(value)


def _forward(layer: Any, slow: Callable[..., paddle.Tensor], x: paddle.Tensor) -> paddle.Tensor:
    # Export; mixed precision; a mismatch, for which Paddle has the message.
    if not paddle.in_dynamic_mode() or x.dtype != paddle.float32 or x.shape[1] != layer._groups:
        return slow(layer, x)
    weight = layer.weight
    if isinstance(layer, QuantizedConv2D):
        if layer._act_preprocess is not None:
            x = layer._act_preprocess(x)
        if layer._weight_preprocess is not None:
            weight = layer._weight_preprocess(weight)
        x, weight = layer._fake_quant_input(x), layer._fake_quant_weight(weight)
    y = depthwise_conv2d(x, weight, _pair(layer._stride), _pair(layer._padding)[0])
    return y if layer.bias is None else y + layer.bias.reshape([1, -1, 1, 1])
