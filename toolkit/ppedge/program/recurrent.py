"""LSTMs in a form for which Paddle Lite has a faster kernel.

With 48 hidden values a step of its kernel for ``rnn`` takes 46,000 instructions beside the product of the input, one of
its kernel for ``lstm``, the operator of Paddle before 2.0, 26,000. That runs one layer in one direction, of a sequence
whose input is multiplied already, and knows where sequences begin only if an ``im2sequence`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppedge.program.changes import Change
from ppedge.program.operator import Operator
from ppedge.program.program import Program
from ppedge.program.steps import FREE, Steps

_TO_SEQUENCE = (("squeeze2", "axes", [2]), ("transpose2", "axis", [0, 2, 1]), ("transpose2", "axis", [1, 0, 2]))
"""What turns a map of one row (N, C, 1, T) into the (T, N, C) that ``rnn`` reads, and the attribute that says how."""


@dataclass(frozen=True)
class _Place:
    """Where an ``rnn`` stands.

    Attributes:
        map: The map of one row that it runs over.
        behind: What turns its output into (N, T, C).
    """

    map: str
    behind: Operator


def lstm(program: Program) -> list[Change]:
    """Compute LSTMs over a map of one row layer by layer and direction by direction."""
    changes = []
    for rnn in list(program.operators):
        place = _place(program, rnn) if rnn.type == "rnn" else None
        if place is None:
            continue
        origin, target = rnn.inputs["WeightList"][0], place.behind.output("Out")
        steps = Steps(program, target)
        batch, channels, _, _ = program.shape(place.map)
        made = steps.sequence(place.map, channels)
        for cells in _layers(program, rnn):
            outputs = [_direction(steps, made, cell, backward=bool(k)) for k, cell in enumerate(cells)]
            made = steps.joined(outputs, 1) if len(outputs) > 1 else outputs[0]
        width = program.shape(made)[1]
        steps.reshape(made, (batch, -1, width), (batch, FREE, width), out=target)
        steps.insert(behind=place.behind)
        program.remove(place.behind)
        changes.append(Change("lstm", origin, "each layer and direction by itself"))
    if changes:
        program.drop_dead()  # the old ones, and what begins them
    return changes


@dataclass(frozen=True)
class _Cell:
    """The weights of one direction of a layer, as the older operator has them: gates in the order cell, i, f, o.

    Attributes:
        input: (inputs, 4 hidden).
        state: (hidden, 4 hidden).
        bias: (1, 4 hidden): the sum of both biases.
        origin: Name of the weight of the input.
    """

    input: np.ndarray
    state: np.ndarray
    bias: np.ndarray
    origin: str


def _direction(steps: Steps, source: str, cell: _Cell, *, backward: bool) -> str:
    """Run one direction of a layer over a sequence, and return what it gives."""
    weights = [
        steps.program.add_weight(f"{cell.origin}.{name}", values, cell.origin)
        for name, values in (("input", cell.input), ("state", cell.state), ("bias", cell.bias))
    ]
    return steps.lstm(steps.linear(source, weights[0]), weights[1], weights[2], backward=backward)


def _layers(program: Program, rnn: Operator) -> list[list[_Cell]]:
    """Return the cells of an ``rnn``, layer by layer: forward, then backward if it has that."""
    names, directions = rnn.inputs["WeightList"], 2 if rnn.get("is_bidirec") else 1
    weights = [program.weights[name] for name in names]
    count = len(names) // 4  # of cells: two weights each, then two biases each
    cells = []
    for k in range(count):
        of_input, of_state = weights[2 * k : 2 * k + 2]
        bias = weights[2 * (count + k)] + weights[2 * (count + k) + 1]
        i, f, candidate, o = np.split(np.arange(len(bias)), 4)
        order = np.concatenate([candidate, i, f, o])
        cells.append(_Cell(of_input[order].T, of_state[order].T, bias[None, order], names[2 * k]))
    return [cells[k : k + directions] for k in range(0, count, directions)]


def _place(program: Program, rnn: Operator) -> _Place | None:
    """Return what belongs to an ``rnn`` that can be computed otherwise; else None."""
    if rnn.get("mode") != "LSTM" or rnn.inputs.get("SequenceLength") or not rnn.get("is_test"):
        return None
    if not all(program.zeros(name) for name in rnn.inputs["PreState"]):
        return None
    if any(program.readers(name) for name in rnn.outputs.get("State", ())):
        return None
    name = rnn.input("Input")
    for kind, attribute, value in reversed(_TO_SEQUENCE):
        operator = program.writer(name)
        if operator is None or operator.type != kind or operator.get(attribute) != value:
            return None
        name = operator.input("X")
    behind = program.only_reader(rnn.output("Out"))
    if behind is None or behind.type != "transpose2" or behind.get("axis") != [1, 0, 2]:
        return None
    shape = program.shape(name)
    # Of a batch that differs by input no shape says where one sequence ends.
    return _Place(name, behind) if len(shape) == 4 and shape[0] > 0 and shape[1] > 0 else None
