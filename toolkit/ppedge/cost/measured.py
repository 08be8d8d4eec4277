"""The cost of every operator of a ``.nb`` file, counted on Paddle Lite's own runtime under the emulator.

The runtime calls one operator after the other in a loop. The counting plugin reports at each entry into a block of that
loop's code, so what lies between two turns is one operator's: its kernel, its check of shapes, the call. Which block is
entered once a turn is found by counting entries; a file with N operators must give exactly N rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppedge.cost.operators import UNCOUNTED
from ppedge.engines.arm_paddlelite import ArmPaddleLiteEngine
from ppedge.errors import PpedgeError
from ppedge.files.nb import Operator, read_nb

Trace = Sequence[tuple[int | None, dict[str, int]]]


@dataclass(frozen=True)
class Measured:
    """An inference counted operator by operator.

    Attributes:
        runtime: Name and version of what ran it.
        cpu: The emulated core.
        operators: Of the file, those alone that compute.
        instructions: Of each of them by class (`ppedge.arm.qemu.CLASSES`).
        rest: By class, what the runtime does before the first and after the last.
    """

    runtime: str
    cpu: str
    operators: list[Operator]
    instructions: list[dict[str, int]]
    rest: dict[str, int]

    @property
    def total(self) -> int:
        """Instructions of the whole inference."""
        return self.rest["total"] + sum(counts["total"] for counts in self.instructions)


def measure_operators(
    path: Path,
    cpu: str,
    *shapes: tuple[int, ...],
    allow_older_runtime: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Measured:
    """Count one warm inference, operator by operator: the same figures every time.

    Args:
        path: A ``.nb`` file.
        cpu: The core to emulate.
        shapes: Of each of the network's inputs, mostly one (N, C, H, W).
        allow_older_runtime: Run a file that a newer opt wrote.
        tell: Told what is being done if the emulator must be set up.

    Raises:
        PpedgeError: The file or the size is not fit, or the runtime's loop is not as it is known.
        MissingError: No runtime is registered, or the emulator cannot be set up.
    """
    operators = [op for op in read_nb(path).operators if op.type not in UNCOUNTED]
    generator = np.random.default_rng(0)
    inputs = [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]
    with ArmPaddleLiteEngine(
        path, cpu=cpu, count=True, trace=True, allow_older_runtime=allow_older_runtime, progress=tell
    ) as engine:
        engine.run(inputs)
        try:
            rest, rows = turns(engine.last_trace, len(operators))
        except ValueError as error:
            raise PpedgeError(
                f"{path}: the runtime's loop over operators is not understood ({error}).",
                "Predict the cost instead, with --predict.",
            ) from error
        return Measured(engine.runtime, cpu, operators, rows, rest)


def turns(trace: Trace, operators: int) -> tuple[dict[str, int], list[dict[str, int]]]:
    """Put a trace together into one row an operator.

    Args:
        trace: Pieces of a run: where in the loop's code each began (None: before it), and its instructions by class.
        operators: How many rows there must be.

    Returns:
        What lies before the first turn, and the rows; all sum to the trace's sum.

    Raises:
        ValueError: No block of the loop was entered that often.
    """
    entries = Counter(place for place, _ in trace if place is not None)
    marker = next((place for place, _ in trace if place is not None and entries[place] == operators), None)
    if marker is None:
        raise ValueError(f"{operators} operators, but its blocks were entered {sorted(set(entries.values()))} times")
    before = dict.fromkeys(trace[0][1], 0)
    rows: list[dict[str, int]] = []
    for place, counts in trace:
        if place == marker:
            rows.append(dict.fromkeys(counts, 0))
        row = rows[-1] if rows else before
        for name, count in counts.items():
            row[name] += count
    return before, rows
