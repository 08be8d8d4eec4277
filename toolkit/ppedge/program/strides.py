"""Depthwise convolutions that halve one side alone, in forms for which Paddle Lite has fast kernels.

A recogniser keeps the width, so its backbone's strides are (2, 1), and where it has enough of it (1, 2). Paddle Lite's
fast depthwise kernels want equal strides; the general kernel that serves all others takes 110 instructions an element
of a 3x3 kernel's output and 280 of a 5x5's, where the fast ones take 5 and 12. So they compute at stride 1, twice what
is needed, and half of it is kept: of rows by ``split``, which copies whole rows; of columns by a pooling of single
pixels, which has a kernel for equal strides alone, and so is given each row twice.
"""

from __future__ import annotations

from ppedge.program.affine import affine_of
from ppedge.program.changes import Change
from ppedge.program.operator import Operator
from ppedge.program.program import Program
from ppedge.program.steps import FREE, Steps

_FAST_KERNELS = (3, 5)
_JOINED = ("relu", "relu6", "leaky_relu")
"""Activations that opt joins with a depthwise convolution; others compute faster on what is kept."""


def row_strides(program: Program) -> list[Change]:
    """Compute depthwise convolutions of stride (2, 1) at stride 1, and keep every other row."""
    changes = []
    for conv in _depthwise(program, [2, 1]):
        height = program.shape(conv.output("Output"))[2]
        paddings = _paddings(conv)
        _, channels, given, width = program.shape(conv.input("Input"))
        side = program.shape(conv.input("Filter"))[2]
        computed = given + paddings[0] + paddings[1] - side + 1
        if given <= 0 or height != (computed + 1) // 2:
            continue
        paddings[1] += computed % 2  # the last pair of rows is whole, too: what is added to it is not kept
        steps = Steps(program, conv.output("Output"))
        last, whole, target = _at_stride_one(program, conv, paddings, (2 * height, _wide(width, paddings, side)))
        batch, _, _, wide = program.shape(whole)
        pairs = steps.reshape(whole, [0, channels * height, 2, -1], (batch, channels * height, 2, wide))
        first = steps.parts(pairs, 2, 2)[0]
        steps.reshape(first, [0, channels, height, -1], program.shape(target), out=target)
        steps.insert(behind=last)
        changes.append(_change("row-strides", program, conv, "every other row kept"))
    return changes


def column_strides(program: Program) -> list[Change]:
    """Compute depthwise convolutions of stride (1, 2) at stride 1, and keep every other column."""
    changes = []
    for conv in _depthwise(program, [1, 2]):
        _, channels, height, _ = program.shape(conv.output("Output"))
        if height <= 0:
            continue
        paddings, side = _paddings(conv), program.shape(conv.input("Filter"))[3]
        width = program.shape(conv.input("Input"))[3]
        steps = Steps(program, conv.output("Output"))
        last, whole, target = _at_stride_one(program, conv, paddings, (height, _wide(width, paddings, side)))
        batch, _, _, wide = program.shape(whole)
        apart = steps.reshape(whole, [0, channels * height, 1, -1], (batch, channels * height, 1, wide))
        kept = program.shape(target)
        columns = steps.pool(steps.stacked(apart, 2), "max", 1, (batch, channels * height, 1, kept[3]))
        steps.reshape(columns, [0, channels, height, -1], kept, out=target)
        steps.insert(behind=last)
        changes.append(_change("column-strides", program, conv, "every other column kept"))
    return changes


def _depthwise(program: Program, strides: list[int]) -> list[Operator]:
    """Return the depthwise convolutions of some strides that would compute fast at stride 1."""
    found = []
    for one in program.operators:
        if one.type not in ("conv2d", "depthwise_conv2d") or one.get("strides") != strides:
            continue
        filters, given = program.shape(one.input("Filter")), program.shape(one.input("Input"))
        if len(filters) != 4 or len(given) != 4 or filters[2] != filters[3] or filters[2] not in _FAST_KERNELS:
            continue
        if not one.get("groups") == given[1] == filters[0] or one.get("dilations", [1, 1]) != [1, 1]:
            continue
        if one.get("padding_algorithm", "EXPLICIT") == "EXPLICIT" and one.get("data_format", "NCHW") != "NHWC":
            found.append(one)
    return found


def _paddings(conv: Operator) -> list[int]:
    """Return a convolution's paddings: top, bottom, left, right."""
    paddings = list(conv.get("paddings", [0, 0]))
    return paddings if len(paddings) == 4 else [paddings[0], paddings[0], paddings[1], paddings[1]]


def _wide(width: int, paddings: list[int], side: int) -> int:
    """Return how wide a convolution's output is at stride 1."""
    return width + paddings[2] + paddings[3] - side + 1 if width > 0 else FREE


def _at_stride_one(
    program: Program, conv: Operator, paddings: list[int], size: tuple[int, int]
) -> tuple[Operator, str, str]:
    """Let a convolution, and what opt joins with it, compute all rows and columns.

    Args:
        program: To be changed.
        conv: The convolution.
        paddings: Its new ones.
        size: Height and width of its output then.

    Returns:
        The last of the operators that are joined, the variable that it writes now, and the one that it wrote before,
        which nothing writes.
    """
    conv.set("strides", [1, 1])
    conv.set("paddings", paddings if paddings[0] != paddings[1] or paddings[2] != paddings[3] else paddings[::2])
    last, slot = conv, "Output"
    while True:
        target = last.output(slot)
        reader = program.only_reader(target)
        batch, channels = program.shape(target)[:2]
        whole = program.add_variable(f"{target}.whole", target, (batch, channels, *size))
        last.set_output(slot, [whole])
        if reader is None or not _is_joined(program, reader, target):
            return last, whole, target
        reader.set_input("X", [whole])
        last, slot = reader, "Y" if reader.type == "batch_norm" else "Out"


def _is_joined(program: Program, reader: Operator, source: str) -> bool:
    """Whether opt makes an operator a part of the convolution whose output it reads as its first input."""
    if reader.inputs.get("X") != [source]:
        return False
    return reader.type in _JOINED or (reader.type in ("batch_norm", "elementwise_add") and _affine(program, reader))


def _affine(program: Program, reader: Operator) -> bool:
    found = affine_of(program, reader)
    return found is not None and not found.scalar


def _change(kind: str, program: Program, conv: Operator, done: str) -> Change:
    name = conv.input("Filter")
    while (writer := program.writer(name)) is not None and writer.inputs.get("X"):  # a quantized filter is computed
        name = writer.input("X")
    return Change(kind, program.origins.get(name, name), f"computed at stride 1, {done}")
