"""The operators of a ``.nb`` file with their shapes at a given input size, as the cost of each depends on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ppedge.errors import PpedgeError, cut
from ppedge.files.nb import NbFile, Operator

Shape = tuple[int, ...]
CORES = ("cortex-a53", "cortex-a76")
CONVOLUTIONS = ("conv2d", "depthwise_conv2d", "conv2d_transpose")
UNCOUNTED = ("feed", "fetch")  # the runtime's loop passes over them


@dataclass(frozen=True)
class Operation:
    """One operator with everything that its cost depends on.

    Attributes:
        type: As a ``.nb`` calls it: ``conv2d``, ``depthwise_conv2d``, ``elementwise_add``, ``calib``, ...
        inputs: Shapes of what it reads, weights left out; (N, C, H, W) for pictures.
        output: Shape of what it writes.
        precision: In which it computes: ``fp32``, ``int8`` or ``any``.
        variant: Of the kernel: ``def``; ``int8_out`` and ``fp32_out`` for what an int8 kernel gives; of a pooling
            ``max`` or ``avg``.
        kernel: Height and width of a convolution's or pooling's window, in pixels.
        strides: Of the window, down and across.
        groups: Of a convolution.
        activation: That is fused into it: ``relu``, ``hard_swish``, ...; empty for none.
        bias: Whether a bias is fused into it.
        hidden: An LSTM's width; 0 for others.
        layers: An LSTM's passes over the sequence: layers times directions; 0 for others.
        weight: Its weight's name in the file; empty for none. The cost does not depend on it.
    """

    type: str
    inputs: tuple[Shape, ...]
    output: Shape
    precision: str = "fp32"
    variant: str = "def"
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    groups: int = 1
    activation: str = ""
    bias: bool = False
    hidden: int = 0
    layers: int = 0
    weight: str = ""


class _Shapes:
    """Shapes of the variables while the operators are read in order; opt uses one name for several variables."""

    def __init__(self, nb: NbFile, inputs: Sequence[Shape]) -> None:
        self.path, self.inputs = nb.path, inputs
        self.weights = {parameter.name: parameter.shape for parameter in nb.parameters}
        self.known: dict[str, Shape] = dict(self.weights)

    def of(self, op: Operator, slot: str, index: int = 0) -> Shape:
        names = op.inputs.get(slot, [])
        if index >= len(names) or names[index] not in self.known:
            raise PpedgeError(f"{self.path}: the shape of {op.type}'s input {slot} is not known.", _HINT)
        return self.known[names[index]]


_HINT = "Measure it with a registered runtime instead (`ppedge arm setup --lite DIR`)."
_Rule = Callable[[Operator, _Shapes], Shape]


def operations(nb: NbFile, *inputs: Shape) -> list[Operation]:
    """Return a file's operators in their order, shapes and all; ``feed`` and ``fetch`` are left out.

    Args:
        nb: The file.
        inputs: Shape of each of the network's inputs at an inference, mostly one (N, C, H, W).

    Raises:
        PpedgeError: An operator is of a type whose shapes are not known here, or its attributes do not fit them; or the
            inputs are not as many as fed.
    """
    fed = sum(op.type == "feed" for op in nb.operators)
    if fed != len(inputs):
        raise PpedgeError(f"{nb.path}: the network has {fed} inputs, {len(inputs)} shapes were given.")
    shapes, found = _Shapes(nb, inputs), []
    for op in nb.operators:
        if op.type not in _RULES:
            raise PpedgeError(f"{nb.path}: what {op.type} does to shapes is not known here.", _HINT)
        try:
            output = _RULES[op.type](op, shapes)
            if op.type not in UNCOUNTED:
                found.append(_operation(op, shapes, output))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise PpedgeError(
                f"{nb.path}: the attributes of an operator {cut(op.type)} do not fit its shapes.",
                "The file is damaged: convert the model again.",
            ) from error
        for names in op.outputs.values():  # of several outputs the first alone is read by anything
            shapes.known.update(dict.fromkeys(names[:1], output))
    return found


def weight_of(op: Operator) -> str:
    """Return the name of an operator's weight; of a bias if it has that alone; empty for none."""
    for slot in ("Filter", "W", "WeightList", "Scale"):
        if op.inputs.get(slot):
            return op.inputs[slot][0]
    return ""


def _operation(op: Operator, shapes: _Shapes, output: Shape) -> Operation:
    read = [name for slot in ("Input", "X", "Y") for name in op.inputs.get(slot, [])]
    attributes, filters = op.attributes, op.inputs.get("Filter", [])
    window = shapes.weights[filters[0]][2:] if filters else attributes.get("ksize", (1, 1))
    if attributes.get("global_pooling"):
        window = shapes.known[read[0]][2:]
    activation = attributes.get("act_type") or "" if attributes.get("with_act", True) else ""
    directions = 2 if attributes.get("is_bidirec") else 1
    return Operation(
        type=op.type,
        inputs=tuple(shapes.known[name] for name in read if name in shapes.known),
        output=output,
        precision=op.precision,
        variant=attributes.get("pooling_type") or (op.kernel.alias if op.kernel else "def"),
        kernel=_pair(window),
        strides=_pair(attributes.get("strides", (1, 1))),
        groups=int(attributes.get("groups", 1)),
        activation=str(activation),
        bias=bool(op.inputs.get("Bias")),
        hidden=int(attributes.get("hidden_size", 0)) if op.type == "rnn" else 0,
        layers=int(attributes.get("num_layers", 0)) * directions if op.type == "rnn" else 0,
        weight=weight_of(op),
    )


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return int(values[0]), int(values[-1])


def _same(op: Operator, shapes: _Shapes) -> Shape:
    return shapes.of(op, "Input" if "Input" in op.inputs else "X")


def _broadcast(op: Operator, shapes: _Shapes) -> Shape:
    x, y = shapes.of(op, "X"), shapes.of(op, "Y")
    return x if prod(x) >= prod(y) else y


def _sides(op: Operator) -> tuple[tuple[int, int], tuple[int, int]]:
    """Paddings before and after, down and across."""
    paddings = [int(side) for side in op.attributes.get("paddings", (0, 0))]
    if len(paddings) == 2:
        paddings = [paddings[0], paddings[0], paddings[1], paddings[1]]
    return (paddings[0], paddings[1]), (paddings[2], paddings[3])


def _convolution(op: Operator, shapes: _Shapes) -> Shape:
    batch, _, *sides = shapes.of(op, "Input")
    filters = shapes.of(op, "Filter")
    dilations = op.attributes.get("dilations", (1, 1))
    moved = [
        (side + sum(padding) - dilation * (window - 1) - 1) // stride + 1
        for side, padding, dilation, window, stride in zip(
            sides, _sides(op), dilations, filters[2:], op.attributes["strides"], strict=True
        )
    ]
    return batch, filters[0], *moved


def _transposed(op: Operator, shapes: _Shapes) -> Shape:
    batch, _, *sides = shapes.of(op, "Input")
    filters = shapes.of(op, "Filter")
    moved = [
        (side - 1) * stride - sum(padding) + window
        for side, padding, window, stride in zip(sides, _sides(op), filters[2:], op.attributes["strides"], strict=True)
    ]
    return batch, filters[1] * int(op.attributes.get("groups", 1)), *moved


def _pool(op: Operator, shapes: _Shapes) -> Shape:
    batch, channels, *sides = shapes.of(op, "X")
    attributes = op.attributes
    if attributes.get("global_pooling"):
        return batch, channels, 1, 1
    if attributes.get("adaptive"):
        return batch, channels, *(int(side) for side in attributes["ksize"])
    up = [stride - 1 if attributes.get("ceil_mode") else 0 for stride in attributes["strides"]]
    moved = [
        (side + sum(padding) - window + more) // stride + 1
        for side, padding, window, more, stride in zip(
            sides, _sides(op), attributes["ksize"], up, attributes["strides"], strict=True
        )
    ]
    return batch, channels, *moved


def _interpolated(op: Operator, shapes: _Shapes) -> Shape:
    *front, height, width = shapes.of(op, "X")
    scale, attributes = op.attributes.get("scale") or [], op.attributes
    if not isinstance(scale, Sequence):
        scale = [scale]
    if scale and scale[0] > 0:
        return *front, int(height * scale[0]), int(width * scale[-1])
    return *front, int(attributes["out_h"]), int(attributes["out_w"])


def _concatenated(op: Operator, shapes: _Shapes) -> Shape:
    parts = [shapes.of(op, "X", k) for k in range(len(op.inputs["X"]))]
    axis = int(op.attributes["axis"]) % len(parts[0])
    return *parts[0][:axis], sum(part[axis] for part in parts), *parts[0][axis + 1 :]


def _reshaped(op: Operator, shapes: _Shapes) -> Shape:
    before = shapes.of(op, "X")
    after = [before[k] if side == 0 else int(side) for k, side in enumerate(op.attributes["shape"])]
    if -1 in after:
        after[after.index(-1)] = prod(before) // prod(side for side in after if side != -1)
    return tuple(after)


def _split(op: Operator, shapes: _Shapes) -> Shape:
    before = shapes.of(op, "X")
    axis = int(op.attributes["axis"]) % len(before)
    parts = int(op.attributes.get("num", 0))
    length = before[axis] // parts if parts else int(op.attributes["sections"][0])
    return *before[:axis], length, *before[axis + 1 :]


def _sliced(op: Operator, shapes: _Shapes) -> Shape:
    after, attributes = list(shapes.of(op, "Input")), op.attributes
    for axis, *ends in zip(attributes["axes"], attributes["starts"], attributes["ends"], strict=True):
        side = after[int(axis)]
        start, stop = (min(max(int(end) + (side if end < 0 else 0), 0), side) for end in ends)
        after[int(axis)] = stop - start
    dropped = attributes.get("decrease_axis", ())
    return tuple(side for k, side in enumerate(after) if k not in dropped)


def _squeezed(op: Operator, shapes: _Shapes) -> Shape:
    before = shapes.of(op, "X")
    axes = {int(axis) % len(before) for axis in op.attributes.get("axes", [])} or set(range(len(before)))
    return tuple(side for k, side in enumerate(before) if k not in axes or side != 1)


def _flattened(op: Operator, shapes: _Shapes) -> Shape:
    before = shapes.of(op, "X")
    start, stop = (int(op.attributes[key]) % len(before) for key in ("start_axis", "stop_axis"))
    return *before[:start], prod(before[start : stop + 1]), *before[stop + 1 :]


def _transposed_axes(op: Operator, shapes: _Shapes) -> Shape:
    before = shapes.of(op, "X")
    return tuple(before[int(axis)] for axis in op.attributes["axis"])


def _multiplied(op: Operator, shapes: _Shapes) -> Shape:
    if op.type == "fc":
        before, weight = shapes.of(op, "Input"), shapes.of(op, "W")
        # The attribute that says how many axes are kept is wrong where opt made one operator of several.
        kept = next((k for k in range(1, len(before)) if prod(before[k:]) == weight[0]), None)
        if kept is None:
            raise PpedgeError(f"{shapes.path}: a fc of {weight} cannot take {before}.", _HINT)
        return *before[:kept], weight[1]
    x, y = shapes.of(op, "X"), shapes.of(op, "Y")
    rows = x[-1] if op.attributes.get("trans_x") else x[-2]
    columns = y[-2] if op.attributes.get("trans_y") else y[-1]
    return *x[:-2], rows, columns


def _recurrent(op: Operator, shapes: _Shapes) -> Shape:
    steps, batch, _ = shapes.of(op, "Input")
    return steps, batch, int(op.attributes["hidden_size"]) * (2 if op.attributes.get("is_bidirec") else 1)


_ELEMENTWISE = ("relu", "relu6", "hard_swish", "hard_sigmoid", "sigmoid", "swish", "scale", "softmax", "calib",
                "batch_norm", "dropout", "tanh", "leaky_relu", "gelu", "layer_norm", "assign", "fetch")  # fmt: skip
_RULES: Mapping[str, _Rule] = {
    "feed": lambda op, shapes: shapes.inputs[int(op.attributes["col"])],
    "fill_constant": lambda op, shapes: tuple(int(side) for side in op.attributes["shape"]),
    **dict.fromkeys(_ELEMENTWISE, _same),
    **dict.fromkeys(("elementwise_add", "elementwise_mul", "elementwise_sub", "elementwise_div",
                     "fusion_elementwise_add_activation", "fusion_elementwise_mul_activation"), _broadcast),
    "conv2d": _convolution,
    "depthwise_conv2d": _convolution,
    "conv2d_transpose": _transposed,
    "pool2d": _pool,
    "nearest_interp": _interpolated,
    "nearest_interp_v2": _interpolated,
    "bilinear_interp_v2": _interpolated,
    "concat": _concatenated,
    "reshape2": _reshaped,
    "split": _split,
    "shape": lambda op, shapes: (len(shapes.of(op, "Input")),),
    "slice": _sliced,
    "squeeze2": _squeezed,
    "flatten_contiguous_range": _flattened,
    "transpose2": _transposed_axes,
    "fc": _multiplied,
    "matmul_v2": _multiplied,
    "rnn": _recurrent,
    "pixel_shuffle": lambda op, shapes: _shuffled(op, shapes.of(op, "X")),
}  # fmt: skip


def _shuffled(op: Operator, before: Shape) -> Shape:
    factor = int(op.attributes["upscale_factor"])
    return before[0], before[1] // factor**2, before[2] * factor, before[3] * factor
