"""What an operator of a ``.nb`` file does to the shapes of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from ppedge.errors import PpedgeError
from ppedge.files.nb import NbFile, Operator

Shape = tuple[int, ...]
HINT = "Measure it with a registered runtime instead (`ppedge arm setup --lite DIR`)."


class UnknownShapeError(PpedgeError):
    """What an operator gives cannot be told."""


class Shapes:
    """Shapes of the variables while the operators are read in order; opt uses one name for several variables."""

    def __init__(self, nb: NbFile, inputs: Sequence[Shape]) -> None:
        self.path, self.inputs = nb.path, inputs
        self.weights = {parameter.name: parameter.shape for parameter in nb.parameters}
        self.known: dict[str, Shape] = dict(self.weights)

    def of(self, op: Operator, slot: str, index: int = 0) -> Shape:
        """Return the shape of one of an operator's inputs.

        Raises:
            UnknownShapeError: It is not known.
        """
        names = op.inputs.get(slot, [])
        if index >= len(names) or names[index] not in self.known:
            raise UnknownShapeError(f"{self.path}: the shape of {op.type}'s input {slot} is not known.", HINT)
        return self.known[names[index]]


_Rule = Callable[[Operator, Shapes], Shape]


def _same(op: Operator, shapes: Shapes) -> Shape:
    return shapes.of(op, "Input" if "Input" in op.inputs else "X")


def is_binary(kind: str) -> bool:
    """Whether an operator of a type computes value by value from two operands."""
    return kind.removeprefix("fusion_").startswith("elementwise_")


def aligned(operands: Sequence[Shape], axis: int) -> tuple[Shape, ...]:
    """Give a second operand with fewer axes than the first the axes of 1 along which it is repeated.

    Args:
        operands: Shapes.
        axis: Of the first, at which the axes of the second begin; -1: both end together.
    """
    if len(operands) != 2 or len(operands[0]) <= len(operands[1]):
        return tuple(operands)
    first, second = operands
    before = axis if axis >= 0 else len(first) - len(second)
    return first, (*(1,) * before, *second, *(1,) * (len(first) - len(second) - before))


def _broadcast(op: Operator, shapes: Shapes) -> Shape:
    x, y = aligned([shapes.of(op, "X"), shapes.of(op, "Y")], int(op.attributes.get("axis", -1)))
    return tuple(map(max, x, y)) if len(x) == len(y) else y


def _sides(op: Operator) -> tuple[tuple[int, int], tuple[int, int]]:
    """Paddings before and after, down and across."""
    paddings = [int(side) for side in op.attributes.get("paddings", (0, 0))]
    if len(paddings) == 2:
        paddings = [paddings[0], paddings[0], paddings[1], paddings[1]]
    return (paddings[0], paddings[1]), (paddings[2], paddings[3])


def _convolution(op: Operator, shapes: Shapes) -> Shape:
    batch, _, *sides = shapes.of(op, "Input")
    filters = shapes.of(op, "Filter")
    dilations = op.attributes.get("dilations", (1, 1))
    if op.attributes.get("padding_algorithm") == "SAME":
        return batch, filters[0], *_kept(op, sides)
    moved = [
        (side + sum(padding) - dilation * (window - 1) - 1) // stride + 1
        for side, padding, dilation, window, stride in zip(
            sides, _sides(op), dilations, filters[2:], op.attributes["strides"], strict=True
        )
    ]
    return batch, filters[0], *moved


def _kept(op: Operator, sides: Sequence[int]) -> list[int]:
    """Return what is left of sides by strides alone, the padding being what it must be."""
    return [-(-side // int(stride)) for side, stride in zip(sides, op.attributes["strides"], strict=True)]


def _transposed(op: Operator, shapes: Shapes) -> Shape:
    batch, _, *sides = shapes.of(op, "Input")
    filters, attributes = shapes.of(op, "Filter"), op.attributes
    moved = [
        (side - 1) * stride - sum(padding) + dilation * (window - 1) + 1 + more
        for side, padding, window, stride, dilation, more in zip(
            sides, _sides(op), filters[2:], attributes["strides"], attributes.get("dilations", (1, 1)),
            attributes.get("output_padding") or (0, 0), strict=True,
        )
    ]  # fmt: skip
    return batch, filters[1] * int(attributes.get("groups", 1)), *(attributes.get("output_size") or moved)


def _pool(op: Operator, shapes: Shapes) -> Shape:
    batch, channels, *sides = shapes.of(op, "X")
    attributes = op.attributes
    if attributes.get("global_pooling"):
        return batch, channels, 1, 1
    if attributes.get("adaptive"):
        return batch, channels, *(int(side) for side in attributes["ksize"])
    if attributes.get("padding_algorithm") == "SAME":
        return batch, channels, *_kept(op, sides)
    up = [stride - 1 if attributes.get("ceil_mode") else 0 for stride in attributes["strides"]]
    moved = [
        (side + sum(padding) - window + more) // stride + 1
        for side, padding, window, more, stride in zip(
            sides, _sides(op), attributes["ksize"], up, attributes["strides"], strict=True
        )
    ]
    return batch, channels, *moved


def _interpolated(op: Operator, shapes: Shapes) -> Shape:
    *front, height, width = shapes.of(op, "X")
    scale, attributes = op.attributes.get("scale") or [], op.attributes
    if not isinstance(scale, Sequence):
        scale = [scale]
    if scale and scale[0] > 0:
        return *front, int(height * scale[0]), int(width * scale[-1])
    return *front, int(attributes["out_h"]), int(attributes["out_w"])


def _concatenated(op: Operator, shapes: Shapes) -> Shape:
    parts = [shapes.of(op, "X", k) for k in range(len(op.inputs["X"]))]
    axis = int(op.attributes["axis"]) % len(parts[0])
    return *parts[0][:axis], sum(part[axis] for part in parts), *parts[0][axis + 1 :]


def _reshaped(op: Operator, shapes: Shapes) -> Shape:
    before = shapes.of(op, "X")
    after = [before[k] if side == 0 else int(side) for k, side in enumerate(op.attributes["shape"])]
    if -1 in after:
        after[after.index(-1)] = prod(before) // prod(side for side in after if side != -1)
    return tuple(after)


def _split(op: Operator, shapes: Shapes) -> Shape:
    before = shapes.of(op, "X")
    axis = int(op.attributes["axis"]) % len(before)
    parts = int(op.attributes.get("num", 0))
    length = before[axis] // parts if parts else int(op.attributes["sections"][0])
    return *before[:axis], length, *before[axis + 1 :]


def _sliced(op: Operator, shapes: Shapes) -> Shape:
    after, attributes = list(shapes.of(op, "Input")), op.attributes
    steps = attributes.get("strides") or [1] * len(attributes["axes"])
    for axis, step, *ends in zip(attributes["axes"], steps, attributes["starts"], attributes["ends"], strict=True):
        if int(step) < 1:
            raise ValueError(f"a slice of steps {step}")
        side = after[int(axis)]
        start, stop = (min(max(int(end) + (side if end < 0 else 0), 0), side) for end in ends)
        after[int(axis)] = -(-(stop - start) // int(step))
    dropped = attributes.get("decrease_axis", ())
    return tuple(side for k, side in enumerate(after) if k not in dropped)


def _squeezed(op: Operator, shapes: Shapes) -> Shape:
    before = shapes.of(op, "X")
    axes = {int(axis) % len(before) for axis in op.attributes.get("axes", [])} or set(range(len(before)))
    return tuple(side for k, side in enumerate(before) if k not in axes or side != 1)


def _unsqueezed(op: Operator, shapes: Shapes) -> Shape:
    after = list(shapes.of(op, "X"))
    for axis in sorted(int(one) % (len(after) + len(op.attributes["axes"])) for one in op.attributes["axes"]):
        after.insert(axis, 1)
    return tuple(after)


def _flattened(op: Operator, shapes: Shapes) -> Shape:
    before = shapes.of(op, "X")
    start, stop = (int(op.attributes[key]) % len(before) for key in ("start_axis", "stop_axis"))
    return *before[:start], prod(before[start : stop + 1]), *before[stop + 1 :]


def _transposed_axes(op: Operator, shapes: Shapes) -> Shape:
    before = shapes.of(op, "X")
    return tuple(before[int(axis)] for axis in op.attributes["axis"])


def _multiplied(op: Operator, shapes: Shapes) -> Shape:
    if op.type == "fc":
        before, weight = shapes.of(op, "Input"), shapes.of(op, "W")
        # The attribute that says how many axes are kept is wrong where opt made one operator of several.
        kept = next((k for k in range(1, len(before)) if prod(before[k:]) == weight[0]), None)
        if kept is None:
            raise PpedgeError(f"{shapes.path}: a fc of {weight} cannot take {before}.", HINT)
        return *before[:kept], weight[1]
    x, y = shapes.of(op, "X"), shapes.of(op, "Y")
    rows = x[-1] if op.attributes.get("trans_x") else x[-2]
    columns = y[-2] if op.attributes.get("trans_y") else y[-1]
    return *x[:-2], rows, columns


def _recurrent(op: Operator, shapes: Shapes) -> Shape:
    steps, batch, _ = shapes.of(op, "Input")
    return steps, batch, int(op.attributes["hidden_size"]) * (2 if op.attributes.get("is_bidirec") else 1)


_ELEMENTWISE = ("relu", "relu6", "hard_swish", "hard_sigmoid", "sigmoid", "swish", "scale", "softmax", "calib",
                "batch_norm", "dropout", "tanh", "leaky_relu", "gelu", "clip", "erf", "pow", "sqrt", "exp",
                "layer_norm", "assign", "fetch")  # fmt: skip
RULES: Mapping[str, _Rule] = {
    "feed": lambda op, shapes: shapes.inputs[int(op.attributes["col"])],
    "fill_constant": lambda op, shapes: tuple(int(side) for side in op.attributes["shape"]),
    **dict.fromkeys(_ELEMENTWISE, _same),
    **dict.fromkeys(("elementwise_add", "elementwise_mul", "elementwise_sub", "elementwise_div",
                     "elementwise_max", "elementwise_min",
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
    "strided_slice": _sliced,
    "squeeze2": _squeezed,
    "unsqueeze2": _unsqueezed,
    "flatten_contiguous_range": _flattened,
    "transpose2": _transposed_axes,
    "fc": _multiplied,
    "matmul_v2": _multiplied,
    "rnn": _recurrent,
    "im2sequence": lambda op, shapes: _sequence(shapes.of(op, "X")),
    "lstm": lambda op, shapes: (shapes.of(op, "Input")[0], shapes.of(op, "Weight")[0]),
    "mul": lambda op, shapes: (shapes.of(op, "X")[0], shapes.of(op, "Y")[1]),
    "pixel_shuffle": lambda op, shapes: _shuffled(op, shapes.of(op, "X")),
}  # fmt: skip


def _sequence(before: Shape) -> Shape:
    """Of windows of one pixel, as exact rewrites make them."""
    return before[0] * prod(before[2:]), before[1]


def _shuffled(op: Operator, before: Shape) -> Shape:
    factor = int(op.attributes["upscale_factor"])
    return before[0], before[1] // factor**2, before[2] * factor, before[3] * factor
