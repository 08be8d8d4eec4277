"""Operators that multiply by constants and add constants, one of each for the whole map or for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ppedge.program.operator import Operator
from ppedge.program.program import Program

_RESHAPES = ("reshape2", "reshape")


@dataclass(frozen=True)
class Affine:
    """``target = scale * source + shift``.

    Attributes:
        source: The variable that is read.
        target: The variable that is written.
        scale: float64, of shape () or (channels,).
        shift: Likewise.
    """

    source: str
    target: str
    scale: np.ndarray
    shift: np.ndarray

    @property
    def scalar(self) -> bool:
        """Whether it is the same for all channels."""
        return self.scale.ndim == 0 and self.shift.ndim == 0

    def fits(self, channels: int) -> bool:
        """Whether it can be of a map of so many channels, which it leaves."""
        return all(one.shape in ((), (channels,)) for one in (self.scale, self.shift))

    def after(self, first: Affine) -> Affine:
        """Return both in one: ``first``, and then this one."""
        return Affine(first.source, self.target, self.scale * first.scale, self.scale * first.shift + self.shift)


def affine_of(program: Program, operator: Operator) -> Affine | None:
    """Return what an operator computes, if it is affine with constants; None for all others.

    BatchNorm is, with the statistics that it has learned.
    """
    if operator.type == "batch_norm":
        return _batch_norm(program, operator)
    if operator.type == "scale":
        return _scale(operator)
    if operator.type not in ("elementwise_mul", "elementwise_add"):
        return None
    for slot, other in (("X", "Y"), ("Y", "X")):
        array = constant_of(program, operator.input(other))
        source = operator.input(slot)
        if array is None or constant_of(program, source) is not None:
            continue
        value = _by_channel(array, program.shape(source), operator.get("axis", -1), same_rank=other == "X")
        if value is None:
            return None
        one, zero = np.float64(1), np.float64(0)
        scale, shift = (value, zero) if operator.type == "elementwise_mul" else (one, value)
        return Affine(source, operator.output("Out"), np.asarray(scale), np.asarray(shift))
    return None


def affine_chain(program: Program, variable: str, channels: int) -> list[tuple[Operator, Affine]]:
    """Return the affine operators behind a variable, each the only reader of what is before it."""
    found: list[tuple[Operator, Affine]] = []
    while (reader := program.only_reader(variable)) is not None:
        affine = affine_of(program, reader)
        if affine is None or affine.source != variable or not affine.fits(channels):
            break
        found.append((reader, affine))
        variable = affine.target
    return found


def composed(affines: Sequence[Affine]) -> Affine:
    """Return affine operators in a row, the first of them first, in one."""
    whole = affines[0]
    for affine in affines[1:]:
        whole = affine.after(whole)
    return whole


def constant_of(program: Program, name: str) -> np.ndarray | None:
    """Return a float32 weight, also one that the program reshapes before it is used; None for all else."""
    array = program.constant(name)
    if array is not None:
        return array
    writer = program.writer(name)
    if writer is None or writer.type not in _RESHAPES or set(writer.inputs) != {"X"}:
        return None
    array, shape = program.constant(writer.input("X")), writer.get("shape", [])
    if array is None or 0 in shape or (-1 not in shape and prod(shape) != array.size):
        return None
    return array.reshape(shape)


def _by_channel(array: np.ndarray, shape: Sequence[int], axis: int, *, same_rank: bool) -> np.ndarray | None:
    """Return a constant as one value, or one a channel of a map (N, C, H, W); None if it is another.

    Args:
        array: The constant.
        shape: Of the variable; () if unknown.
        axis: Where in it the constant's first axis lies; -1: so that their last ones are the same.
        same_rank: Take a constant of each channel only if it has as many axes as the variable.
    """
    if array.size == 1:
        return array.reshape(()).astype(np.float64) if array.ndim <= max(len(shape), 1) else None
    if len(shape) != 4 or shape[1] != array.size or array.ndim > 4 or (same_rank and array.ndim != 4):
        return None  # with as many constants as channels, the map keeps its shape
    first = 4 - array.ndim if axis == -1 else axis
    aligned = (*[1] * first, *array.shape, *[1] * (4 - first - array.ndim))
    return array.reshape(-1).astype(np.float64) if aligned == (1, array.size, 1, 1) else None


def _scale(operator: Operator) -> Affine | None:
    if set(operator.inputs) != {"X"}:
        return None
    scale, shift = np.float64(operator.get("scale", 1.0)), np.float64(operator.get("bias", 0.0))
    if not operator.get("bias_after_scale", True):
        shift = scale * shift
    return Affine(operator.input("X"), operator.output("Out"), np.asarray(scale), np.asarray(shift))


def _batch_norm(program: Program, operator: Operator) -> Affine | None:
    trained = operator.get("is_test", False) or operator.get("use_global_stats", False)
    if not trained or operator.get("data_layout", "NCHW") not in ("NCHW", "AnyLayout"):
        return None
    found = [program.constant(operator.input(slot)) for slot in ("Scale", "Bias", "Mean", "Variance")]
    if any(one is None for one in found):
        return None
    gain, bias, mean, variance = (np.asarray(one, np.float64) for one in found)
    scale = gain / np.sqrt(variance + operator.get("epsilon", 1e-5))
    return Affine(operator.input("X"), operator.output("Y"), scale, bias - scale * mean)
