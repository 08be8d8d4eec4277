"""Operators put together one behind the other, with the attributes that Paddle's own exporter gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ppedge.program.operator import Operator, Value
from ppedge.program.program import Program

FREE = -1
"""A side that differs by input."""


class Steps:
    """Operators that do not stand in the program yet, though their variables are declared there.

    Each method adds one operator and returns the variable that it writes: a new one, or the one that ``out`` names,
    which nothing else may write then.

    Args:
        program: Where they will stand.
        like: A variable of the same type as all that they make, after which they are named.
    """

    def __init__(self, program: Program, like: str) -> None:
        self.program = program
        self.operators: list[Operator] = []
        self._like = like

    def insert(self, behind: Operator) -> None:
        """Put them behind an operator of the program, in their order."""
        at = next(k for k, one in enumerate(self.program.operators) if one is behind)
        self.program.operators[at + 1 : at + 1] = self.operators

    def variable(self, shape: Sequence[int]) -> str:
        """Declare a variable; sides that differ by input are `FREE`."""
        return self.program.add_variable(f"{self._like}.part", self._like, shape)

    def reshape(self, source: str, to: Sequence[int], shape: Sequence[int], out: str | None = None) -> str:
        """Give a variable other sides: ``to`` may hold 0, for one that stays, and -1, for the one that is left."""
        aside = self.variable((0, *self.program.shape(source)))
        made = out or self.variable(shape)
        self._put("reshape2", {"X": [source]}, {"Out": [made], "XShape": [aside]}, {"shape": list(to)})
        return made

    def parts(self, source: str, axis: int, count: int) -> list[str]:
        """Take a variable apart along an axis into parts of one, which keep the axis."""
        shape = list(self.program.shape(source))
        shape[axis] = 1
        made = [self.variable(shape) for _ in range(count)]
        self._put("split", {"X": [source]}, {"Out": made}, {"axis": axis, "num": 0, "sections": [1] * count})
        return made

    def squeeze(self, source: str, axis: int, out: str) -> None:
        """Drop an axis of one."""
        aside = self.variable((0, *self.program.shape(source)))
        self._put("squeeze2", {"X": [source]}, {"Out": [out], "XShape": [aside]}, {"axes": [axis]})

    def stacked(self, row: str, times: int) -> str:
        """Put a map of one row below itself, so many times in all."""
        batch, channels, _, width = self.program.shape(row)
        made = self.variable((batch, channels, times, width))
        self._put("concat", {"X": [row] * times}, {"Out": [made]}, {"axis": 2})
        return made

    def pool(self, source: str, kind: str, window: int, shape: Sequence[int], out: str | None = None) -> str:
        """Pool windows of one side, two rows and columns apart; ``kind`` is ``max`` or ``avg``."""
        attributes: dict[str, Value] = {
            "adaptive": False,
            "ceil_mode": False,
            "data_format": "NCHW",
            "exclusive": True,
            "global_pooling": False,
            "ksize": [window, window],
            "padding_algorithm": "EXPLICIT",
            "paddings": [0, 0],
            "pooling_type": kind,
            "strides": [2, 2],
        }
        return self._one("pool2d", {"X": [source]}, "Out", attributes, shape, out)

    def sum(self, first: str, second: str, out: str | None = None) -> str:
        """Add two variables of the same shape."""
        return self._pair("elementwise_add", first, second, out)

    def maximum(self, first: str, second: str, out: str | None = None) -> str:
        """Take the larger of each two values of two variables of the same shape."""
        return self._pair("elementwise_max", first, second, out)

    def product(self, first: str, second: str, out: str | None = None) -> str:
        """Multiply two variables of the same shape."""
        return self._pair("elementwise_mul", first, second, out)

    def _pair(self, kind: str, first: str, second: str, out: str | None) -> str:
        inputs = {"X": [first], "Y": [second]}
        return self._one(kind, inputs, "Out", {"axis": -1}, self.program.shape(first), out)

    def bias(self, source: str, values: str, out: str | None = None) -> str:
        """Add a weight of one value a channel to a map."""
        inputs = {"X": [source], "Y": [values]}
        return self._one("elementwise_add", inputs, "Out", {"axis": 1}, self.program.shape(source), out)

    def scale(self, source: str, factor: float, out: str | None = None, *, shift: float = 0.0) -> str:
        """Multiply a variable by a number, and then add one."""
        attributes: dict[str, Value] = {"scale": factor, "bias": shift, "bias_after_scale": True}
        return self._one("scale", {"X": [source]}, "Out", attributes, self.program.shape(source), out)

    def sigmoid(self, source: str) -> str:
        """Compute the sigmoid of each value of a variable."""
        return self._one("sigmoid", {"X": [source]}, "Out", {}, self.program.shape(source), None)

    def limited(self, source: str, most: float) -> str:
        """Bring each value of a variable between 0 and a number."""
        attributes: dict[str, Value] = {"min": 0.0, "max": most}
        return self._one("clip", {"X": [source]}, "Out", attributes, self.program.shape(source), None)

    def again(self, operator: Operator, source: str) -> str:
        """Apply another operator of the program, one from ``X`` to ``Out``, to a variable whose sides it leaves."""
        made, copy = self.variable(self.program.shape(source)), operator.copy()
        copy.set_input("X", [source])
        copy.set_output("Out", [made])
        self.operators.append(copy)
        return made

    def convolution(self, source: str, filters: str, groups: int = 1) -> str:
        """Convolve a map pixel by pixel with a weight (outputs, inputs / groups, 1, 1)."""
        batch, _, *sides = self.program.shape(source)
        shape = (batch, self.program.shape(filters)[0], *sides)
        attributes = _convolution(1, groups)
        return self._one("conv2d", {"Input": [source], "Filter": [filters]}, "Output", attributes, shape, None)

    def depthwise(self, source: str, filters: str, padding: Sequence[int]) -> str:
        """Convolve each channel with its own of a weight (channels, 1, side, side), padded to the size of the map.

        Args:
            source: The map.
            filters: The weight.
            padding: Rows above and below, columns left and right.
        """
        shape = self.program.shape(source)
        top, bottom, left, right = padding
        even = (top, left) == (bottom, right)
        attributes = {**_convolution(1, shape[1]), "paddings": [top, left] if even else list(padding)}
        inputs = {"Input": [source], "Filter": [filters]}
        return self._one("depthwise_conv2d", inputs, "Output", attributes, shape, None)

    def doubled(self, source: str, filters: str, out: str | None = None) -> str:
        """Convolve each channel, transposed, with its own 2x2 of a weight (channels, 1, 2, 2), two pixels apart."""
        batch, channels, *sides = self.program.shape(source)
        attributes = _convolution(2, channels)
        inputs, shape = {"Input": [source], "Filter": [filters]}, (batch, channels, *_times(sides, 2))
        return self._one("depthwise_conv2d_transpose", inputs, "Output", attributes, shape, out)

    def pixel_shuffle(self, source: str, factor: int, out: str | None = None) -> str:
        """Make pixels of channels: (N, C * factor ** 2, H, W) to (N, C, H * factor, W * factor)."""
        batch, channels, *sides = self.program.shape(source)
        shape = (batch, channels // factor**2, *_times(sides, factor))
        attributes: dict[str, Value] = {"upscale_factor": factor, "data_format": "NCHW"}
        return self._one("pixel_shuffle", {"X": [source]}, "Out", attributes, shape, out)

    def sequence(self, source: str, channels: int) -> str:
        """Make of a map of one row (N, C, 1, T) sequences one behind the other (N T, C) that know where each begins."""
        attributes: dict[str, Value] = {
            "kernels": [1, 1],
            "out_stride": [1, 1],
            "paddings": [0, 0, 0, 0],
            "strides": [1, 1],
        }
        return self._one("im2sequence", {"X": [source]}, "Out", attributes, (FREE, channels), None)

    def linear(self, source: str, weight: str) -> str:
        """Multiply rows with a weight (inputs, outputs)."""
        attributes: dict[str, Value] = {"x_num_col_dims": 1, "y_num_col_dims": 1}
        shape = (FREE, self.program.shape(weight)[1])
        return self._one("mul", {"X": [source], "Y": [weight]}, "Out", attributes, shape, None)

    def lstm(self, source: str, state: str, bias: str, *, backward: bool) -> str:
        """Run one direction of an LSTM over sequences of gates, and return its hidden states.

        Args:
            source: What the input gives to the gates (rows, 4 hidden), as cell, input, forget and output gate.
            state: Weight (hidden, 4 hidden) of what the state before gives to them.
            bias: Of the gates (1, 4 hidden).
            backward: From the end of each sequence to its begin.
        """
        hidden = self.program.shape(state)[0]
        made, cell, before = (self.variable((FREE, hidden)) for _ in range(3))
        attributes: dict[str, Value] = {
            "candidate_activation": "tanh",
            "cell_activation": "tanh",
            "gate_activation": "sigmoid",
            "is_reverse": backward,
            "is_test": True,
            "use_peepholes": False,
        }
        # Paddle Lite dies of a description without the slots of the first state, though they may be empty.
        inputs = {"Input": [source], "Weight": [state], "Bias": [bias], "H0": [], "C0": []}
        gates = self.variable((FREE, 4 * hidden))
        outputs = {"Hidden": [made], "Cell": [cell], "BatchGate": [gates], "BatchCellPreAct": [before]}
        self._put("lstm", inputs, outputs, attributes)
        return made

    def joined(self, parts: Sequence[str], axis: int) -> str:
        """Put variables side by side along an axis; their other sides are the same."""
        shape = list(self.program.shape(parts[0]))
        shape[axis] = sum(self.program.shape(part)[axis] for part in parts)
        return self._one("concat", {"X": parts}, "Out", {"axis": axis}, shape, None)

    def _one(
        self,
        kind: str,
        inputs: Mapping[str, Sequence[str]],
        slot: str,
        attributes: Mapping[str, Value],
        shape: Sequence[int],
        out: str | None,
    ) -> str:
        made = out or self.variable(shape)
        self._put(kind, inputs, {slot: [made]}, attributes)
        return made

    def _put(
        self,
        kind: str,
        inputs: Mapping[str, Sequence[str]],
        outputs: Mapping[str, Sequence[str]],
        attributes: Mapping[str, Value],
    ) -> None:
        self.operators.append(Operator.make(kind, inputs, outputs, attributes))


def _convolution(stride: int, groups: int) -> dict[str, Value]:
    return {
        "data_format": "NCHW",
        "dilations": [1, 1],
        "groups": groups,
        "padding_algorithm": "EXPLICIT",
        "paddings": [0, 0],
        "strides": [stride, stride],
    }


def _times(sides: Sequence[int], factor: int) -> list[int]:
    return [side * factor if side > 0 else FREE for side in sides]
