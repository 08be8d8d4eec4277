"""A convolution of a program with what is added to each of its channels, as one thing to edit."""

from __future__ import annotations

import numpy as np

from ppedge.program.affine import affine_of
from ppedge.program.operator import Operator
from ppedge.program.program import Program

CONVOLUTIONS = ("conv2d", "depthwise_conv2d", "conv2d_transpose")
_ACTIVATED = ("with_act", "fuse_relu", "fuse_brelu", "fuse_relu_before_depthwise_conv", "fuse_residual_connection")


class Convolution:
    """A convolution whose filter is a float32 weight, and that does nothing else than convolve.

    Attributes:
        program: That it is a part of.
        operator: The convolution itself.
        filter: Its weights: (outputs, inputs / groups, height, width), of a transposed one (inputs, outputs, ...).
    """

    def __init__(self, program: Program, operator: Operator, filters: np.ndarray) -> None:
        self.program = program
        self.operator = operator
        self.filter = filters

    @classmethod
    def of(cls, program: Program, operator: Operator) -> Convolution | None:
        """Return an operator as a convolution; None if it is another, or does something more, or is quantized."""
        if operator.type not in CONVOLUTIONS or set(operator.inputs) != {"Input", "Filter"}:
            return None
        array = program.constant(operator.input("Filter"))
        if array is None or array.ndim != 4 or any(operator.get(name, False) for name in _ACTIVATED):
            return None
        if operator.get("data_format", "NCHW") not in ("NCHW", "AnyLayout"):
            return None
        made = cls(program, operator, array)
        return None if made.transposed and made.groups != 1 else made

    @property
    def transposed(self) -> bool:
        """Whether it is a transposed convolution."""
        return self.operator.type == "conv2d_transpose"

    @property
    def groups(self) -> int:
        """Of its channels."""
        return int(self.operator.get("groups", 1))

    @property
    def channels(self) -> int:
        """Of its output."""
        return int(self.filter.shape[1 if self.transposed else 0])

    @property
    def name(self) -> str:
        """Of its weights, by which reports know the layer."""
        name = self.operator.input("Filter")
        return self.program.origins.get(name, name)

    @property
    def unpadded(self) -> bool:
        """Whether each output is computed of real inputs alone, none of them a border's zero."""
        padded = any(self.operator.get("paddings", [0, 0])) and self.operator.get("padding_algorithm") != "VALID"
        return not self.transposed and not padded and self.operator.get("padding_algorithm") != "SAME"

    def set_filter(self, array: np.ndarray) -> None:
        """Give it other weights, under their name unless another operator reads them too."""
        self.filter = np.ascontiguousarray(array, np.float32)
        name = self.operator.input("Filter")
        if len(self.program.readers(name)) == 1:
            self.program.set_weight(name, self.filter)
        else:
            self.operator.set_input("Filter", [self.program.add_weight(name, self.filter, origin=name)])

    def bias(self) -> tuple[Operator, np.ndarray] | None:
        """Return the operator that alone reads its output and adds a constant to each channel, and the constant.

        Only in the form that converters join with the convolution: one axis, of the output's axis 1.
        """
        reader = self.program.only_reader(self.operator.output("Output"))
        if reader is None or reader.type != "elementwise_add" or reader.get("axis", -1) != 1:
            return None
        array = self.program.constant(reader.input("Y"))
        if affine_of(self.program, reader) is None or array is None or array.shape != (self.channels,):
            return None
        return reader, array

    def add(self, values: np.ndarray) -> None:
        """Add a constant to each channel of the output: to the bias, which it is given if it has none.

        Args:
            values: (channels,).
        """
        had = self.bias()
        if had is not None:
            self._set_bias(had[0], had[1] + values)
            return
        plain = self.program.add_variable(f"{self.operator.output('Output')}.plain", self.operator.output("Output"))
        target = self.operator.output("Output")
        self.operator.set_output("Output", [plain])
        self.end_as(target, values)

    def _set_bias(self, operator: Operator, values: np.ndarray) -> None:
        name, array = operator.input("Y"), np.ascontiguousarray(values, np.float32)
        if len(self.program.readers(name)) == 1:
            self.program.set_weight(name, array)
        else:
            operator.set_input("Y", [self.program.add_weight(name, array, origin=self.name)])

    def end_as(self, target: str, values: np.ndarray) -> None:
        """Write a variable that nothing else writes: the output, and a constant for each channel added to it.

        Args:
            target: The variable.
            values: (channels,).
        """
        stem = self.operator.input("Filter").removesuffix(".w_0")
        name = self.program.add_weight(f"{stem}.bias", np.ascontiguousarray(values, np.float32), origin=self.name)
        added = Operator.make(
            "elementwise_add",
            {"X": [self.operator.output("Output")], "Y": [name]},
            {"Out": [target]},
            {"axis": 1},
        )
        at = self.program.operators.index(self.operator)
        self.program.insert([added], before=self.program.operators[at + 1])
