"""How many instructions an operator would take if each one did arithmetic with all lanes of a vector register.

``instructions / ideal`` shows where a kernel, not the network, wastes: a product of matrices of Paddle Lite is at 1.2
to 1.5, a kernel that goes value by value at a hundred and more.
"""

from __future__ import annotations

from math import prod

from ppedge.arm import cores
from ppedge.cost.convolutions import convolution
from ppedge.cost.operators import CONVOLUTIONS, Operation
from ppedge.cost.parts import up

_ELEMENTS = 4
"""Values of 32 bits in a vector register of NEON."""


def lanes(precision: str, core: str) -> int:
    """Return the multiply-adds that one vector instruction of a core does.

    Four in fp32 (``fmla``) and in any precision not named here, eight in fp16, and in int8 sixteen by dot product
    (``sdot``) or, on a core without it, eight (``smlal``).
    """
    if precision == "int8":
        return 16 if "asimddp" in (cores.features(core) or ()) else 8
    return 8 if precision == "fp16" else 4


def ideal(op: Operation, core: str) -> float:
    """Return the ideal instructions of one operation in a warm inference.

    Those of its multiply-adds, divided by the lanes of its precision. A convolution that Paddle Lite computes by
    Winograd's minimal filtering (Lavin and Gray 2016) counts with the multiplications of that. An operation without
    multiply-adds counts with its values, four an instruction: those that it reads or those that it writes, whichever
    are more. Bias and activation that are fused into an operation count nothing.

    Args:
        op: The operation.
        core: By QEMU's name, ``cortex-a53``.
    """
    multiplications = _multiply_adds(op, core)
    if multiplications is None:
        values = max(prod(shape) for shape in (*op.inputs, op.output))
        return values / _ELEMENTS
    return multiplications / lanes(op.precision, core)


def _multiply_adds(op: Operation, core: str) -> float | None:
    """Return an operation's multiply-adds, None for a kind that has none."""
    if op.type == "conv2d_transpose":
        return float(prod(op.inputs[0]) * op.output[1] // op.groups * prod(op.kernel))
    if op.type in CONVOLUTIONS:
        family = convolution(op, core)[0].partition(".")[0]
        depth = op.inputs[0][1] // op.groups
        if family.startswith("winograd"):
            side = int(family.removeprefix("winograd"))
            tiles = op.output[0] * up(op.output[2], side) * up(op.output[3], side)
            return tiles * (side + 2) ** 2 * depth * op.output[1]
        return float(prod(op.output) * depth * prod(op.kernel))
    if op.type in ("fc", "mul") or op.type.startswith("matmul"):
        return float(prod(op.inputs[0]) * op.output[-1])
    if op.type == "rnn":
        return _recurrent(op)
    if op.type == "lstm":
        return float(prod(op.output) * 4 * op.output[-1])
    return None


def _recurrent(op: Operation) -> float:
    """Multiply-adds of an LSTM: four gates of what each pass reads, and of its own state."""
    steps, batch, width = op.inputs[0]
    directions = op.output[-1] // op.hidden
    depths = [width if index < directions else op.output[-1] for index in range(op.layers)]
    return float(sum(steps * batch * 4 * op.hidden * (depth + op.hidden) for depth in depths))
