"""Rows of kernels that see nothing but the border's zeros.

SVTR's 3x3 convolutions work on maps of one row, as they stand behind the pooling of a recogniser's rows. Paddle Lite
computes them by Winograd's transform of 4x4 or 8x8 tiles; those of the one row of the kernel that counts cost half.
"""

from __future__ import annotations

from ppedge.program.changes import Change
from ppedge.program.convolution import Convolution
from ppedge.program.program import Program


def border_rows(program: Program) -> list[Change]:
    """Cut off the rows of a dense convolution's kernel that lie in the padding whatever row is computed."""
    changes = []
    for operator in program.operators:
        convolution = Convolution.of(program, operator)
        # A depthwise kernel that is not square has no fast kernel.
        if convolution is None or convolution.transposed or convolution.groups != 1:
            continue
        height, made = (program.shape(operator.input("Input"))[2], program.shape(operator.output("Output"))[2])
        explicit = operator.get("padding_algorithm", "EXPLICIT") == "EXPLICIT"
        if height <= 0 or made <= 0 or not explicit or operator.get("dilations", [1, 1]) != [1, 1]:
            continue
        paddings = list(operator.get("paddings", [0, 0]))
        top, bottom, *sides = paddings if len(paddings) == 4 else [paddings[0], *paddings[:1], paddings[1], paddings[1]]
        rows, step = convolution.filter.shape[2], operator.get("strides")[0]
        seen = [k for k in range(rows) if any(0 <= step * row - top + k < height for row in range(made))]
        if len(seen) in (0, rows):
            continue
        convolution.set_filter(convolution.filter[:, :, seen[0] : seen[-1] + 1])
        operator.set("paddings", [top - seen[0], bottom - (rows - 1 - seen[-1]), *sides])
        changes.append(Change("border-rows", convolution.name, f"{len(seen)} of {rows} rows of the kernel are left"))
    return changes
