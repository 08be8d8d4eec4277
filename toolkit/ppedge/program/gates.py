"""Gates by channel with the ungated map added: ``x + x * gate``."""

from __future__ import annotations

from ppedge.program.changes import Change
from ppedge.program.operator import Operator
from ppedge.program.program import Program


def join_gates(program: Program) -> list[Change]:
    """Compute ``x + x * gate`` as ``x * (gate + 1)``: one pass over the map less, one addition a channel more.

    RSEFPN's squeeze-and-excitation blocks of PP-OCRv3 and v4 end so.
    """
    changes = []
    for product in list(program.operators):
        parts = _gated(program, product)
        if parts is None:
            continue
        whole, gate, slot = parts
        added, target = program.writer(gate), whole.output("Out")
        assert added is not None
        opened = program.add_variable(f"{gate}.opened", like=gate)
        attributes = {"scale": 1.0, "bias": 1.0, "bias_after_scale": True}
        program.insert([Operator.make("scale", {"X": [gate]}, {"Out": [opened]}, attributes)], before=product)
        product.set_input(slot, [opened])
        product.set_output("Out", [target])
        program.remove(whole)
        changes.append(Change("gate", _weight_before(program, added), "the map that is added to its product with a "
                              "gate is in the gate"))  # fmt: skip
    program.drop_dead()
    return changes


def _gated(program: Program, product: Operator) -> tuple[Operator, str, str] | None:
    """Return the sum of a map and its product with a gate, the gate, and its slot; None if this is none."""
    if product.type != "elementwise_mul" or product.get("axis", -1) not in (-1, 0):
        return None
    whole = program.only_reader(product.output("Out"))
    if whole is None or whole.type != "elementwise_add" or whole.get("axis", -1) not in (-1, 0):
        return None
    for slot, other in (("Y", "X"), ("X", "Y")):
        gate, source = product.input(slot), product.input(other)
        shape, of_map = program.shape(gate), program.shape(source)
        by_channel = len(shape) == len(of_map) == 4 and shape[2:] == (1, 1) and shape[1] == of_map[1] > 0
        made = program.writer(gate)
        # Behind what opt joins with a convolution, it would fold the addition into that convolution's weights.
        known = made is not None and made.type in ("sigmoid", "hard_sigmoid") and program.writer(source) is not None
        if by_channel and known and sorted(whole.reads) == sorted((source, product.output("Out"))):
            return whole, gate, slot
    return None


def _weight_before(program: Program, operator: Operator) -> str:
    """Return the weight of the last operator with one that a chain of operators of one input each begins with."""
    while True:
        weights = [name for name in operator.reads if name in program.weights]
        if weights:
            return program.origins.get(weights[0], weights[0])
        before = program.writer(operator.reads[0]) if operator.reads else None
        if before is None or before.type == "feed":
            return operator.output("Out")
        operator = before
